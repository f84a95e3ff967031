import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Figure, figureOf, median, percentile } from './figure.ts';
import { type Syncs, syncedWrites } from './floors.ts';
import { type Lab, withLab } from './lab.ts';
import { ended, needed } from './left-overs.ts';
import { clockMs } from './open-loop-clock.ts';
import type { SenderParts } from './open-loop-sender.ts';
import { cpuMicroseconds } from './processor.ts';
import { roomFollowers } from './room-followers.ts';
import { inTurn } from './rounds.ts';
import { chatRoom, joinedFloorName, type Service, withJoinedFloor } from './service.ts';
import { shortNumber } from './table.ts';
import type { Course, Workload } from './workload.ts';

const followers = 100;
const senders = 4;
const perSecond = 2_000;
const defaultSeconds = 5;
/** What the programs compile at first is not counted. */
const warmUpSeconds = 1;
/** From when the sender is told until the first message is due. */
const leadMs = 100;
/** What may be added to the disk's own time. */
const ownMs = 2;

/** How long deliveries took from when their message was due, in milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Of the server, in cores. */
  readonly cpu: number;
}

/** Who talks how fast, and who listens: `followers` in each crowd. */
export interface OpenLoad {
  readonly sender: Service;
  readonly crowds: readonly Service[];
  readonly senders: number;
  readonly perSecond: number;
  readonly followers: number;
}

/** Offers messages at a steady rate and waits until every follower has all of them. */
export async function lateness(
  { sender: service, crowds, senders, perSecond, followers }: OpenLoad,
  seconds: number,
): Promise<Latency> {
  const gapMs = 1_000 / perSecond;
  const early = Math.round(Math.min(warmUpSeconds, seconds) * perSecond);
  const messages = early + Math.max(1, Math.round(seconds * perSecond));
  const parts: SenderParts = { service, senders, messages, gapMs };
  let beginMs = Number.NaN;
  const times = new Float64Array((messages - early) * followers * crowds.length);
  let taken = 0;
  const listening = await Promise.all(
    crowds.map((crowd) => {
      /** In the order in which the room has them. */
      const indexes: number[] = [];
      return roomFollowers(crowd, followers, {
        onMessage: ({ sender, n }) => indexes.push((n - 1) * senders + sender),
        onDelivery(had, has) {
          const now = clockMs();
          for (let at = had; at < has; at++) {
            const index = indexes[at] ?? 0;
            if (index >= early) times[taken++] = now - (beginMs + index * gapMs);
          }
        },
      });
    }),
  );
  const sender = await startSender(parts);
  const cpuBefore = cpuMicroseconds(service.pid);
  beginMs = clockMs() + leadMs;
  await sender.sendAll(beginMs);
  for (const crowd of listening) await crowd.settled(messages);
  const cpu = (cpuMicroseconds(service.pid) - cpuBefore) / 1_000 / (clockMs() - beginMs);
  for (const crowd of listening) crowd.close();
  const all = Array.from(times.sort());
  return { p50: percentile(all, 0.5), p99: percentile(all, 0.99), max: percentile(all, 1), cpu };
}

/** Everybody at one server. */
function run(service: Service, seconds: number): Promise<Latency> {
  return lateness({ sender: service, crowds: [service], senders, perSecond, followers }, seconds);
}

async function startSender(parts: SenderParts) {
  const path = 'scripts/bench/open-loop-sender.ts';
  const child: ChildProcess = needed(
    spawn(process.execPath, [path], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    path,
  );
  child.send(parts);
  await once(child, 'message');
  return {
    async sendAll(beginMs: number): Promise<void> {
      child.send(beginMs);
      await once(child, 'message');
      await ended(child);
    },
  };
}

/** Messages at a steady rate: each delivery counts from when its message was due, so that a server that stands still is not asked less. */
export const openLoop: Workload = {
  name: 'open-loop',
  about:
    '2,000 messages a second to 100 followers, and how late each delivery is, beside bare Node and the disk',
  run: (course) => withLab((lab) => openLoopOf(lab, course)),
};

async function openLoopOf(lab: Lab, { rounds, seconds = defaultSeconds }: Course): Promise<Figure[]> {
  let round = 0;
  const { chat, floor, syncs } = await inTurn(rounds, {
    chat: async () => run(await chatRoom(lab, `open-loop-${++round}`), seconds),
    floor: () => withJoinedFloor((bare) => run(bare, seconds)),
    syncs: () => syncedWrites(lab.directory, seconds / 3),
  });
  const ofSyncs = (key: keyof Syncs): string => shortNumber(median(syncs.map((one) => one[key])));
  const beside = (key: 'p50' | 'p99' | 'max') => ({
    name: `open loop, 2,000 messages/s to ${followers}: ${key === 'max' ? 'longest' : key}`,
    unit: 'ms',
    values: chat.map((one) => one[key]),
    floor: { name: joinedFloorName, values: floor.map((one) => one[key]) },
  });
  return [
    figureOf({
      ...beside('p50'),
      note: `fdatasync p50 ${ofSyncs('p50')} ms, p99 ${ofSyncs('p99')} ms; the server took ${median(chat.map(({ cpu }) => cpu)).toFixed(2)} of a core`,
    }),
    figureOf(beside('p99')),
    figureOf(beside('max')),
    figureOf({
      ...beside('p99'),
      name: `${beside('p99').name}, beside what the disk allows`,
      floor: { name: `fdatasync p99 + ${ownMs} ms`, values: syncs.map(({ p99 }) => p99 + ownMs) },
      target: { sentence: `at most fdatasync p99 + ${ownMs} ms`, judged: 'ratio', atMost: 1 },
    }),
  ];
}
