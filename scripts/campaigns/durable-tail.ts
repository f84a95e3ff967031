/**
 * `tsx scripts/campaigns/durable-tail.ts [--trials N] [--seed S]`: under load, `chat tail --durable` and the server are killed with
 * SIGKILL at random moments and started again, while a reader appends what it gets to a file. Afterwards every message has come at
 * least once, in order within each run, and after repeated ids are dropped exactly once. Ends non-zero when that is broken.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { type Connection, connect } from '../../src/client/connection.ts';
import { history } from '../../src/client/follow.ts';
import { login } from '../../src/client/login.ts';
import { register } from '../../src/client/register.ts';
import { resume } from '../../src/client/resume.ts';
import { Deliveries, type Delivery } from './deliveries.ts';
import { seeded } from './random.ts';

type Command = readonly [string, ...string[]];

/** A campaign's course. */
export interface CampaignOptions {
  readonly trials: number;
  readonly seed: number;
  /** What starts the server, without its flags: `node dist/chat.mjs serve` for the real one. */
  readonly server: Command;
  /** What starts a tail, without its flags. */
  readonly tail: Command;
  readonly onTrial?: (trial: number, deliveries: Deliveries, broken: readonly string[]) => void;
}

/** What a campaign came to. */
export interface CampaignResult {
  readonly trials: number;
  /** Runs of tail that were killed. */
  readonly kills: number;
  readonly deliveries: Deliveries;
  readonly broken: readonly string[];
}

const password = 'a campaign of kills';
const rooms = ['#lobby', '#ops'] as const;
const load = { senders: 2, pauseMs: 4 } as const;
/** Runs of tail in a trial, each killed. */
const runsPerTrial = 3;
/** A kill comes so many milliseconds after the first line, or after the start. */
const killAfterMs = { line: 300, start: 600 } as const;
/** A run that gets nothing for so long, in milliseconds, is killed too: what it should get is found missing later. */
const patienceMs = 5_000;
const chance = { serverKill: 0.4, earlyKill: 0.2, exec: 0.25 } as const;
const flags = ['--bcrypt-cost', '10', '--messages-per-second', '0', '--logins-per-minute', '0'];

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
}

/** What the trials share. */
interface Field {
  readonly options: CampaignOptions;
  readonly directory: string;
  readonly random: () => number;
  readonly tokens: { readonly reader: string; readonly sender: string };
  readonly deliveries: Deliveries;
  server: Server;
  runs: number;
  kills: number;
}

/** Runs the trials one after another with one cursor and one data directory, so that each goes on from what the kills before have left. */
export async function durableTailCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const directory = mkdtempSync(join(tmpdir(), 'chat-durable-'));
  const broken: string[] = [];
  const server = await start(options.server, join(directory, 'data'), 0);
  const field: Field = {
    options,
    directory,
    random: seeded(options.seed),
    tokens: await setUp(server.port),
    deliveries: new Deliveries(),
    server,
    runs: 0,
    kills: 0,
  };
  try {
    for (let trial = 1; trial <= options.trials; trial++) {
      const found = await runTrial(field, trial);
      broken.push(...found.map((sentence) => `trial ${trial}: ${sentence}`));
      options.onTrial?.(trial, field.deliveries, found);
    }
  } finally {
    field.server.child.kill('SIGKILL');
    await ended(field.server.child);
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
  const { kills, deliveries } = field;
  return { trials: options.trials, kills, deliveries, broken };
}

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
  readonly child: ChildProcess;
  /** What the reader appended. */
  readonly file: string;
  readonly firstLine: Promise<unknown>;
  /** Its exit code, once all that it wrote was read. */
  readonly closed: Promise<number | null>;
  errors(): string;
}

function runTail(field: Field, more: readonly string[], isExec: boolean): TailRun {
  const { directory, options, server, tokens } = field;
  field.runs += 1;
  const name = `${field.runs}`;
  const file = join(directory, `run-${name}.jsonl`);
  const [program, ...args] = options.tail;
  const exec = isExec ? ['--exec', 'cat >>"$OUT"', '--own'] : [];
  const words = [...args, 'tail', '--durable', 'campaign', '--since', 'all', '-o', 'json', ...exec, ...more];
  const child = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      XDG_STATE_HOME: join(directory, 'state'),
      CHAT_SERVER: `plain://127.0.0.1:${server.port}`,
      CHAT_TOKEN: tokens.reader,
      OUT: file,
    },
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

async function until(isSo: () => boolean, child: ChildProcess): Promise<void> {
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
  const { tokens, options } = field;
  // Of its own, so that the moments of the kills are the seed's alone.
  const random = seeded(options.seed + trial * load.senders + sender);
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
  const { server, options, directory } = field;
  await delay(afterMs);
  server.child.kill('SIGKILL');
  await ended(server.child);
  field.server = await start(options.server, join(directory, 'data'), server.port);
}

async function start([program, ...args]: Command, data: string, port: number): Promise<Server> {
  const child = spawn(program, [...args, ...flags, '--listen', `127.0.0.1:${port}`, '--data', data], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-2_000);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const found = Number(/^127\.0\.0\.1:(\d+) /.exec(line)?.[1]);
    child.stdout.resume();
    return { child, port: found };
  }
  throw new Error(`the server did not start: ${errors}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function open(port: number, token?: string): Promise<Connection> {
  const connection = await connect({
    server: { scheme: 'plain', host: '127.0.0.1', port },
    timeoutMs: 10_000,
    checkIdentity: async () => {},
  });
  if (token !== undefined) await resume(connection, token);
  return connection;
}

async function setUp(port: number): Promise<Field['tokens']> {
  const reader = await signUp(port, 'reader');
  const sender = await signUp(port, 'sender');
  await reader.connection.call('room.create', { room: 'ops' });
  await sender.connection.call('room.join', { room: 'ops' });
  await reader.connection.close();
  await sender.connection.close();
  return { reader: reader.token, sender: sender.token };
}

async function signUp(port: number, username: string) {
  const connection = await open(port);
  await register(connection, { username, password });
  const { session } = await login(connection, { username, password });
  return { connection, token: session.session_token };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      trials: { type: 'string', default: '100' },
      seed: { type: 'string', default: `${Date.now() % 1e9}` },
    },
  });
  if (!existsSync('dist/chat.mjs')) throw new Error('there is no build: npm run build');
  const seed = Number(values.seed);
  const program = [process.execPath, 'dist/chat.mjs'] as const;
  const { trials, kills, deliveries, broken } = await durableTailCampaign({
    trials: Number(values.trials),
    seed,
    server: [...program, 'serve'],
    tail: program,
    onTrial: (trial, { lines, repeats }, found) => {
      console.log(`trial ${trial}: ${lines} lines so far, ${repeats} repeated, ${found.length} failures`);
      for (const sentence of found.slice(0, 5)) console.log(`  ${sentence}`);
    },
  });
  console.log(
    `durable tail: ${trials} trials, ${kills} tails killed, ${deliveries.lines} lines, ${deliveries.repeats} repeated, ${broken.length} failures, seed ${seed}`,
  );
  process.exitCode = broken.length === 0 ? 0 : 1;
}
