import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, figureOf, median } from './figure.ts';
import { nativeSqlite, orderedId, syncedWrites } from './floors.ts';
import { type Lab, withLab } from './lab.ts';
import { lineSockets } from './line-socket.ts';
import { cpuMicroseconds } from './processor.ts';
import { answersIn } from './room-senders.ts';
import { inTurn } from './rounds.ts';
import { requests } from './service.ts';
import type { Course, Workload } from './workload.ts';

const defaultSeconds = 2;
/** What the programs compile at first is not counted. */
const warmUpSeconds = 0.5;
const text = 'x'.repeat(100);
/** Every message has a key, as those of our clients have; the server keeps all of them, over all rounds. */
let lastKey = 0;

/** Who sends, and how many messages each keeps unanswered. */
interface Load {
  readonly connections: number;
  readonly window: number;
}

/** What was stored and acknowledged. */
interface Run {
  readonly perSecond: number;
  /** Of the server with all of its threads, in microseconds a message. */
  readonly cpu: number;
}

async function run(lab: Lab, { connections, window }: Load, seconds: number): Promise<Run> {
  const resume = { id: 'login', method: 'login.resume', params: { session_token: lab.token } };
  const lines = await lineSockets(connections, lab.port, { says: requests(resume), until: '"id":"login"' });
  let acknowledged = 0;
  let isOver = false;
  const starts = lines.map((line) => {
    const send = (count: number): void => {
      let sent = '';
      for (let i = 0; i < count; i++) {
        lastKey += 1;
        sent += `{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"to":"#lobby","text":"${text}","key":"${orderedId(lastKey)}"}}\n`;
      }
      line.socket.write(sent);
    };
    line.onBytes = (bytes, length) => {
      const answers = answersIn(line, bytes.subarray(0, length));
      acknowledged += answers;
      if (!isOver && answers > 0) send(answers);
    };
    return () => send(window);
  });
  for (const start of starts) start();
  await sleep(Math.min(warmUpSeconds, seconds) * 1_000);
  const before = { acknowledged, at: performance.now(), cpu: cpuMicroseconds(lab.pid) };
  await sleep(seconds * 1_000);
  const count = acknowledged - before.acknowledged;
  const perSecond = (count / (performance.now() - before.at)) * 1_000;
  const cpu = (cpuMicroseconds(lab.pid) - before.cpu) / count;
  isOver = true;
  for (const line of lines) line.close();
  return { perSecond, cpu };
}

/** Durable sends: one at a time, one connection that pipelines, and a hundred of them. */
export const sends: Workload = {
  name: 'sends',
  about: 'durable sends, beside synced writes and native SQLite',
  run: (course) => withLab((lab) => sendsOf(lab, course)),
};

async function sendsOf(lab: Lab, { rounds, seconds = defaultSeconds }: Course): Promise<Figure[]> {
  const native = (table: 'bare' | 'ours', rowsPerCommit: number) => () =>
    nativeSqlite(lab.directory, { table, rowsPerCommit, seconds });
  const taken = await inTurn(rounds, {
    single: () => run(lab, { connections: 1, window: 1 }, seconds),
    synced: () => syncedWrites(lab.directory, seconds).perSecond,
    bareSingle: native('bare', 1),
    pipelined: () => run(lab, { connections: 1, window: 100 }, seconds),
    bare: native('bare', 100),
    many: () => run(lab, { connections: 100, window: 32 }, seconds),
    ours: native('ours', 100),
    oursGrouped: native('ours', 1_000),
    bareGrouped: native('bare', 1_000),
  });
  const rates = (runs: readonly Run[]) => ({
    unit: '/s',
    values: runs.map(({ perSecond }) => perSecond),
    note: `${median(runs.map(({ cpu }) => cpu)).toFixed(1)} µs of the server's processors each`,
  });
  const bare = { name: 'native SQLite, 100 rows a commit', values: taken.bare };
  const bareGrouped = { name: 'native SQLite, 1,000 rows a commit', values: taken.bareGrouped };
  const ours = { name: 'native SQLite with our columns and indexes, 100 rows a commit', values: taken.ours };
  // As many as wait for a commit of ours, and the same work for each: the fair one.
  const oursGrouped = {
    name: 'native SQLite with our columns and indexes, 1,000 rows a commit',
    values: taken.oursGrouped,
  };
  const many = 'durable sends, 100 connections, 32 pipelined each';
  return [
    figureOf({
      name: 'durable sends, one at a time',
      ...rates(taken.single),
      floor: { name: 'fdatasync', values: taken.synced },
    }),
    figureOf({
      name: 'durable sends, one at a time, beside SQLite',
      ...rates(taken.single),
      floor: { name: 'native SQLite, one row a commit', values: taken.bareSingle },
    }),
    figureOf({
      name: 'durable sends, one connection, 100 pipelined',
      ...rates(taken.pipelined),
      floor: bare,
    }),
    figureOf({
      name: many,
      ...rates(taken.many),
      floor: bare,
      target: { sentence: 'at least 60,000 /s', judged: 'value', atLeast: 60_000 },
    }),
    figureOf({ name: `${many}, beside larger commits`, ...rates(taken.many), floor: bareGrouped }),
    figureOf({
      name: `${many}, beside a table like ours`,
      ...rates(taken.many),
      floor: ours,
    }),
    figureOf({
      name: `${many}, beside a table like ours and larger commits`,
      ...rates(taken.many),
      floor: oursGrouped,
      target: { sentence: 'at least 0.5 × native SQLite', judged: 'ratio', atLeast: 0.5 },
    }),
  ];
}
