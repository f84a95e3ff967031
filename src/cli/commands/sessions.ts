import { ChatError } from '../../core/errors.ts';
import type { OutputOf } from '../../core/operations/index.ts';
import { certificateRow } from '../certificate-row.ts';
import { type CommandContext, command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { forgetLogin } from '../forget-login.ts';
import { lineTime } from '../message-text.ts';
import { refuseBoth, usageError } from '../options.ts';
import { callTimeoutMs, type LoggedIn, withSession } from '../session.ts';
import { tableLines } from '../table.ts';

const idShape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** What to revoke: exactly one of an id, all others, and all. */
function target(id: string | undefined, values: { readonly others: boolean; readonly all: boolean }) {
  refuseBoth(values, 'others', 'all', 'they name different sessions');
  const flag = values.others ? '--others' : values.all ? '--all' : undefined;
  if (flag !== undefined) {
    if (id !== undefined) throw usageError(`ID and ${flag} cannot be given together`, flag);
    return values.others ? ({ others: true } as const) : ({ all: true } as const);
  }
  if (id === undefined)
    throw usageError('chat sessions revoke needs an ID (see chat sessions), --others or --all');
  return { id: parseId(id) };
}

function parseId(id: string): string {
  if (idShape.test(id)) return id.toLowerCase();
  throw usageError(`${JSON.stringify(id)} is not a session's ID (see chat sessions)`, 'id');
}

type ListedSession = OutputOf<'session.list'>['sessions'][number];

/** The account's sessions. */
async function listSessions({ connection }: Pick<LoggedIn, 'connection'>): Promise<ListedSession[]> {
  const { sessions: found } = await connection.call('session.list', {}, { timeoutMs: callTimeoutMs });
  return found;
}

/** Which of them this one is. */
const ownIdIn = (listed: readonly ListedSession[]): string | undefined =>
  listed.find(({ current }) => current)?.id;

type ListedCertificate = OutputOf<'certificate.list'>['certificates'][number];

/**
 * The certificates that go on being good and would log in again what is about to end: for one session the one that has opened it, and those
 * that have the name of its device, which may have got them after it logged in; for all of them every one but this machine's.
 */
async function staying(
  { host }: CommandContext,
  { connection }: LoggedIn,
  which: ReturnType<typeof target>,
  listed: readonly ListedSession[],
): Promise<ListedCertificate[]> {
  const { certificates } = await connection.call('certificate.list', {}, { timeoutMs: callTimeoutMs });
  const good = certificates.filter(
    ({ revoked_at, expires_at }) =>
      revoked_at === null && (expires_at === null || Date.parse(expires_at) > host.now()),
  );
  if (!('id' in which)) return good.filter(({ current }) => !current);
  const ended = listed.find(({ id, current }) => id === which.id && !current);
  if (ended === undefined) return [];
  const { certificate, device } = ended;
  return good.filter(
    ({ id, label, current }) => id === certificate || (!current && label !== '' && label === device),
  );
}

/** More than these are counted and not named. */
const mostNamed = 3;

/** Says that what has ended can come back, and how that is ended too. */
async function tellStaying(
  { output }: CommandContext,
  certificates: readonly ListedCertificate[],
): Promise<void> {
  if (certificates.length > mostNamed) {
    await output.note(
      `${certificates.length} certificates still log in without being asked: chat sessions lists them, chat sessions revoke ID ends one`,
    );
    return;
  }
  for (const { id, label } of certificates) {
    const name = label === '' ? 'a certificate' : `the certificate ${JSON.stringify(label)}`;
    await output.note(`${name} still logs in without being asked: chat sessions revoke ${id} ends that`);
  }
}

/** Ends sessions; undefined for an id that is no session's, and may be a certificate's. */
async function revokeSessions({ connection }: LoggedIn, which: ReturnType<typeof target>) {
  try {
    return await connection.call('session.revoke', which, { timeoutMs: callTimeoutMs });
  } catch (error) {
    if ('id' in which && error instanceof ChatError && error.code === 'not-found') return undefined;
    throw error;
  }
}

async function revokeCertificate(
  context: CommandContext,
  session: LoggedIn,
  { id, own }: { readonly id: string; readonly own: string | undefined },
): Promise<number> {
  const answer = await session.connection
    .call('certificate.revoke', { id }, { timeoutMs: callTimeoutMs })
    .catch((error: unknown) => {
      const isUnknown = error instanceof ChatError && error.code === 'not-found';
      throw isUnknown
        ? new ChatError('not-found', 'there is no such session and no such certificate', { field: 'id' })
        : error;
    });
  const { ended_sessions: ended } = answer;
  const count = ended.length === 1 ? '1 session' : `${ended.length} sessions`;
  const isOut = own !== undefined && ended.includes(own);
  if (isOut) await forgetLogin(context, session, false);
  const out = isOut ? `, this one too: ${session.username} is logged out here` : '';
  await context.output.note(`revoked the certificate, and ended ${count} that it had opened${out}`);
  if (context.output.format === 'json') await context.output.result({ certificate: id, ...answer }, []);
  return exitOk;
}

const revoke = command({
  usage: ['sessions revoke ID', 'sessions revoke --others', 'sessions revoke --all'],
  description:
    'Ends a session of this account, all but this one, or all; their open connections close at once. --all logs out here too. With the ID of a ' +
    'certificate it revokes that, for ever, and ends the sessions that were opened with it; a machine that has one would log in again without asking.',
  options: {
    others: { type: 'flag', describe: 'all sessions but this one' },
    all: { type: 'flag', describe: 'all sessions, this one too: log in again afterwards' },
  },
  operands: { min: 0, max: 1, names: 'ID' },
  examples: [['chat sessions revoke --others', 'leaves only this session']],
  async run({ options, operands }, context) {
    const which = target(operands[0], options);
    return await withSession(context, async (session) => {
      const listed = await listSessions(session);
      const own = ownIdIn(listed);
      const isOwn = 'id' in which && which.id === own;
      const left = await staying(context, session, which, listed);
      const answer = await revokeSessions(session, which);
      if (answer === undefined) {
        return await revokeCertificate(context, session, { id: parseId(operands[0] ?? ''), own });
      }
      const count =
        answer.revoked.length === 1 ? 'ended 1 session' : `ended ${answer.revoked.length} sessions`;
      if ('all' in which || isOwn) {
        await forgetLogin(context, session, 'all' in which);
        const whose = isOwn ? 'this one' : 'this one too';
        await context.output.note(`${count}, ${whose}: ${session.username} is logged out here`);
      } else await context.output.note(count);
      await tellStaying(context, left);
      if (context.output.format === 'json') await context.output.result(answer, []);
      return exitOk;
    });
  },
});

const rename = command({
  usage: ['sessions rename ID NAME'],
  description: "Names a session's device; it keeps the name at its next logins, until it is logged out.",
  options: {},
  operands: { min: 2, max: 2, names: 'ID and NAME' },
  examples: [["chat sessions rename $id 'the laptop at home'", 'ID as chat sessions prints it']],
  async run({ operands }, context) {
    const [id = '', device = ''] = operands;
    const input = { id: parseId(id), device };
    return await withSession(context, async ({ connection }) => {
      const answer = await connection.call('session.rename', input, { timeoutMs: callTimeoutMs });
      await context.output.note(`renamed to ${answer.device}`);
      if (context.output.format === 'json') await context.output.result(answer, []);
      return exitOk;
    });
  },
});

/** The other way in; an object of its own kind in JSON, so that nobody takes one for a session. */
async function listCertificates({ output, host }: CommandContext, connection: LoggedIn['connection']) {
  const { certificates } = await connection.call('certificate.list', {}, { timeoutMs: callTimeoutMs });
  const lines = tableLines(certificates.map(certificateRow), host.stdout);
  for (const [index, certificate] of certificates.entries())
    await output.result({ certificate }, lines[index] ?? '');
}

/** Lists the sessions and certificates of the account, and ends them. */
export const sessions = command({
  usage: [
    'sessions',
    'sessions revoke ID',
    'sessions revoke --others | --all',
    'sessions rename ID NAME',
    'sessions certificate add FILE [flags]',
  ],
  description:
    'Prints the sessions of this account: id, device, door, address, beginning, last use and end (UTC), and which one is this. Then its ' +
    'certificates: id, name, certificate, fingerprint of the key, beginning, last use, end, and whether it is this one or revoked. ' +
    'Columns are separated by a tab in a script.',
  options: {},
  operands: noOperands,
  examples: [['chat sessions -o json', 'one object a session']],
  subcommands: [
    { name: 'revoke', summary: 'end one, all other or all sessions', load: async () => revoke },
    { name: 'rename', summary: "name a session's device", load: async () => rename },
    {
      name: 'certificate',
      summary: 'let a certificate from elsewhere log in',
      load: async () => (await import('./sessions/certificate.ts')).certificate,
    },
  ],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const found = await listSessions({ connection });
      const rows = found.map(
        ({ id, device, door, address, created_at, last_used_at, expires_at, current }) => [
          id,
          device,
          door,
          address,
          lineTime(created_at),
          lineTime(last_used_at),
          lineTime(expires_at),
          current ? 'this one' : '',
        ],
      );
      const lines = tableLines(rows, context.host.stdout);
      for (const [index, session] of found.entries())
        await context.output.result(session, lines[index] ?? '');
      await listCertificates(context, connection);
      return exitOk;
    });
  },
});
