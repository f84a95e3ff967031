import { uuidV7 } from '../../src/core/random.ts';
import { type Figure, figureOf } from './figure.ts';
import {
  benchToken,
  copyOf,
  deepRoom,
  type Filled,
  filledIn,
  inWideRoom,
  keptIn,
  sizes,
  targetSize,
  wideRoom,
  wideRooms,
} from './filled.ts';
import { rawLine, startServer } from './lab.ts';
import { scratchDirectory } from './left-overs.ts';
import { cpuMicroseconds } from './processor.ts';
import { inTurn } from './rounds.ts';
import type { Course, Workload } from './workload.ts';

/** Sends of one measurement, on so many connections with so many unanswered each. */
const load = { sends: 20_000, connections: 16, window: 64 } as const;
const warmUp = { ...load, sends: 4_000 } as const;
const payload = 'x'.repeat(100);

interface Run {
  /** Acknowledged per second. */
  readonly rate: number;
  /** Processor time for each, with what the server does for it later: checkpoints, and the index of words. */
  readonly cpu: number;
}
type Runs = Readonly<Record<keyof typeof patterns, Run>>;

/** Where the messages go. */
const patterns = {
  deep: { title: 'to one room', roomOf: () => deepRoom, stored: (messages: number) => messages },
  wide: {
    title: 'to 1,000 rooms',
    roomOf: (send: number) => wideRoom(send % wideRooms),
    stored: (messages: number) => inWideRoom(messages) * wideRooms,
  },
} as const;

/** What a send costs by how much is stored, beside the same with a thousand messages stored. */
export const sendsBySize: Workload = {
  name: 'sends-by-size',
  about: 'durable sends by how many messages are stored, to one room and to 1,000, beside a thousand stored',
  run,
};

async function run(course: Course): Promise<Figure[]> {
  const directory = keptIn ?? scratchDirectory();
  const places: Filled[] = [];
  for (const messages of sizes(course)) places.push(await filledIn(directory, messages));
  const taken = await inTurn(
    course.rounds,
    Object.fromEntries(places.map((place) => [place.messages, () => measure(copyOf(place))])),
  );
  const [least = Number.NaN] = places.map(({ messages }) => messages);
  return (['deep', 'wide'] as const).flatMap((pattern) => {
    const { title, stored } = patterns[pattern];
    return places.flatMap(({ messages }) => {
      const of = (size: number, what: keyof Run): number[] =>
        (taken[size] ?? []).map((runs) => runs[pattern][what]);
      const x = stored(messages);
      const storedThere = x.toLocaleString('en');
      const floor = (what: keyof Run) => ({
        name: `with ${stored(least).toLocaleString('en')} there`,
        values: of(least, what),
      });
      const isJudged = messages === targetSize;
      return [
        figureOf({
          name: `durable sends ${title}, ${storedThere} there`,
          unit: '/s',
          values: of(messages, 'rate'),
          floor: floor('rate'),
          series: { name: `sends ${title}`, x, of: 'messages stored there' },
          ...(isJudged && {
            target: { sentence: 'a send takes at most 1.2 times as long', judged: 'ratio', atLeast: 1 / 1.2 },
          }),
        }),
        figureOf({
          name: `server CPU per send ${title}, ${storedThere} there`,
          unit: 'µs',
          values: of(messages, 'cpu'),
          floor: floor('cpu'),
          series: { name: `CPU per send ${title}`, x, of: 'messages stored there' },
          ...(isJudged && { target: { sentence: 'at most 1.2 times', judged: 'ratio', atMost: 1.2 } }),
        }),
      ];
    });
  });
}

/** On a server that has just started, as each of the others has. */
async function measure({ data }: Filled): Promise<Runs> {
  const server = await startServer(data);
  const token = await benchToken(server.port);
  const timed = async (pattern: keyof typeof patterns, { sends }: { sends: number } = load): Promise<Run> => {
    const before = cpuMicroseconds(server.pid);
    const seconds = await sendAll(server.port, token, sends, patterns[pattern].roomOf);
    await settled(server.pid);
    return { rate: sends / seconds, cpu: (cpuMicroseconds(server.pid) - before) / sends };
  };
  await timed('deep', warmUp);
  const deep = await timed('deep');
  await timed('wide', warmUp);
  const runs = { deep, wide: await timed('wide') };
  await server.stop();
  return runs;
}

/** Sends so many messages under keys like those of our clients; answers how many seconds it took until the last was acknowledged. */
async function sendAll(
  port: number,
  token: string,
  sends: number,
  roomOf: (send: number) => string,
): Promise<number> {
  const lines = await Promise.all(Array.from({ length: load.connections }, () => rawLine(port, token)));
  let sent = 0;
  let acknowledged = 0;
  const { promise: all, resolve, reject } = Promise.withResolvers<void>();
  const senders = lines.map(({ socket }) => {
    const send = (count: number): void => {
      let text = '';
      for (let i = 0; i < count && sent < sends; i++, sent++) {
        text += `{"jsonrpc":"2.0","id":${sent},"method":"message.send","params":{"to":"#${roomOf(sent)}","text":"${payload}","key":"${uuidV7()}"}}\n`;
      }
      if (text !== '') socket.write(text);
    };
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('"error"')) reject(new Error(`a send was refused: ${chunk}`));
      let answers = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) answers += 1;
      acknowledged += answers;
      if (acknowledged >= sends) resolve();
      else send(answers);
    });
    return () => send(load.window);
  });
  const start = performance.now();
  for (const begin of senders) begin();
  await all;
  const seconds = (performance.now() - start) / 1_000;
  for (const { socket } of lines) socket.destroy();
  return seconds;
}

/** Waits until the server has done what it does after its answers: until it has used no time for a while. */
async function settled(pid: number): Promise<void> {
  let quiet = 0;
  for (let before = cpuMicroseconds(pid), tries = 0; quiet < 4 && tries < 300; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const now = cpuMicroseconds(pid);
    quiet = now - before <= 10_000 ? quiet + 1 : 0;
    before = now;
  }
}
