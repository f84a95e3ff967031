import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, figureOf, median } from './figure.ts';
import { syncedWrites } from './floors.ts';
import { type Lab, withLab } from './lab.ts';
import { tooManyConnections } from './open-files.ts';
import { cpuMicroseconds } from './processor.ts';
import { roomFollowers } from './room-followers.ts';
import { roomSenders } from './room-senders.ts';
import { inTurn } from './rounds.ts';
import { chatRoom, joinedFloorName, type Service, withJoinedFloor } from './service.ts';
import type { Course, Workload } from './workload.ts';

/** Everybody in one room. */
interface Load {
  readonly followers: number;
  readonly senders: number;
  /** Messages that each sender keeps unanswered. */
  readonly window: number;
}

const defaultSeconds = 3;
/** What the programs compile at first is neither's. */
const warmUpSeconds = 0.5;

const loads: readonly Load[] = [
  { followers: 10, senders: 4, window: 32 },
  { followers: 100, senders: 4, window: 4 },
  { followers: 100, senders: 4, window: 32 },
  { followers: 100, senders: 100, window: 1 },
  { followers: 1_000, senders: 4, window: 32 },
  { followers: 10_000, senders: 4, window: 32 },
];
/** The smallest and the largest only show how the cost grows. */
const judgedFollowers = [100, 1_000];

/** What one measurement gave. */
interface Run {
  /** Deliveries per second. */
  readonly rate: number;
  /** Processor time per delivery, in microseconds: of the server with all of its threads, and of the generator. */
  readonly cpu: number;
  readonly generatorCpu: number;
  /** Of a core. */
  readonly generatorShare: number;
}

/** Lets senders talk for a time; every follower must get every message once, in order. */
async function run(service: Service, load: Load, seconds: number): Promise<Run> {
  const followers = await roomFollowers(service, load.followers);
  const senders = await roomSenders(service, load.senders, load.window);
  senders.begin();
  await sleep(Math.min(warmUpSeconds, seconds) * 1_000);
  const before = { deliveries: followers.deliveries(), at: performance.now() };
  const cpuBefore = [cpuMicroseconds(service.pid), cpuMicroseconds(process.pid)] as const;
  await sleep(seconds * 1_000);
  const deliveries = followers.deliveries() - before.deliveries;
  const elapsedMs = performance.now() - before.at;
  const cpu = cpuMicroseconds(service.pid) - cpuBefore[0];
  const generatorCpu = cpuMicroseconds(process.pid) - cpuBefore[1];
  await followers.settled(await senders.stop());
  senders.close();
  followers.close();
  return {
    rate: (deliveries / elapsedMs) * 1_000,
    cpu: cpu / deliveries,
    generatorCpu: generatorCpu / deliveries,
    generatorShare: generatorCpu / elapsedMs / 1_000,
  };
}

/** Fan-out to the followers of one room. */
export const fanOut: Workload = {
  name: 'fan-out',
  about: 'deliveries to 10 to 10,000 followers of a room, beside bare Node that stores nothing and the disk',
  run: (course) => withLab((lab) => fanOutOf(lab, course)),
};

/** As the rows of the table of peers are called. */
function spelled({ followers, senders, window }: Load): string {
  return `R=${followers} S=${senders} W=${window}`;
}

async function fanOutOf(lab: Lab, course: Course): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const load of loads) {
    const problem = tooManyConnections(load.followers + load.senders);
    if (problem === undefined) figures.push(...(await figuresOf(lab, load, course)));
    else course.leaveOut(`fan-out ${spelled(load)}`, problem);
  }
  return figures;
}

async function figuresOf(lab: Lab, load: Load, course: Course): Promise<Figure[]> {
  const { rounds, seconds = defaultSeconds } = course;
  const { followers, senders, window } = load;
  const room = await chatRoom(lab, `r${followers}-s${senders}-w${window}`);
  const taken = await inTurn(rounds, {
    chat: () => run(room, load, seconds),
    floor: () => withJoinedFloor((floor) => run(floor, load, seconds)),
    // Each window waits for its commit.
    bySyncs: () => senders * window * followers * syncedWrites(lab.directory, seconds / 3).perSecond,
  });
  const { chat, floor, bySyncs } = taken;
  const name = `fan-out ${spelled(load)}`;
  const floorRates = floor.map(({ rate }) => rate);
  const bounds = floorRates.map((rate, round) => Math.min(rate, bySyncs[round] ?? 0));
  const isInSeries = senders === 4 && window === 32;
  const share = median(chat.map(({ generatorShare }) => generatorShare)).toFixed(2);
  const rates = { unit: '/s', values: chat.map(({ rate }) => rate) };
  return [
    figureOf({
      name: `${name}: deliveries`,
      ...rates,
      floor: { name: joinedFloorName, values: floorRates },
      ...(isInSeries && { series: { name: 'fan-out: deliveries', x: followers, of: 'followers' } }),
      note: `the generator took ${share} of a core`,
    }),
    figureOf({
      name: `${name}: deliveries, beside what the disk allows`,
      ...rates,
      floor: { name: 'min(bare Node, S·W·R × fdatasync)', values: bounds },
      ...(judgedFollowers.includes(followers) && {
        target: {
          sentence: 'at least 0.7 × min(bare Node, S·W·R × fdatasync)',
          judged: 'ratio',
          atLeast: 0.7,
        },
      }),
    }),
    figureOf({
      name: `${name}: server CPU per delivery`,
      unit: 'µs',
      values: chat.map(({ cpu }) => cpu),
      floor: { name: joinedFloorName, values: floor.map(({ cpu }) => cpu) },
      ...(isInSeries && {
        series: { name: 'fan-out: server CPU per delivery', x: followers, of: 'followers' },
      }),
      ...(followers === 1_000 && {
        target: { sentence: 'at most 0.15 µs', judged: 'value', atMost: 0.15 },
      }),
    }),
  ];
}
