import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { WireMessage } from '../../src/client/connection.ts';
import { stepMs, totpCode, totpStep } from '../../src/core/crypto/totp.ts';
import { passwordOf, type Told } from './kept.ts';
import {
  callOperations,
  endServer,
  formatOf,
  type Person,
  type Program,
  personOf,
  type Server,
  startServer,
} from './program.ts';

/** The base32 of a TOTP secret (RFC 4648 section 6) as bytes. */
export function secretBytes(text: string): Uint8Array {
  const digits = [...text].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter));
  const bits = digits.map((digit) => digit.toString(2).padStart(5, '0')).join('');
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

/** Registers somebody on their first device, with what private messages need where a version knows of them. */
function registered(
  program: Program,
  server: Server,
  homes: string,
  name: string,
  ...more: string[]
): Person {
  const person = personOf(program, server, homes, name);
  const keys = program.knows(['register'], '--recovery-file')
    ? ['--recovery-file', join(homes, `${name}.recovery`)]
    : [];
  person.does(['register', name, ...keys, ...more]);
  return person;
}

/** An account with an open password, as another program makes it over the line door; a second factor where there are such. */
async function openAccount(
  program: Program,
  server: Server,
): Promise<Pick<Told, 'openSession' | 'secondFactor'>> {
  const login = { username: 'otto', password: passwordOf('otto') };
  let told: Pick<Told, 'openSession' | 'secondFactor'> = { openSession: { token: '' } };
  await callOperations(server, async (call) => {
    await call('account.register', { ...login, email: 'otto@example.org' });
    const opened = await call<{ session_token: string }>('login.password', {
      ...login,
      device: { label: 'radio' },
    });
    const factor =
      program.knows(['totp']) || program.knows(['admin']) ? await turnOnFactor(call, login.password) : {};
    const token = opened.session_token;
    const csrf = await call<{ csrf_token: string }>('session.issue-csrf-token', {}).catch(() => undefined);
    told = { openSession: { token, ...(csrf && { csrfToken: csrf.csrf_token }) }, ...factor };
  });
  return told;
}

async function turnOnFactor(
  call: <T extends object>(method: string, params: object) => Promise<T>,
  password: string,
): Promise<Pick<Told, 'secondFactor'>> {
  const { secret } = await call<{ secret: string }>('account.totp-begin', { proof: { password } });
  const code = totpCode(secretBytes(secret), totpStep(Date.now() - stepMs));
  const on = await call<{ recovery_codes: string[] }>('account.totp-confirm', { code });
  return { secondFactor: { secret, recoveryCodes: on.recovery_codes } };
}

/** What administrators do, as far as the version knows of them. */
function administer(program: Program, server: Server, alice: Person, homes: string) {
  if (!program.knows(['admin'])) return {};
  const [, code = ''] = /chat admin claim (\S+)/.exec(server.said()) ?? [];
  alice.does(['admin', 'claim', code]);
  registered(program, server, homes, 'frank');
  alice.does(['admin', 'disable', 'frank']);
  const [invite] = alice.tells<{ code: string }>(['admin', 'invite', '--uses', '2', '--expires', '90d']);
  const told = { disabled: 'frank', inviteCode: invite?.code ?? '' };
  if (!program.knows(['admin', 'reset'])) return told;
  const [reset] = alice.tells<{ code: string }>(['admin', 'reset', 'carol']);
  return { ...told, resetCode: reset?.code ?? '' };
}

/** Accounts that are special where a version knows of such. */
function specialAccounts(program: Program, server: Server, homes: string) {
  const told: { certified?: string; erasing?: string } = {};
  if (program.knows(['register'], '--certificate')) {
    registered(program, server, homes, 'cert', '--certificate');
    told.certified = 'cert';
  }
  if (program.knows(['account', 'erase'])) {
    registered(program, server, homes, 'gina').does(['account', 'erase', '--yes']);
    told.erasing = 'gina';
  }
  return told;
}

const longLine = 'a long line, as logs have them: '.repeat(60).trim();

/** What is said in rooms, and between two. */
function talk(alice: Person, laptop: Person, bob: Person, carol: Person): void {
  alice.does(['join', 'ops', '--create']);
  bob.does(['join', 'ops']);
  carol.does(['join', 'garden', '--create']);
  alice.does(['send', 'good morning']);
  bob.does(['send', 'Grüße aus Zürich, 日本語 and 🎈']);
  laptop.does(['send', 'two lines\n  and an indented one']);
  alice.does(['send', '#ops', '--lines', '--key', 'import-7'], {
    input: `deploy 1 has failed\ndeploy 2 is done\n${longLine}\n`,
  });
  bob.does(['send', '#ops', '--key', 'beat-20', 'heartbeat 20']);
  carol.does(['send', '#garden', 'nobody else is here']);
  alice.does(['send', '@bob', 'lunch at noon?']);
  bob.does(['send', '@alice', 'yes; the usual place']);
  laptop.does(['send', '@bob', 'see you there']);
}

const heard = (person: Person, ...to: string[]): WireMessage[] =>
  person.tells(['tail', ...to, '--since', 'all', '--once']);

type ToldWhileServed = Omit<Told, 'format' | 'isKilled'>;

/** Everything that happens while the server runs, and at its end what it tells of it. */
async function day(program: Program, server: Server, homes: string): Promise<ToldWhileServed> {
  const alice = registered(program, server, homes, 'alice', '--email', 'alice@example.org');
  const bob = registered(program, server, homes, 'bob');
  const carol = registered(program, server, homes, 'carol');
  const laptop = personOf(program, server, homes, 'alice', 'alice-laptop');
  laptop.does(['login', 'alice', '--device', "alice's laptop"]);
  const open = await openAccount(program, server);
  talk(alice, laptop, bob, carol);
  // A code that sets her password will end her session.
  const garden = heard(carol, '#garden');
  const special = specialAccounts(program, server, homes);
  const administered = administer(program, server, alice, homes);
  const backup = program.knows(['admin', 'backup'])
    ? alice.tells<{ name: string }>(['admin', 'backup'])[0]?.name
    : undefined;
  bob.does(['tail', '#ops', '--durable', 'seen', '--once']);
  const unseen = 'said after bob had looked';
  alice.does(['send', '#ops', unseen]);
  return {
    version: program.version(),
    madeAt: Date.now(),
    address: server.address,
    fingerprint: server.fingerprint,
    rooms: alice.tells(['rooms']),
    members: alice.tells(['room', 'members', 'ops']),
    people: alice.tells(['users', '--all']),
    said: {
      alice: { '#lobby': heard(alice, '#lobby'), '#ops': heard(alice, '#ops'), '@bob': heard(alice, '@bob') },
      bob: { '@alice': heard(bob, '@alice') },
      carol: { '#garden': garden },
    },
    sessions: alice.tells(['sessions']),
    account: alice.tells<Record<string, unknown>>(['whoami'])[0] ?? {},
    ...open,
    ...special,
    ...administered,
    ...(backup && { backup }),
    ...(program.knows(['admin', 'audit']) && { audit: alice.tells(['admin', 'audit', '--since', 'all']) }),
    unseen,
    unsent: 'kept while the server was away',
  };
}

/**
 * Lives through what people do with a chat, with the commands of `program` and as far as it has them: accounts of every kind, two
 * devices, rooms, private messages, administration. All files are below `directory`: `data/`, and `homes/NAME/` of each client.
 */
export async function live(program: Program, directory: string, isKilled: boolean): Promise<Told> {
  const data = join(directory, 'data');
  const homes = join(directory, 'homes');
  mkdirSync(homes, { recursive: true });
  const server = await startServer(program, data);
  const told = await day(program, server, homes).catch(async (error: unknown) => {
    await endServer(server, 'SIGKILL');
    throw error;
  });
  await endServer(server, isKilled ? 'SIGKILL' : 'SIGTERM');
  const alice = personOf(program, server, homes, 'alice');
  alice.does(['send', '#ops', '--outbox', '--timeout', '0.2', told.unsent], { code: 3 });
  return { ...told, isKilled, format: formatOf(program, data) };
}
