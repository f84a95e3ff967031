/**
 * `tsx scripts/campaigns/sigkill.ts [--trials N] [--seed S]`: a server under load is killed with SIGKILL at a random moment and
 * started again on the same directory, over and over. Ends non-zero when a promise is broken.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type Connection, connect } from '../../src/client/connection.ts';
import { history } from '../../src/client/follow.ts';
import { login } from '../../src/client/login.ts';
import { register } from '../../src/client/register.ts';
import { resume } from '../../src/client/resume.ts';
import { brokenPromises, type Found, type Sent } from './promises.ts';
import { seeded } from './random.ts';

/** A campaign's course. */
export interface CampaignOptions {
  readonly trials: number;
  readonly seed: number;
  /** What starts the server, without its flags: `node dist/chat.mjs serve` for the real one. */
  readonly command: readonly [string, ...string[]];
  readonly onTrial?: (trial: number, acknowledged: number, broken: readonly string[]) => void;
}

/** What a campaign came to. */
export interface CampaignResult {
  readonly trials: number;
  readonly acknowledged: number;
  readonly broken: readonly string[];
}

/** Senders, each on a connection of its own, and what each keeps unanswered. */
const load = { senders: 4, window: 16 } as const;
/** The kill comes so many milliseconds after the first answer. */
const killAfterMs = { min: 5, max: 250 } as const;
const targets = ['#lobby', '#ops', '@peer'] as const;
const flags = [
  '--listen',
  '127.0.0.1:0',
  '--bcrypt-cost',
  '10',
  '--messages-per-second',
  '0',
  '--logins-per-minute',
  '0',
];

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
}

/** Runs the trials one after another on one data directory, so that each starts from what the kills before have left. */
export async function sigkillCampaign({
  trials,
  seed,
  command,
  onTrial,
}: CampaignOptions): Promise<CampaignResult> {
  const random = seeded(seed);
  const directory = mkdtempSync(join(tmpdir(), 'chat-sigkill-'));
  const data = join(directory, 'data');
  const broken: string[] = [];
  let acknowledged = 0;
  let server = await start(command, data);
  try {
    const token = await setUp(server.port);
    const ends = new Map<string, number>(targets.map((to) => [to, 0]));
    for (let trial = 1; trial <= trials; trial++) {
      const sent = await sendUntilKilled(server, token, trial, random);
      const found = soundness(data, directory);
      server = await start(command, data);
      found.push(...(await check(server.port, token, ends, sent)));
      const count = sent.filter((message) => message.acknowledged).length;
      acknowledged += count;
      broken.push(...found.map((sentence) => `trial ${trial}: ${sentence}`));
      onTrial?.(trial, count, found);
    }
  } finally {
    server.child.kill('SIGKILL');
    await ended(server.child);
    rmSync(directory, { recursive: true, force: true });
  }
  return { trials, acknowledged, broken };
}

async function start([program, ...args]: CampaignOptions['command'], data: string): Promise<Server> {
  const child = spawn(program, [...args, ...flags, '--data', data], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-2_000);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const port = Number(/^127\.0\.0\.1:(\d+) /.exec(line)?.[1]);
    child.stdout.resume();
    return { child, port };
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

async function setUp(port: number): Promise<string> {
  const password = 'a campaign of kills';
  const connection = await open(port);
  await register(connection, { username: 'peer', password });
  await register(connection, { username: 'sender', password });
  const { session } = await login(connection, { username: 'sender', password });
  await connection.call('room.create', { room: 'ops' });
  await connection.close();
  return session.session_token;
}

/** Keeps the server busy and kills it; answers everything that was sent, with the answers that came. */
async function sendUntilKilled(
  { child, port }: Server,
  token: string,
  trial: number,
  random: () => number,
): Promise<Sent[]> {
  const sent: Sent[] = [];
  const { min, max } = killAfterMs;
  const delayMs = min + random() * (max - min);
  let isDoomed = false;
  const doom = (): void => {
    if (isDoomed) return;
    isDoomed = true;
    setTimeout(() => child.kill('SIGKILL'), delayMs);
  };
  await Promise.all(
    Array.from({ length: load.senders }, async (_, sender) => {
      const connection = await open(port, token);
      let count = 0;
      const lane = async (): Promise<void> => {
        for (;;) {
          count += 1;
          const to = targets[Math.floor(random() * targets.length)] ?? '#lobby';
          const text = `${trial}.${sender}.${count}`;
          const index = sent.push({ to, text, sender, count, acknowledged: undefined }) - 1;
          const { seq, id } = await connection.call('message.send', { to, text, key: text });
          sent[index] = { to, text, sender, count, acknowledged: { seq, id } };
          doom();
        }
      };
      // Each lane ends with the connection, which ends with the server.
      await Promise.allSettled(Array.from({ length: load.window }, lane));
    }),
  );
  await ended(child);
  return sent;
}

/** What the system's own sqlite3 says of a copy of the files as the kill left them; nothing where it is not installed. */
function soundness(data: string, directory: string): string[] {
  const copy = join(directory, 'copy');
  rmSync(copy, { recursive: true, force: true });
  cpSync(data, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  try {
    const file = join(copy, 'chat.db');
    const said = execFileSync('sqlite3', [file, 'PRAGMA integrity_check'], { encoding: 'utf8' }).trim();
    return said === 'ok' ? [] : [`sqlite3 finds the file unsound: ${said}`];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Reads everything of this trial, sends again what had no answer, and reads once more: then all of it stands once. */
async function check(
  port: number,
  token: string,
  ends: Map<string, number>,
  sent: readonly Sent[],
): Promise<string[]> {
  const connection = await open(port, token);
  const broken: string[] = [];
  for (const to of targets)
    broken.push(...brokenPromises(to, ends.get(to) ?? 0, await read(connection, to, ends), sent));
  const settled: Sent[] = [];
  for (const message of sent) {
    const { to, text } = message;
    const { seq, id } = await connection.call('message.send', { to, text, key: text });
    if (message.acknowledged && (message.acknowledged.seq !== seq || message.acknowledged.id !== id)) {
      broken.push(`${to}: ${text} sent again was answered ${seq} instead of ${message.acknowledged.seq}`);
    }
    settled.push({ ...message, acknowledged: { seq, id } });
  }
  for (const to of targets) {
    const found = await read(connection, to, ends);
    const after = ends.get(to) ?? 0;
    // Order is not asked again: what was sent again comes after what was sent later.
    const anyOrder = settled.map((message, index) => ({ ...message, sender: index }));
    broken.push(...brokenPromises(to, after, found, anyOrder));
    ends.set(to, found.at(-1)?.seq ?? after);
  }
  await connection.close();
  return broken;
}

async function read(connection: Connection, to: string, ends: Map<string, number>): Promise<Found[]> {
  const found: Found[] = [];
  for await (const { seq, id, text = '' } of history({
    connection,
    to,
    from: { after: ends.get(to) ?? 0 },
  })) {
    found.push({ seq, id, text });
  }
  return found;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      trials: { type: 'string', default: '300' },
      seed: { type: 'string', default: `${Date.now() % 1e9}` },
    },
  });
  if (!existsSync('dist/chat.mjs')) throw new Error('there is no build: npm run build');
  const seed = Number(values.seed);
  const { trials, acknowledged, broken } = await sigkillCampaign({
    trials: Number(values.trials),
    seed,
    command: [process.execPath, 'dist/chat.mjs', 'serve'],
    onTrial: (trial, count, found) => {
      console.log(`trial ${trial}: ${count} acknowledged, ${found.length} promises broken`);
    },
  });
  for (const sentence of broken.slice(0, 20)) console.log(sentence);
  console.log(
    `sigkill: ${trials} trials, ${acknowledged} messages acknowledged, ${broken.length} failures, seed ${seed}`,
  );
  process.exitCode = broken.length === 0 ? 0 : 1;
}
