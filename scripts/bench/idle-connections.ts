import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectClear, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { directories, openCertificates } from '../../src/server/certificates/certificates.ts';
import { type BenchAccount, privateAccounts } from './accounts.ts';
import { type Figure, figureOf } from './figure.ts';
import { built, firstLine, openLab, type Program, type StartedServer } from './lab.ts';
import { ended, scratchDirectory, startScript } from './left-overs.ts';
import { tooManyConnections } from './open-files.ts';
import { inTurn } from './rounds.ts';
import type { Course, Workload } from './workload.ts';

const counts = [1_000, 5_000, 10_000] as const;
/** Opened and closed first: what a process takes once is not the connections'. */
const warmUp = 500;
/** Opened at the same time. */
const lanes = 64;
const accounts = 100;
const transports = ['clear', 'TLS'] as const;
type Transport = (typeof transports)[number];

/** What each number of connections takes, one after the other in the same process. */
interface Run {
  /** Resident memory for each connection, in KB. */
  readonly memory: readonly number[];
  /** Opened a second, until all were there. */
  readonly rate: number;
}

/** Memory of connections that do nothing, and how fast they come, beside bare Node. */
export const idleConnections: Workload = {
  name: 'idle-connections',
  about:
    'memory of idle connections, each logged in and following a room, clear and over TLS, beside bare Node; connects and logins a second',
  run,
};

async function run({ rounds, leaveOut }: Course): Promise<Figure[]> {
  const wanted = counts.filter((count) => {
    const why = tooManyConnections(count);
    if (why !== undefined) leaveOut(`${count.toLocaleString('en')} connections`, why);
    return why === undefined;
  });
  const figures: Figure[] = [];
  for (const transport of transports) {
    const { chat, bare } = await inTurn(rounds, {
      chat: () => ofChat(transport, wanted),
      bare: () => ofBare(transport, wanted),
    });
    const floorName = transport === 'TLS' ? 'bare Node TLS' : 'bare Node sockets';
    for (const [index, count] of wanted.entries()) {
      const at = (runs: readonly Run[]): number[] => runs.map(({ memory }) => memory[index] ?? Number.NaN);
      figures.push(
        figureOf({
          name: `memory of an idle connection, ${transport}, of ${count.toLocaleString('en')}`,
          unit: 'KB',
          values: at(chat),
          floor: { name: floorName, values: at(bare) },
          series: { name: `idle connection, ${transport}`, x: count, of: 'connections' },
          ...(count === counts.at(-1) && { target: targets[transport] }),
        }),
      );
    }
    figures.push(
      figureOf({
        name: `connects with login and follow, ${transport}`,
        unit: '/s',
        values: chat.map(({ rate }) => rate),
        floor: { name: `${floorName} with a line back`, values: bare.map(({ rate }) => rate) },
      }),
    );
  }
  return figures;
}

const targets = {
  clear: { sentence: 'at most 12 KB', judged: 'value', atMost: 12 },
  TLS: { sentence: 'at most 1.2 times bare Node TLS', judged: 'ratio', atMost: 1.2 },
} as const;

async function ofChat(transport: Transport, wanted: readonly number[]): Promise<Run> {
  const lab = await openLab(collectFlags);
  const found = await ofServer(transport, lab, wanted);
  await lab.stop();
  return found;
}

/** Resident memory for each of so many idle connections of a server, clear, in KB; it was started as {@link collectable}. */
export async function idleMemory(
  server: Pick<StartedServer, 'port' | 'pid'>,
  count: number,
): Promise<number> {
  const [memory = Number.NaN] = (await ofServer('clear', server, [count])).memory;
  return memory;
}

/** Opens a server's connections, each logged in for itself and following a room. */
async function ofServer(
  transport: Transport,
  server: Pick<StartedServer, 'port' | 'pid'>,
  wanted: readonly number[],
): Promise<Run> {
  const people = await privateAccounts(server, accounts);
  return measure(server.pid, wanted, async (index) => {
    const socket = await open(transport, server.port, index);
    const { username, hashedPassword } = people[index % accounts] as BenchAccount;
    await ask(socket, 'login.hashed-password', { username, hashed_password: hashedPassword });
    await ask(socket, 'conversation.follow', { to: '#lobby' });
    return socket;
  });
}

async function ofBare(transport: Transport, wanted: readonly number[]): Promise<Run> {
  const isTls = transport === 'TLS';
  const child = isTls
    ? startScript('bare-tls-server.ts', await serverKeys(), collectFlags)
    : startScript('bare-server.ts', [], collectFlags);
  const port = Number((await firstLine(child)).split(' ')[0]);
  const found = await measure(child.pid ?? 0, wanted, async (index) => {
    const socket = await open(transport, port, index);
    await ask(socket, 'nothing', { text: 'x'.repeat(100) });
    return socket;
  });
  await ended(child);
  return found;
}

/** A certificate with its key as the server makes them, in files. */
async function serverKeys(): Promise<string[]> {
  const dataDirectory = scratchDirectory();
  await openCertificates({ dataDirectory, listenHost: '127.0.0.1', files: undefined, now: Date.now() });
  return ['server.crt', 'server.key'].map((name) => join(dataDirectory, directories.server, name));
}

async function measure(
  pid: number,
  wanted: readonly number[],
  connect: (index: number) => Promise<Socket>,
): Promise<Run> {
  const sockets: Socket[] = [];
  const openUpTo = async (count: number): Promise<void> => {
    let next = sockets.length;
    const lane = async (): Promise<void> => {
      while (next < count) sockets.push(await connect(next++));
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  };
  await openUpTo(warmUp);
  for (const socket of sockets.splice(0)) socket.destroy();
  const before = await restingMemory(pid);
  const memory: number[] = [];
  let openedMs = 0;
  for (const count of wanted) {
    const start = performance.now();
    await openUpTo(count);
    openedMs += performance.now() - start;
    memory.push(((await restingMemory(pid)) - before) / sockets.length);
  }
  const gone = sockets.filter(({ readyState }) => readyState !== 'open').length;
  if (gone > 0) throw new Error(`${gone} of ${sockets.length} connections are no longer open`);
  const rate = (sockets.length / openedMs) * 1_000;
  for (const socket of sockets) socket.destroy();
  return { memory, rate };
}

/** Has Node collect what nobody holds when it is told by a signal: what a login has left is no memory of a connection. */
const collectFlags = ['--expose-gc', '--import', `data:text/javascript,process.on('SIGUSR2',()=>gc())`];

/** The built program in such a Node. */
export const collectable: Program = built(collectFlags);

/** The resident memory of a process in KB, when it has come to rest: the least of some seconds. */
async function restingMemory(pid: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 12; i++) {
    process.kill(pid, 'SIGUSR2');
    await new Promise((resolve) => setTimeout(resolve, 250));
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    least = Math.min(least, Number(kilobytes));
  }
  return least;
}

/** From one of some addresses: each has as many ports as the system gives out. */
async function open(transport: Transport, port: number, index: number): Promise<Socket> {
  const localAddress = `127.0.0.${1 + (index % 8)}`;
  const clear = connectClear({ port, host: '127.0.0.1', localAddress, noDelay: true });
  if (transport === 'clear') {
    await once(clear, 'connect');
    return answering(clear);
  }
  // Whose certificate it is, is no matter here.
  const secured = connectTls({ socket: clear, rejectUnauthorized: false });
  await once(secured, 'secureConnect');
  return answering(secured);
}

/** Whoever does not answer a server's pings is taken for gone. */
function answering(socket: Socket): Socket {
  return socket.on('data', (chunk: Buffer) => {
    const [, id] = /"id":"(ping-\d+)"/.exec(chunk.toString('latin1')) ?? [];
    if (id !== undefined) socket.write(`{"jsonrpc":"2.0","id":"${id}","result":{}}\n`);
  });
}

/** Sends one call and waits for its answer, which a ping may come before. */
async function ask(socket: Socket, method: string, params: object): Promise<void> {
  socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 'idle', method, params })}\n`);
  let text = '';
  for (;;) {
    const [chunk] = await once(socket, 'data');
    text += chunk;
    if (text.includes('"error"')) throw new Error(text);
    if (text.includes('"id":"idle"') && text.endsWith('\n')) return;
  }
}
