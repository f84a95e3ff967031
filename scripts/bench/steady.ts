/**
 * People who use the server at a steady rate while something else happens to it, in a process of their own with an IPC channel:
 * told where by the first message, it answers `true` when all are there, and at the next message with what each call took. A call
 * counts from when it was due, so that a server that stands still is not asked less.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchAccount, call } from './accounts.ts';
import { fastDoors } from './door-table.ts';
import { Wire } from './wire.ts';

/** Where, and as whom. */
export interface SteadyParts {
  readonly port: number;
  /** The bare server of lines that is asked beside it. */
  readonly barePort: number;
  readonly accounts: readonly BenchAccount[];
}

/** What is done steadily, how often a second. */
export const steadyRates = { send: 200, ping: 200, http: 50, login: 20, bare: 200 } as const;

/** What a sample is of: a call of {@link steadyRates}, or a message as a follower saw it. */
export type SteadyKind = keyof typeof steadyRates | 'delivery';

/** One of them: when it was due, in milliseconds since 1970, and how long it took from then. */
export interface Sample {
  readonly kind: SteadyKind;
  readonly dueAt: number;
  readonly ms: number;
}

/** Each round has its own people's process, and its own room. */
const room = `#steady-${process.pid}`;
const followers = 5;
/** Connections of each kind at the start; more are opened when all wait for an answer. */
const lanesAtStart = 5;

const samples: Sample[] = [];
let isOver = false;

function now(): number {
  return performance.timeOrigin + performance.now();
}

function take(kind: SteadyKind, dueAt: number): void {
  samples.push({ kind, dueAt, ms: now() - dueAt });
}

async function loggedIn(port: number, { token }: BenchAccount): Promise<Wire> {
  const wire = await Wire.open(port);
  await call(wire, 'login.resume', { session_token: token });
  return wire;
}

/** Follows the room; each message's text is when it was due. */
async function follow(port: number, account: BenchAccount): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const calls = [
    { method: 'login.resume', params: { session_token: account.token } },
    { method: 'conversation.follow', params: { to: room } },
  ];
  socket.write(calls.map((one, id) => `${JSON.stringify({ jsonrpc: '2.0', id, ...one })}\n`).join(''));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    const lines = (text + chunk.toString()).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const { id, error, method, params } = JSON.parse(line);
      if (error) reject(new Error(line));
      if (id === 1) resolve();
      if (method === 'ping') socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: {} })}\n`);
      if (method === 'message') take('delivery', Number(params.text));
    }
  });
  return promise;
}

/** Takes a turn `perSecond` times a second, each at its time, whether or not those before it have been answered. */
async function keepUp(
  kind: keyof typeof steadyRates,
  open: () => Promise<{ turn(dueAt: number): Promise<unknown> }>,
): Promise<void> {
  const free = await Promise.all(Array.from({ length: lanesAtStart }, open));
  const one = async (dueAt: number): Promise<void> => {
    // In turn: a connection that says nothing at first is closed.
    const lane = free.shift() ?? (await open());
    await lane.turn(dueAt);
    take(kind, dueAt);
    free.push(lane);
  };
  const loop = async (): Promise<void> => {
    const gap = 1_000 / steadyRates[kind];
    for (let dueAt = now() + Math.random() * gap; !isOver; dueAt += gap) {
      const wait = dueAt - now();
      if (wait > 0) await sleep(Math.ceil(wait));
      one(dueAt).catch(fail);
    }
  };
  loop().catch(fail);
}

function fail(error: unknown): void {
  console.error(error);
  process.exit(1);
}

async function begin({ port, barePort, accounts }: SteadyParts): Promise<void> {
  const [first] = accounts;
  const door = fastDoors.find(({ name }) => name === 'line, challenge–response');
  const http = fastDoors.find(({ name }) => name.startsWith('HTTP, GET'));
  if (!first || !door || !http) throw new Error('there is nobody, or no door');
  for (const account of accounts) {
    const wire = await loggedIn(port, account);
    await call(wire, account === first ? 'room.create' : 'room.join', { room });
    wire.close();
  }
  let next = 0;
  const someone = (): BenchAccount => accounts[next++ % accounts.length] ?? first;
  const parts = () => ({
    port,
    from: '127.0.0.1',
    account: someone(),
    open: { username: first.username, password: '' },
  });
  await Promise.all(Array.from({ length: followers }, () => follow(port, someone())));
  await keepUp('send', async () => {
    const wire = await loggedIn(port, someone());
    return { turn: (dueAt) => call(wire, 'message.send', { to: room, text: String(dueAt) }) };
  });
  await keepUp('ping', async () => {
    const wire = await loggedIn(port, someone());
    return { turn: () => call(wire, 'ping', {}) };
  });
  await keepUp('http', () => http.open(parts()));
  await keepUp('login', () => door.open(parts()));
  await keepUp('bare', async () => {
    const wire = await Wire.open(barePort);
    return { turn: () => wire.line('x'.repeat(200)) };
  });
}

process.once('message', (parts: SteadyParts) => {
  begin(parts).then(() => process.send?.(true), fail);
  process.once('message', () => {
    isOver = true;
    process.send?.(samples, () => process.exit(0));
  });
});
process.once('disconnect', () => process.exit(0));
