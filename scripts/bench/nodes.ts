import { privateAccounts } from './accounts.ts';
import {
  type ClusterLab,
  openCluster,
  openEmbedded,
  openStores,
  type Stores,
  storesMissing,
} from './cluster-lab.ts';
import { type Figure, figureOf, median } from './figure.ts';
import { collectable, idleMemory } from './idle-connections.ts';
import {
  acrossNodes,
  afterwards,
  connected,
  fanOut,
  hearing,
  idle,
  type Load,
  logins,
  sends,
} from './nodes-load.ts';
import { labelOf, names } from './nodes-names.ts';
import { type Latency, lateness } from './open-loop.ts';
import { inTurn } from './rounds.ts';
import { bareInserts, barePublishes, bareUpdates, type Floor } from './store-floors.ts';
import { shortNumber } from './table.ts';
import type { Course, Workload } from './workload.ts';

const defaultSeconds = 3;
const senders = 96;
const manyRooms = 96;
const followers = 100;
/** Messages a second of the open loop: what delivery takes when nobody waits for a processor. */
const calm = { senders: 4, perSecond: 100, followers: 10 } as const;
const loginCount = 512;
const followedRooms = 1_000;
const openSessions = 1_000;
/** What nodes ask again and again, each 2.5 and 3 s, comes thrice in it. */
const idleSeconds = 7.5;
const idleCount = 2_000;

/** What one cluster, or the embedded server, gave in one round. */
interface Run {
  readonly manyRooms: Load;
  /** For each of those messages, in microseconds. */
  readonly index: { readonly nodes: number; readonly postgres: number };
  /** Of one node, in microseconds; undefined of one that is alone. */
  readonly hearing: number | undefined;
  readonly oneRoom: Load;
  readonly fanOut: Load;
  readonly latency: Latency;
  readonly logins: Load;
  readonly idle: Load;
  readonly following: Load;
  readonly connected: Load;
}

/** Several nodes over PostgreSQL and Redis, beside one embedded server. */
export const nodes: Workload = {
  name: 'nodes',
  about:
    'one, two and three nodes over PostgreSQL and Redis beside the embedded server: sends, deliveries from node to node, logins, and what each costs which part',
  run,
};

async function run(course: Course): Promise<Figure[]> {
  const missing = storesMissing();
  if (missing !== undefined) {
    course.leaveOut('nodes over PostgreSQL and Redis', missing);
    return [];
  }
  const stores = await openStores();
  try {
    return await nodesOf(stores, course);
  } finally {
    await stores.close();
  }
}

async function nodesOf(stores: Stores, { rounds, seconds = defaultSeconds }: Course): Promise<Figure[]> {
  const cluster = (count: number) => async () => measured(await openCluster(stores, count), seconds);
  const taken = await inTurn(rounds, {
    embedded: async () => measured(await openEmbedded(), seconds),
    one: cluster(1),
    inserts: () => bareInserts(stores, { lanes: 4, rowsPerCommit: 100, seconds }),
    two: cluster(2),
    publishes: () => barePublishes(stores, { subscribers: 3, seconds }),
    updates: () => bareUpdates(stores, { lanes: 8, seconds }),
    three: cluster(3),
    memory: () => memory(stores),
  });
  const floors: Floors = {
    embedded: taken.embedded,
    inserts: taken.inserts,
    updates: taken.updates,
    publishes: taken.publishes,
  };
  const clusters = [taken.one, taken.two, taken.three] as const;
  return [
    ...figuresOf(0, taken.embedded, floors),
    ...clusters.flatMap((runs, index) => figuresOf(index + 1, runs, floors)),
    figureOf({
      name: `${labelOf(1)}: ${names.memory}`,
      unit: 'KB',
      values: taken.memory,
    }),
  ];
}

/** Loads a cluster in one way after the other, and ends it. */
async function measured(lab: ClusterLab, seconds: number): Promise<Run> {
  const [node] = lab.nodes;
  if (!node) throw new Error('a cluster has a node');
  const accounts = await privateAccounts(node, 64);
  // First what nobody asks for: after everything else there are things left to do.
  const isCluster = (await lab.traffic()) !== undefined;
  const nothing = await idle(lab, 0, idleSeconds);
  const following = isCluster ? await idle(lab, followedRooms, idleSeconds) : nothing;
  const open = isCluster ? await connected(lab, accounts, openSessions, idleSeconds) : nothing;
  const { sender, crowds } = await acrossNodes(lab);
  const latency = await lateness({ sender, crowds, ...calm }, seconds);
  const loggedIn = await logins(lab, accounts, loginCount);
  const many = await sends(lab, { connections: senders, rooms: manyRooms }, seconds);
  const later = await afterwards(lab);
  const one = await sends(lab, { connections: senders, rooms: 1 }, seconds);
  const delivered = await fanOut(lab, followers, seconds);
  const heard = lab.nodes.length > 1 ? await hearing(lab, seconds) : undefined;
  await lab.stop();
  return {
    idle: nothing,
    manyRooms: many,
    index: {
      nodes: later.nodes / (many.acknowledged ?? Number.NaN),
      postgres: later.postgres / (many.acknowledged ?? Number.NaN),
    },
    hearing: heard,
    oneRoom: one,
    fanOut: delivered,
    latency,
    logins: loggedIn,
    following,
    connected: open,
  };
}

async function memory(stores: Stores): Promise<number> {
  const lab = await openCluster(stores, 1, collectable);
  const [node] = lab.nodes;
  if (!node) throw new Error('a cluster has a node');
  const found = await idleMemory(node, idleCount);
  await lab.stop();
  return found;
}

/** What the clusters' figures stand beside, round for round. */
interface Floors {
  readonly embedded: readonly Run[];
  readonly inserts: readonly Floor[];
  readonly updates: readonly Floor[];
  readonly publishes: readonly Floor[];
}

/** The figures of a cluster of so many nodes; 0 is the embedded server, which stands beside nothing. */
function figuresOf(
  count: number,
  runs: readonly Run[],
  { embedded, inserts, updates, publishes }: Floors,
): Figure[] {
  const label = labelOf(count);
  const ofEmbedded = (value: (run: Run) => number) =>
    count === 0 ? {} : { floor: { name: 'the embedded server', values: embedded.map(value) } };
  const figure = (
    what: string,
    unit: string,
    value: (run: Run) => number,
    more: Partial<Parameters<typeof figureOf>[0]> = ofEmbedded(value),
  ): Figure => figureOf({ name: `${label}: ${what}`, unit, values: runs.map(value), ...more });
  const byNodes = (name: string) =>
    count === 0 ? {} : { series: { name: `nodes: ${name}`, x: count, of: 'nodes' } };
  const besideInserts = (values: readonly number[]) => ({
    floor: { name: 'pg alone, 4 × 100 rows a commit', values },
  });
  const traffic = (value: (load: Load) => number | undefined, of: (run: Run) => Load): string =>
    shortNumber(median(runs.map((one) => value(of(one)) ?? Number.NaN)));
  const many = (one: Run): Load => one.manyRooms;
  const manyNote = `each ${traffic((load) => load.each?.commits, many)} commits, ${traffic((load) => load.each?.walBytes, many)} bytes of WAL, ${traffic((load) => load.each?.redisCommands, many)} commands and ${traffic((load) => load.each?.redisBytes, many)} bytes of Redis`;
  return [
    figure(names.sends, '/s', (one) => one.manyRooms.perSecond, {
      ...(count === 0 ? {} : { ...besideInserts(inserts.map(({ perSecond }) => perSecond)), note: manyNote }),
      ...byNodes('durable sends'),
    }),
    figure(names.sendNodes, 'µs', (one) => one.manyRooms.cpu.nodes),
    ...(count === 0
      ? []
      : [
          figure(
            names.sendPostgres,
            'µs',
            (one) => one.manyRooms.cpu.postgres,
            besideInserts(inserts.map(({ cpu }) => cpu)),
          ),
          figure(names.sendRedis, 'µs', (one) => one.manyRooms.cpu.redis, {}),
          figure(names.sendWal, 'bytes', (one) => one.manyRooms.each?.walBytes ?? Number.NaN, {}),
          figure(names.indexNodes, 'µs', (one) => one.index.nodes, {}),
          figure(names.indexPostgres, 'µs', (one) => one.index.postgres, {}),
        ]),
    ...(count < 2 ? [] : [figure(names.hearNode, 'µs', (one) => one.hearing ?? Number.NaN, {})]),
    figure(names.oneRoom, '/s', (one) => one.oneRoom.perSecond, {
      ...(count === 0 ? {} : besideInserts(inserts.map(({ perSecond }) => perSecond))),
      ...refusedNote(runs.map((one) => one.oneRoom)),
    }),
    figure(names.deliveries, '/s', (one) => one.fanOut.perSecond, {
      ...ofEmbedded((one) => one.fanOut.perSecond),
      ...byNodes('deliveries from node to node'),
    }),
    figure(names.deliveryNodes, 'µs', (one) => one.fanOut.cpu.nodes),
    ...(count === 0 ? [] : [figure(names.deliveryRedis, 'µs', (one) => one.fanOut.cpu.redis, {})]),
    figure(names.p50, 'ms', (one) => one.latency.p50),
    figure(names.p99, 'ms', (one) => one.latency.p99),
    figure(names.logins, '/s', (one) => one.logins.perSecond),
    figure(names.loginNodes, 'µs', (one) => one.logins.cpu.nodes),
    ...(count === 0
      ? []
      : [
          figure(names.loginPostgres, 'µs', (one) => one.logins.cpu.postgres, {}),
          figure(names.loginRedis, 'µs', (one) => one.logins.cpu.redis, {}),
        ]),
    // Per second of the clock: what nobody has asked for.
    figure(names.idleNode, 'µs', (one) => one.idle.cpu.nodes / Math.max(1, count)),
    ...(count === 0
      ? []
      : [
          figure(names.idlePostgres, 'µs', (one) => one.idle.cpu.postgres / count, {}),
          figure(names.followedNode, 'µs', (one) => followed(one, (cpu) => cpu.nodes), {}),
          figure(names.sessionNode, 'µs', (one) => perSession(one, (cpu) => cpu.nodes), {}),
          figure(names.sessionPostgres, 'µs', (one) => perSession(one, (cpu) => cpu.postgres), {}),
          figure(names.followedPostgres, 'µs', (one) => followed(one, (cpu) => cpu.postgres), {}),
        ]),
    ...(count === 3
      ? [
          alone(names.update, '/s', updates, 'perSecond'),
          alone(names.updatePostgres, 'µs', updates, 'cpu'),
          alone(names.publish, '/s', publishes, 'perSecond'),
          alone(names.publishRedis, 'µs', publishes, 'cpu'),
        ]
      : []),
  ];
}

/** What was refused for want of a turn, where anything was. */
function refusedNote(loads: readonly Load[]): { note?: string } {
  const refused = loads.reduce((sum, load) => sum + (load.refused ?? 0), 0);
  return refused === 0 ? {} : { note: `${refused} were unavailable and sent anew` };
}

/** A store without chat, in the rounds of the largest cluster. */
function alone(what: string, unit: string, floors: readonly Floor[], key: keyof Floor): Figure {
  return figureOf({ name: `${labelOf(3)}: ${what}`, unit, values: floors.map((one) => one[key]) });
}

/** What one open session more costs, per second of the clock. */
function perSession({ idle: nothing, connected: open }: Run, part: (cpu: Load['cpu']) => number): number {
  return (part(open.cpu) - part(nothing.cpu)) / openSessions;
}

/** What one followed room more costs, per second of the clock. */
function followed({ idle: nothing, following }: Run, part: (cpu: Load['cpu']) => number): number {
  return (part(following.cpu) - part(nothing.cpu)) / followedRooms;
}
