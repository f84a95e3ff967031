import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ChatError } from '../../src/core/errors.ts';
import type { Campaign, CommandLine } from './campaign.ts';
import { removeScratch, scratchDirectory } from './leavings.ts';
import { acknowledgedOf, Ledger, type Load, sendLoad } from './load.ts';
import { becomeAdministrator, open, signUpSender } from './people.ts';
import type { Sent } from './promises.ts';
import { pick, seededFor } from './random.ts';
import { clearRefusal, readingFailures, unclearRefusals } from './refusal.ts';
import { isReady, mustStart, type ServerProcess, startServer } from './server-process.ts';
import { attach, requireStrace, underStrace } from './strace.ts';

/** What the trials share. */
interface Field {
  readonly command: CommandLine;
  readonly data: string;
  readonly token: string;
  readonly ledger: Ledger;
  server: ServerProcess;
}

/** What a trial came to; it leaves a server that runs. */
interface Outcome {
  readonly sent: readonly Sent[];
  readonly broken: string[];
}

/** What a trial chooses, whichever of it its failure needs. */
interface Choices {
  readonly failsMs: number;
  /** Which sync fails. */
  readonly sync: number;
  /** Which call fails as the server starts, and from the how manieth on. */
  readonly call: string;
  readonly from: number;
  /** Of the writes in part. */
  readonly writesSeed: number;
}

/** One way for a disk to fail. */
type Failure = (field: Field, load: Load, choices: Choices) => Promise<Outcome>;

/** A disk fails for so many milliseconds. */
const failsMs = { min: 50, max: 400 } as const;
/** What a start needs, and may find failing. */
const startCalls = ['pwrite64', 'fdatasync', 'ftruncate', 'rename', 'fsync', 'unlink'] as const;
/** … after so many of working. */
const worksMs = 100;
/** A server that has to end has so long for it, in milliseconds. */
const endMs = 10_000;

/** By name, how the disk fails. */
const failures: Readonly<Record<string, Failure>> = {
  'a full disk': failingWrites('ENOSPC', /disk is full/),
  'a failed sync': failingSync,
  'a backup on a full disk': failingBackup('pwrite64', 'ENOSPC'),
  'a start on a full disk': failingStart('ENOSPC'),
  'writes in part': shortWrites,
  'failed writes': failingWrites('EIO', /disk cannot be read or written/),
  'a backup whose sync fails': failingBackup('fsync', 'EIO'),
  'a start with an error': failingStart('EIO'),
  'a backup that cannot be renamed': failingBackup('rename', 'EIO'),
};

/**
 * Lets the system calls of a server fail that writes under load: a full disk, errors of writing, of syncing and of renaming, and writes
 * that take a part. Whoever is refused is told so; whatever was acknowledged is there, on the server that goes on or on the next one.
 */
export const diskErrors: Campaign = {
  about: 'fills the disk, fails writes and syncs, writes in part, under load, at a start and in a backup',
  trials: 200,
  kinds: Object.keys(failures),
  async run({ trials, seed, server: command, only = '', onTrial }) {
    requireStrace();
    const directory = scratchDirectory('disk');
    const data = join(directory, 'data');
    const broken: string[] = [];
    let acknowledged = 0;
    const server = await mustStart({ command, data });
    const token = await signUpSender(server.port);
    await becomeAdministrator(server, token);
    const field: Field = { command, data, token, ledger: new Ledger(), server };
    try {
      const kinds = Object.entries(failures).filter(([name]) => name.includes(only));
      for (let trial = 1; trial <= trials; trial++) {
        const [kind, failure] = kinds[(trial - 1) % kinds.length] ?? [];
        if (!kind || !failure) throw new Error(`there is no failure called ${only}`);
        const load = {
          port: field.server.port,
          token,
          label: `${trial}`,
          random: seededFor(seed, `load ${trial}`),
        };
        const { sent, broken: found } = await failure(field, load, diskChoices(seed, trial));
        if (field.server.hasEnded) field.server = await mustStart({ command, data });
        found.push(...(await field.ledger.check(field.server.port, token, sent)));
        acknowledged += acknowledgedOf(sent);
        broken.push(...found.map((sentence) => `trial ${trial}, ${kind}: ${sentence}`));
        onTrial?.(`trial ${trial}, ${kind}: ${acknowledgedOf(sent)} acknowledged, ${found.length} failures`);
      }
    } finally {
      await field.server.kill();
      removeScratch(directory);
    }
    return { trials, counts: { 'messages acknowledged': acknowledged }, broken };
  },
};

/** What a trial chooses: the seed's choice alone. */
export function diskChoices(seed: number, trial: number): Choices {
  const random = seededFor(seed, `failure ${trial}`);
  return {
    failsMs: failsMs.min + random() * (failsMs.max - failsMs.min),
    sync: 1 + Math.floor(random() * 20),
    call: pick(startCalls, random),
    from: 1 + Math.floor(random() * 8),
    writesSeed: Math.floor(random() * 1e9),
  };
}

/** While writing fails everybody is told so and can read; then all goes on. */
function failingWrites(code: string, text: RegExp): Failure {
  return async ({ server, token }, load, choices) => {
    const broken: string[] = [];
    const refusals: ChatError[] = [];
    const stop = new AbortController();
    const sending = sendLoad({ ...load, signal: stop.signal, onRefused: (error) => refusals.push(error) });
    await delay(worksMs);
    const { detach } = await attach(server.pid, [{ calls: ['pwrite64'], what: `error=${code}` }]);
    broken.push(...(await readingFailures(server.port, token)));
    await delay(choices.failsMs);
    await detach();
    stop.abort();
    const sent = await sending;
    if (server.hasEnded) broken.push(`the server ended: ${server.errors}`);
    broken.push(...unclearRefusals(refusals, text));
    return { sent, broken };
  };
}

/** What the disk holds is unknown then: the server ends at once, and says why. */
async function failingSync({ server }: Field, load: Load, { sync }: Choices): Promise<Outcome> {
  const broken: string[] = [];
  const injection = { calls: ['fdatasync'], what: 'error=EIO', when: `${sync}` };
  const { detach } = await attach(server.pid, [injection]);
  // So few at a time that there are more commits than that.
  const sent = await sendLoad({ ...load, window: 2, messages: 300 });
  const end = await Promise.race([server.ended, delay(endMs)]);
  if (!end) {
    broken.push('the server goes on after a failed sync');
    await server.kill();
  } else if (end.code !== 1 || !end.errors.includes('the store has failed: the server ends at once')) {
    broken.push(`the server ended with ${end.code ?? end.signal}: ${end.errors}`);
  }
  await detach();
  return { sent, broken };
}

/** It is refused and leaves nothing behind, and nobody else notices. */
function failingBackup(call: string, code: string): Failure {
  return async ({ server, data, token }, load) => {
    const broken: string[] = [];
    const sent = await sendLoad({ ...load, messages: 20 });
    const { detach } = await attach(server.pid, [{ calls: [call], what: `error=${code}` }]);
    const connection = await open(server.port, token);
    try {
      await connection.call('admin.backup', {});
      broken.push('the backup was answered as if it were made');
    } catch (error) {
      if (!(error instanceof ChatError) || error.code !== 'unavailable')
        broken.push(`the backup was refused with ${String(error)}`);
    }
    await connection.close();
    await detach();
    const backups = join(data, 'backups');
    const left = existsSync(backups) ? readdirSync(backups) : [];
    if (left.length > 0) broken.push(`left behind: ${left.join(', ')}`);
    if (server.hasEnded) broken.push(`the server ended: ${server.errors}`);
    return { sent, broken };
  };
}

/** The server starts all the same, or says in one line why not; and the next one starts. */
function failingStart(code: string): Failure {
  return async (field, load, { call, from }) => {
    const broken: string[] = [];
    const sent = await sendLoad({ ...load, messages: 20 });
    const { command, data } = field;
    await field.server.kill();
    const when = `${from}+`;
    const faulty = underStrace(command, [{ calls: [call], what: `error=${code}`, when }]);
    const started = await startServer({ command: faulty, data });
    const where = `${call} ${when} fails with ${code}`;
    if (isReady(started)) {
      // A sync that fails as it writes its first row ends it in its own time.
      await Promise.race([started.ended, delay(200)]);
      await started.kill();
    } else if (!isFatal(started.errors)) {
      broken.push(...clearRefusal(started).map((sentence) => `${where}: ${sentence}`));
    }
    return { sent, broken };
  };
}

function isFatal(errors: string): boolean {
  return errors.includes('the store has failed: the server ends at once');
}

/** Nobody notices at all. */
async function shortWrites(field: Field, load: Load, { writesSeed }: Choices): Promise<Outcome> {
  const { command, data } = field;
  await field.server.kill();
  const [program, ...args] = command;
  const preloaded = ['--import', new URL('./short-writes.ts', import.meta.url).href, ...args];
  const env = { CHAT_CAMPAIGN_SEED: `${writesSeed}` };
  field.server = await mustStart({ command: [program, ...preloaded], data, env });
  const refusals: ChatError[] = [];
  const port = field.server.port;
  const sent = await sendLoad({
    ...load,
    port,
    messages: 400,
    size: 300,
    onRefused: (error) => refusals.push(error),
  });
  const broken = refusals.map((error) => `refused: ${error.message}`);
  await field.server.kill();
  return { sent, broken };
}
