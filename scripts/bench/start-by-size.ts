import { join } from 'node:path';
import { type Figure, figureOf } from './figure.ts';
import { type Filled, filledIn, keptIn, sizes, targetSize } from './filled.ts';
import { startServer } from './lab.ts';
import { scratchDirectory } from './left-overs.ts';
import { inTurn } from './rounds.ts';
import type { Course, Workload } from './workload.ts';

/** The time of a start, beside one with an empty database. */
export const startBySize: Workload = {
  name: 'start-by-size',
  about: 'the start of a server by the size of its database, beside one with an empty database',
  run,
};

async function run(course: Course): Promise<Figure[]> {
  const directory = keptIn ?? scratchDirectory();
  const empty = join(scratchDirectory(), 'data');
  const places: Filled[] = [];
  for (const messages of sizes(course)) places.push(await filledIn(directory, messages));
  // The first start makes the keys, and later ones find the files in the system's cache.
  for (const data of [empty, ...places.map((place) => place.data)]) await startOn(data);
  const taken = await inTurn(
    course.rounds,
    Object.fromEntries(
      [empty, ...places.map((place) => place.data)].map((data) => [data, () => startOn(data)]),
    ),
  );
  const floor = { name: 'with an empty database', values: taken[empty] ?? [] };
  return places.map(({ messages, data, bytes }) => {
    const megabytes = Math.round(bytes / 1e6);
    return figureOf({
      name: `start with ${messages.toLocaleString('en')} messages, ${megabytes.toLocaleString('en')} MB`,
      unit: 'ms',
      values: taken[data] ?? [],
      floor,
      series: { name: 'start', x: megabytes, of: 'MB of database' },
      ...(messages === targetSize && {
        target: { sentence: 'at most 1.2 times an empty one', judged: 'ratio', atMost: 1.2 },
      }),
    });
  });
}

async function startOn(data: string): Promise<number> {
  const server = await startServer(data);
  await server.stop();
  return server.readyMs;
}
