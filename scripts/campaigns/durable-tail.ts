import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import type { Connection } from '../../src/client/connection.ts';
import { history } from '../../src/client/follow.ts';
import type { Campaign, Course } from './campaign.ts';
import { Deliveries, type Delivery } from './deliveries.ts';
import { type OwnedProcess, removeScratch, scratchDirectory, spawnOwned } from './leavings.ts';
import { open, signUp } from './people.ts';
import { seeded } from './random.ts';
import { mustStart, type ServerProcess } from './server-process.ts';

const rooms = ['#lobby', '#ops'] as const;
const load = { senders: 2, pauseMs: 4 } as const;
/** Runs of tail in a trial, each killed. */
const runsPerTrial = 3;
/** A kill comes so many milliseconds after the first line, or after the start. */
const killAfterMs = { line: 300, start: 600 } as const;
/** A run that gets nothing for so long, in milliseconds, is killed too: what it should get is found missing later. */
const patienceMs = 5_000;
const chance = { serverKill: 0.4, earlyKill: 0.2, exec: 0.25 } as const;

/** What the trials share. */
interface Field {
  readonly course: Course;
  readonly directory: string;
  readonly random: () => number;
  readonly tokens: { readonly reader: string; readonly sender: string };
  readonly deliveries: Deliveries;
  server: ServerProcess;
  runs: number;
  kills: number;
}

/**
 * Under load, `chat tail --durable` and the server are killed with SIGKILL at random moments and started again, while a reader appends
 * what it gets to a file: one cursor and one data directory for all trials. Afterwards every message has come at least once, in order
 * within each run, and after repeated ids are dropped exactly once.
 */
export const durableTail: Campaign = {
  about: 'kills durable tails and their server, while a reader appends what it gets to a file',
  trials: 100,
  async run(course) {
    const { trials, seed, onTrial } = course;
    const directory = scratchDirectory('durable');
    const broken: string[] = [];
    const server = await mustStart({ command: course.server, data: join(directory, 'data') });
    const field: Field = {
      course,
      directory,
      random: seeded(seed),
      tokens: await setUp(server.port),
      deliveries: new Deliveries(),
      server,
      runs: 0,
      kills: 0,
    };
    const { deliveries } = field;
    try {
      for (let trial = 1; trial <= trials; trial++) {
        const found = await runTrial(field, trial);
        broken.push(...found.map((sentence) => `trial ${trial}: ${sentence}`));
        const { lines, repeats } = deliveries;
        onTrial?.(`trial ${trial}: ${lines} lines so far, ${repeats} repeated, ${found.length} failures`);
      }
    } finally {
      await field.server.kill();
      removeScratch(directory);
    }
    const { lines, repeats } = deliveries;
    return { trials, counts: { 'tails killed': field.kills, lines, repeated: repeats }, broken };
  },
};

/** Keeps the server busy while tails come and are killed, then lets one read to the end. */
async function runTrial(field: Field, trial: number): Promise<string[]> {
  const stop = new AbortController();
  const sending = Promise.all(
    Array.from({ length: load.senders }, (_, sender) => send(field, { trial, sender }, stop.signal)),
  );
  const broken: string[] = [];
  const joining = joinLateRoom(field, trial, field.random() * 1_000);
  let restarted = Promise.resolve();
  for (let run = 0; run < runsPerTrial; run++) {
    const afterMs = field.random() * killAfterMs.start;
    if (field.random() < chance.serverKill) restarted = restarted.then(() => restartServer(field, afterMs));
    broken.push(...(await runUntilKilled(field)));
  }
  await Promise.all([joining, restarted]);
  stop.abort();
  await sending;
  const last = runTail(field, ['--once'], false);
  const code = await last.closed;
  if (code !== 0) broken.push(`the last run ended with ${code}: ${last.errors()}`);
  broken.push(...takeLines(field, last));
  broken.push(...(await checkStored(field)));
  return broken;
}

/** One tail under load, killed at a random moment. */
async function runUntilKilled(field: Field): Promise<string[]> {
  const { random } = field;
  const isExec = random() < chance.exec;
  const isEarly = random() < chance.earlyKill;
  const afterMs = random() * (isEarly ? killAfterMs.start : killAfterMs.line);
  const run = runTail(field, [], isExec);
  if (!isEarly) await Promise.race([run.firstLine, run.closed, delay(patienceMs)]);
  await Promise.race([run.closed, delay(afterMs)]);
  run.child.kill('SIGKILL');
  const code = await run.closed;
  const broken = takeLines(field, run);
  if (code === null) field.kills += 1;
  // The first connection has to succeed: a server that was down just then is not found.
  else if (code !== exitCodes.unavailable)
    broken.push(`run ${run.name} ended by itself with ${code}: ${run.errors()}`);
  return broken;
}

/** A tail that runs. */
interface TailRun {
  readonly name: string;
  readonly child: OwnedProcess;
  /** What the reader appended. */
  readonly file: string;
  readonly firstLine: Promise<unknown>;
  /** Its exit code, once all that it wrote was read. */
  readonly closed: Promise<number | null>;
  errors(): string;
}

function runTail(field: Field, more: readonly string[], isExec: boolean): TailRun {
  const { directory, course, server, tokens } = field;
  field.runs += 1;
  const name = `${field.runs}`;
  const file = join(directory, `run-${name}.jsonl`);
  const exec = isExec ? ['--exec', 'cat >>"$OUT"', '--own'] : [];
  const words = ['tail', '--durable', 'campaign', '--since', 'all', '-o', 'json', ...exec, ...more];
  const child = spawnOwned([...course.client, ...words], {
    PATH: process.env.PATH,
    HOME: directory,
    XDG_STATE_HOME: join(directory, 'state'),
    CHAT_SERVER: `plain://127.0.0.1:${server.port}`,
    CHAT_TOKEN: tokens.reader,
    OUT: file,
  });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-2_000);
  });
  child.stdout.on('data', (chunk) => appendFileSync(file, chunk));
  const firstLine = isExec ? until(() => existsSync(file), child) : once(child.stdout, 'data');
  // A tail that is killed before its first line has none.
  firstLine.catch(() => {});
  const closed = once(child, 'close').then(([code]) => code);
  return { name, child, file, firstLine, closed, errors: () => errors };
}

async function until(isSo: () => boolean, child: OwnedProcess): Promise<void> {
  while (!isSo() && child.exitCode === null && child.signalCode === null) await delay(5);
}

/** What a run wrote; a last line without its end was cut by the kill, and comes again whole. */
function takeLines({ deliveries }: Field, { name, file }: TailRun): string[] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  return deliveries.take(
    `run ${name}`,
    lines.map((line) => JSON.parse(line) as Delivery),
  );
}

/** All that the reader can read has come by now. */
async function checkStored({ server, tokens, deliveries }: Field): Promise<string[]> {
  const connection = await open(server.port, tokens.reader);
  const broken: string[] = [];
  const { conversations } = await connection.call('conversation.list', {});
  for (const { to } of conversations) {
    const stored: Delivery[] = [];
    for await (const message of history({ connection, to, from: { after: 0 } })) stored.push(message);
    broken.push(...deliveries.check(to, stored));
  }
  await connection.close();
  return broken;
}

/** Sends until it is stopped, over as many connections as it takes; what gets no answer may be stored or not. */
async function send(
  field: Field,
  { trial, sender }: { trial: number; sender: number },
  signal: AbortSignal,
): Promise<void> {
  const { tokens, course } = field;
  // Of its own, so that the moments of the kills are the seed's alone.
  const random = seeded(course.seed + trial * load.senders + sender);
  let count = 0;
  while (!signal.aborted) {
    try {
      const connection = await open(field.server.port, tokens.sender);
      try {
        while (!signal.aborted) {
          count += 1;
          const targets = [...rooms, '@reader'];
          const to = targets[Math.floor(random() * targets.length)] ?? '#lobby';
          // Some are longer than what is written to a pipe at once.
          const text = `${trial}.${sender}.${count} ${'x'.repeat(random() < 0.1 ? 9_000 : 20)}`;
          await connection.call('message.send', { to, text });
          await delay(random() * load.pauseMs);
        }
      } finally {
        await connection.close();
      }
    } catch {
      await delay(20);
    }
  }
}

/** A room in which others have spoken is joined at a random moment: it is read from its first message. */
async function joinLateRoom(field: Field, trial: number, afterMs: number): Promise<void> {
  const room = `late-${trial}`;
  const sender = await openAgain(field, field.tokens.sender);
  await again(field, sender, field.tokens.sender, 'room.create', { room });
  for (let n = 1; n <= 5; n++) {
    const key = `${room}.${n}`;
    await again(field, undefined, field.tokens.sender, 'message.send', { to: `#${room}`, text: key, key });
  }
  await delay(afterMs);
  await again(field, undefined, field.tokens.reader, 'room.join', { room });
  await again(field, undefined, field.tokens.sender, 'message.send', { to: `#${room}`, text: 'last' });
}

/** Makes a call until it is answered; that it was done before is an answer too. */
async function again(
  field: Field,
  first: Connection | undefined,
  token: string,
  name: 'room.create' | 'room.join' | 'message.send',
  params: Readonly<Record<string, string>>,
): Promise<void> {
  let connection = first;
  for (;;) {
    connection ??= await openAgain(field, token);
    try {
      await connection.call(name, params as never);
      return;
    } catch (error) {
      if ((error as { code?: string }).code === 'conflict') return;
    } finally {
      await connection.close();
    }
    connection = undefined;
  }
}

async function openAgain(field: Field, token: string): Promise<Connection> {
  for (;;) {
    try {
      return await open(field.server.port, token);
    } catch {
      await delay(20);
    }
  }
}

/** Kills the server after a while and starts it again at once, at the same address: a cursor belongs to one. */
async function restartServer(field: Field, afterMs: number): Promise<void> {
  const { server, course, directory } = field;
  await delay(afterMs);
  await server.kill();
  const { port } = server;
  field.server = await mustStart({ command: course.server, data: join(directory, 'data'), port });
}

async function setUp(port: number): Promise<Field['tokens']> {
  const tokens = { reader: await signUp(port, 'reader'), sender: await signUp(port, 'sender') };
  for (const [token, call] of [
    [tokens.reader, 'room.create'],
    [tokens.sender, 'room.join'],
  ] as const) {
    const connection = await open(port, token);
    await connection.call(call, { room: 'ops' });
    await connection.close();
  }
  return tokens;
}
