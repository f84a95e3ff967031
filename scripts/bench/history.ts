import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { databaseName } from '../../src/server/store/sqlite/database-name.ts';
import { type Figure, figureOf } from './figure.ts';
import { benchToken, deepRoom, type Filled, filledIn, keptIn, sizes } from './filled.ts';
import { rawLine, startServer } from './lab.ts';
import { scratchDirectory } from './left-overs.ts';
import { inTurn } from './rounds.ts';
import type { Course, Workload } from './workload.ts';

const pageRows = 100;
const pages = 300;
/** Pages that are asked for at the same time. */
const window = 4;
/** Of a larger room the first ones are read. */
const mostRead = 1_000_000;

/** Where pages are read, by a share of the room. */
const places = { beginning: 0, middle: 0.5, end: 1 } as const;
type Place = keyof typeof places;

/** Pages a second at each place, and messages a second from the first to the last. */
type Run = Readonly<Record<Place | 'whole', number>>;

/** Reading what is stored, by how much of it there is. */
export const history: Workload = {
  name: 'history',
  about:
    'pages of a room and a whole room by how many messages it has, beside native SQLite that reads the same rows',
  run,
};

async function run(course: Course): Promise<Figure[]> {
  const directory = keptIn ?? scratchDirectory();
  const filled: Filled[] = [];
  for (const messages of sizes(course)) filled.push(await filledIn(directory, messages));
  const taken = await inTurn(
    course.rounds,
    Object.fromEntries(
      filled.flatMap(({ messages, data }) => [
        [`chat ${messages}`, () => ofChat(data, messages)],
        [`native ${messages}`, async () => ofNative(data, messages)],
      ]),
    ),
  );
  return ([...(Object.keys(places) as Place[]), 'whole'] as const).flatMap((what) =>
    filled.map(({ messages }) => {
      const values = (of: string): number[] => (taken[`${of} ${messages}`] ?? []).map((one) => one[what]);
      const isWhole = what === 'whole';
      const count = messages.toLocaleString('en');
      return figureOf({
        name: isWhole
          ? `a room followed from its first message, of ${count}`
          : `pages of 100 at the ${what} of ${count}`,
        unit: '/s',
        values: values('chat'),
        floor: { name: 'native SQLite', values: values('native') },
        series: {
          name: isWhole ? 'messages of a whole room' : `pages at the ${what}`,
          x: messages,
          of: 'messages in the room',
        },
        ...(isWhole && messages > mostRead && { note: `the first ${mostRead.toLocaleString('en')} of them` }),
      });
    }),
  );
}

/** Pages beside one another around a place, each read once where there are as many. */
function* afters(place: Place, messages: number): Generator<number> {
  const last = Math.max(0, messages - pages * pageRows);
  const first = Math.floor(last * places[place]);
  for (let page = 0; page < pages; page++) yield (first + page * pageRows) % messages;
}

async function ofChat(data: string, messages: number): Promise<Run> {
  const server = await startServer(data);
  const token = await benchToken(server.port);
  // What is compiled at the first pages is compiled for all.
  await pagesPerSecond(server.port, token, afters('beginning', messages));
  const run = {
    beginning: await pagesPerSecond(server.port, token, afters('beginning', messages)),
    middle: await pagesPerSecond(server.port, token, afters('middle', messages)),
    end: await pagesPerSecond(server.port, token, afters('end', messages)),
    whole: await wholeRoom(server.port, token, Math.min(messages, mostRead)),
  };
  await server.stop();
  return run;
}

async function pagesPerSecond(port: number, token: string, places: Iterator<number>): Promise<number> {
  const { socket } = await rawLine(port, token);
  const { promise: all, resolve, reject } = Promise.withResolvers<void>();
  let answered = 0;
  const ask = (): void => {
    const { done, value: after } = places.next();
    if (done) return;
    const params = { to: `#${deepRoom}`, after, limit: pageRows };
    socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 'page', method: 'message.history', params })}\n`);
  };
  socket.on('data', (chunk: Buffer) => {
    if (chunk.includes('"error":')) reject(new Error(`${chunk}`));
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
      answered += 1;
      ask();
    }
    if (answered === pages) resolve();
  });
  const start = performance.now();
  for (let i = 0; i < window; i++) ask();
  await all;
  const rate = (pages / (performance.now() - start)) * 1_000;
  socket.destroy();
  return rate;
}

/** As `chat tail --from 0` reads: a stream from before the first message. */
async function wholeRoom(port: number, token: string, messages: number): Promise<number> {
  const { socket } = await rawLine(port, token);
  const { promise: all, resolve } = Promise.withResolvers<void>();
  // The answer is a line too.
  let missing = messages + 1;
  socket.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) missing -= 1;
    if (missing <= 0) resolve();
  });
  const start = performance.now();
  const params = { to: `#${deepRoom}`, after: 0 };
  socket.write(
    `${JSON.stringify({ jsonrpc: '2.0', id: 'follow', method: 'conversation.follow', params })}\n`,
  );
  await all;
  const rate = (messages / (performance.now() - start)) * 1_000;
  socket.destroy();
  return rate;
}

/** The same rows in the same pages, each made a text as an answer is. The server has ended. */
function ofNative(data: string, messages: number): Run {
  const db = new DatabaseSync(join(data, databaseName));
  const id = Number(db.prepare('SELECT id FROM conversations WHERE room = ?').get(deepRoom)?.id);
  const page = db.prepare(
    'SELECT seq, messages.id, username, sent_at, body, envelope FROM messages JOIN users ON users.id = sender_id WHERE conversation_id = ? AND seq > ? ORDER BY seq LIMIT ?',
  );
  const perSecond = (places: Iterable<number>, of: number): number => {
    const start = performance.now();
    for (const after of places) JSON.stringify(page.all(id, after, pageRows));
    return (of / (performance.now() - start)) * 1_000;
  };
  perSecond(afters('beginning', messages), pages);
  const read = Math.min(messages, mostRead);
  const all = Array.from({ length: Math.ceil(read / pageRows) }, (_, index) => index * pageRows);
  const run = {
    beginning: perSecond(afters('beginning', messages), pages),
    middle: perSecond(afters('middle', messages), pages),
    end: perSecond(afters('end', messages), pages),
    whole: perSecond(all, read),
  };
  db.close();
  return run;
}
