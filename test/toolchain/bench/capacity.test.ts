import { describe, expect, it } from 'vitest';
import {
  type Costs,
  costsOf,
  demandOf,
  fullAt,
  type Habits,
  type Machines,
  parts,
} from '../../../scripts/bench/capacity.ts';
import { type Figure, figureOf } from '../../../scripts/bench/figure.ts';
import { labelOf, names } from '../../../scripts/bench/nodes-names.ts';
import { capacitySection } from '../../../scripts/bench/plots/capacity-section.ts';

const costs: Costs = {
  sendNode: 100,
  hearNode: 10,
  sendPostgres: 50,
  indexNode: 1,
  indexPostgres: 1,
  walBytes: 500,
  deliveryNode: 1,
  loginNode: 400,
  loginPostgres: 300,
  redisMessage: 2,
  idlePostgres: 1_000,
  touchPostgres: 20,
  sessionNode: 0,
  sessionPostgres: 0,
  followedNode: 0,
  followedPostgres: 0,
  connection: 50,
  oneRoom: 5_000,
};
const who: Habits = {
  messagesPerHour: 36,
  followersPerMessage: 10,
  loginsPerHour: 3.6,
  followed: 10,
  connectedPerConversation: 20,
};
const on: Machines = {
  busy: 0.5,
  postgresCores: 16,
  walBytesPerSecond: 1e8,
  nodeMemory: 1e6,
  nodeConnections: 1_000_000,
};

describe('the model of what a cluster costs', () => {
  it('reckons each part from what people do', () => {
    // 100,000 users: 1,000 messages, 10,000 deliveries and 100 logins a second.
    const demand = demandOf(100_000, costs, who, on);
    expect(demand).toMatchObject({ messages: 1_000, deliveries: 10_000, logins: 100 });
    // 0.09 + 0.01 + 0.04 of a thread shared, and 0.01 on each: one node; its memory asks for five.
    expect(demand).toMatchObject({ nodes: 5, nodesBy: 'memory', memory: 5e6, walBytes: 500_000 });
    expect(demand.hearing).toBeCloseTo(0.01);
    expect(demand.postgres).toMatchObject({ sessions: 0, heads: 0 });
    expect(demand.postgres.all).toBeCloseTo(0.05 + 0.02 + 0.03 + 0.005);
    expect(demand.redis).toBeCloseTo(0.002 * 6);
  });

  it('has no number of nodes that is enough once hearing of everything fills each of them', () => {
    // 50,000 messages a second at 10 µs are half a thread, whatever the others do.
    const at = (users: number) => demandOf(users, costs, who, { ...on, nodeMemory: 1e12 });
    expect(at(4_000_000)).toMatchObject({ nodesBy: 'processors' });
    expect(Number.isFinite(at(4_000_000).nodes)).toBe(true);
    expect(at(5_000_000).nodes).toBe(Number.POSITIVE_INFINITY);
  });

  it('asks PostgreSQL for followed conversations once for every node that has a follower', () => {
    const asking = { ...costs, followedPostgres: 1 };
    const people = { ...who, followed: 1, connectedPerConversation: 1 };
    // Of one member each, a conversation is on one node alone.
    const demand = demandOf(100_000, asking, people, on);
    expect(demand.followedPerNode * demand.nodes).toBeCloseTo(100_000);
    expect(demand.postgres.heads).toBeCloseTo(0.1);
    expect(demand.postgres.all).toBeCloseTo(0.105 + 0.1);
    // Of very many, it is on each.
    const crowds = demandOf(100_000, asking, { ...people, connectedPerConversation: 1_000 }, on);
    expect(crowds.followedPerNode).toBeCloseTo(100);
  });

  it('counts the words of a message where they are put into the index', () => {
    const indexing = { ...costs, indexNode: 100, indexPostgres: 200 };
    // 1,000 messages a second.
    const [without, demand] = [costs, indexing].map((one) => demandOf(100_000, one, who, on));
    expect(demand?.indexing).toBeCloseTo(0.3);
    expect((demand?.postgres.messages ?? 0) - (without?.postgres.messages ?? 0)).toBeCloseTo(0.2);
    // 2 for messages, 0.1 for deliveries and 0.4 for logins, of threads that may be half busy.
    const many = demandOf(1_000_000, { ...indexing, hearNode: 0 }, who, { ...on, nodeMemory: 1e12 });
    expect(many.nodes).toBe(5);
  });

  it('asks for every open session, and notes the use of one once a minute at most', () => {
    const asking = { ...costs, sessionNode: 1, sessionPostgres: 2 };
    expect(demandOf(100_000, asking, who, on).postgres.sessions).toBeCloseTo(0.2);
    // 3,600 messages an hour are one a second: of sixty one is noted.
    const busy = demandOf(600, costs, { ...who, messagesPerHour: 3_600 }, on);
    expect(busy.postgres.touches).toBeCloseTo((10 * 20) / 1e6);
    // A thread is busy with half a second: of 1 µs for each of a million sessions two are full.
    const idle = { ...asking, sendNode: 10, deliveryNode: 0, loginNode: 0, hearNode: 0 };
    expect(demandOf(1_000_000, idle, { ...who, messagesPerHour: 0 }, { ...on, nodeMemory: 1e12 }).nodes).toBe(
      2,
    );
  });

  it.each(parts)('finds where $name is full, and it is not before', (part) => {
    const users = fullAt(part, costs);
    expect(part.full(demandOf(users, costs))).toBeLessThanOrEqual(1);
    expect(part.full(demandOf(users * 1.02, costs))).toBeGreaterThan(1);
  });

  it('finds nothing full that costs nothing', () => {
    const free = { ...costs, hearNode: 0 };
    expect(
      parts.map((part) => fullAt(part, free)).filter((users) => users === Number.POSITIVE_INFINITY),
    ).toHaveLength(1);
  });
});

const figure = (name: string, value: number): Figure => figureOf({ name, unit: '', values: [value] });
const kept: Figure[] = [
  ...[1, 3].flatMap((nodes) =>
    Object.values(names).map((name, index) => figure(`${labelOf(nodes)}: ${name}`, nodes * 100 + index)),
  ),
  figure('memory of an idle connection, clear, of 10,000', 8),
  figure('memory of an idle connection, TLS, of 10,000', 68),
];

describe('what the model is made from', () => {
  it('are the figures of the kept runs, by their names', () => {
    const read = costsOf(kept);
    const place = (name: keyof typeof names): number => Object.keys(names).indexOf(name);
    expect(read).toMatchObject({
      sendNode: 100 + place('sendNodes'),
      hearNode: 300 + place('hearNode'),
      indexNode: 300 + place('indexNodes'),
      indexPostgres: 300 + place('indexPostgres'),
      sendPostgres: 300 + place('sendPostgres'),
      connection: 100 + place('memory') + 60,
      redisMessage: (300 + place('publishRedis')) / 4,
    });
  });

  it('is nothing while one of them is missing', () => {
    for (const one of kept) {
      const rest = kept.filter((other) => other !== one);
      const isNeeded = costsOf(rest) === undefined;
      expect(isNeeded || JSON.stringify(costsOf(rest)) === JSON.stringify(costsOf(kept)), one.name).toBe(
        true,
      );
    }
    expect(costsOf([])).toBeUndefined();
    expect(costsOf(kept.slice(0, -1))).toBeUndefined();
    expect(capacitySection([])).toBe('');
  });

  it('is shown as costs, sizes, and parts in the order in which they are full', () => {
    const run = {
      machine: { cores: 2, processor: '', memoryBytes: 0, node: '', kernel: '', date: '2026-01-01' },
      rounds: 1,
    };
    const text = capacitySection([{ name: 'nodes', figures: kept, leftOut: [], run }]);
    const full = [...text.matchAll(/^\| [^|]+ \| ([\d,]+) users \|/gm)].map(([, users = '']) =>
      Number(users.replaceAll(',', '')),
    );
    expect(full.length).toBeGreaterThan(2);
    expect(full).toEqual(full.toSorted((a, b) => a - b));
    for (const part of parts) expect(text).toContain(part.remedy);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});
