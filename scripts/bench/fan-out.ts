import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { cpuMicroseconds, type Figure, firstLine, type Lab, rawLine } from './lab.ts';

interface Run {
  /** Deliveries per second. */
  readonly rate: number;
  /** Server processor time per delivery, microseconds. */
  readonly cpu: number;
}

interface Load {
  readonly receivers: number;
  readonly senders: number;
  readonly window: number;
}

const seconds = 3;
const payload = `~~${'x'.repeat(98)}`;

/**
 * Every receiver gets every message: `senders` keep `window` messages unanswered each. The deliveries of each receiver are
 * counted, and must be the same for all in the end: one missing or doubled delivery fails the run.
 */
async function run(
  { receivers, senders, window }: Load,
  pid: number,
  connectReceiver: () => Promise<Socket>,
  connectSender: () => Promise<Socket>,
  request: (n: number) => string,
): Promise<Run> {
  const followers = await Promise.all(Array.from({ length: receivers }, connectReceiver));
  const counts = new Array<number>(receivers).fill(0);
  for (const [index, socket] of followers.entries()) {
    socket.on('data', (chunk: Buffer) => {
      let count = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count += 1;
      counts[index] = (counts[index] ?? 0) + count;
    });
  }
  const posters = await Promise.all(Array.from({ length: senders }, connectSender));
  let sent = 0;
  let acknowledged = 0;
  let isOver = false;
  const idle = Promise.withResolvers<void>();
  const post = (socket: Socket, count: number): void => {
    let text = '';
    for (let i = 0; i < count; i++) text += request(++sent);
    socket.write(text);
  };
  for (const socket of posters) {
    socket.on('data', (chunk: Buffer) => {
      let answers = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) answers += 1;
      acknowledged += answers;
      if (!isOver) post(socket, answers);
      else if (acknowledged === sent) idle.resolve();
    });
  }
  const total = (): number => counts.reduce((sum, count) => sum + count, 0);
  const cpuBefore = cpuMicroseconds(pid);
  const start = performance.now();
  for (const socket of posters) post(socket, window);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const delivered = total();
  const elapsed = performance.now() - start;
  const cpu = cpuMicroseconds(pid) - cpuBefore;
  isOver = true;
  await Promise.race([idle.promise, new Promise((resolve) => setTimeout(resolve, 10_000))]);
  for (let waited = 0; counts.some((count) => count < sent) && waited < 100; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const socket of [...followers, ...posters]) socket.destroy();
  const wrong = counts.filter((count) => count !== sent).length;
  if (wrong > 0 || acknowledged !== sent) {
    throw new Error(`of ${receivers} receivers ${wrong} did not get exactly ${sent} messages`);
  }
  return { rate: (delivered / elapsed) * 1_000, cpu: cpu / delivered };
}

async function ofChat(lab: Lab, load: Load, room: string): Promise<Run> {
  const setup = await rawLine(lab.port, lab.token);
  await setup.ask({ jsonrpc: '2.0', id: 'room', method: 'room.create', params: { room } }, '"id":"room"');
  setup.socket.destroy();
  return run(
    load,
    lab.pid,
    async () => {
      const line = await rawLine(lab.port, lab.token);
      await line.ask(
        { jsonrpc: '2.0', id: 'follow', method: 'conversation.follow', params: { to: `#${room}` } },
        '"id":"follow"',
      );
      return line.socket;
    },
    async () => (await rawLine(lab.port, lab.token)).socket,
    (n) =>
      `{"jsonrpc":"2.0","id":${n},"method":"message.send","params":{"to":"#${room}","text":"${payload}"}}\n`,
  );
}

/** The floor: a bare Node server that joins what a turn gathered and hands every receiver the same buffer, storing nothing. */
async function ofFloor(load: Load): Promise<Run> {
  const child: ChildProcess = spawn(process.execPath, ['scripts/bench/joined-floor.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const port = Number(await firstLine(child));
    const connect = async (): Promise<Socket> => (await rawLine(port)).socket;
    const receiver = async (): Promise<Socket> => {
      const socket = await connect();
      socket.write('follow\n');
      await once(socket, 'data');
      return socket;
    };
    return await run(load, child.pid ?? 0, receiver, connect, () => `${payload}\n`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Fan-out to 100 and 1,000 followers of one room. */
export async function fanOut(lab: Lab): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const load of [
    { receivers: 100, senders: 4, window: 32 },
    { receivers: 1_000, senders: 4, window: 32 },
  ]) {
    const { receivers, senders, window } = load;
    const floor = await ofFloor(load);
    const chat = await ofChat(lab, load, `r${receivers}-${senders}-${window}`);
    const title = `fan-out R=${receivers} S=${senders} W=${window}`;
    const name = 'bare Node, joined, nothing stored';
    figures.push(
      { name: `${title}, deliveries`, unit: '/s', value: chat.rate, floor: { name, value: floor.rate } },
      {
        name: `${title}, server CPU per delivery`,
        unit: 'µs',
        value: chat.cpu,
        floor: { name, value: floor.cpu },
      },
    );
  }
  return figures;
}
