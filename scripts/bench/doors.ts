import { availableParallelism } from 'node:os';
import { passwordWorkers } from '../../src/server/workers/password-pool.ts';
import { openAccounts, privateAccounts } from './accounts.ts';
import { bareServer, hashesPerSecond } from './bare.ts';
import { bcryptDoors, type Door, fastDoors, type Lane, type LaneParts } from './door-table.ts';
import { type Figure, figureOf, median } from './figure.ts';
import { type Lab, withLab } from './lab.ts';
import { type Run, runLanes } from './lanes.ts';
import type { Course, Workload } from './workload.ts';

const defaultSeconds = 0.7;
/** What the programs compile at first is neither door's nor floor's. */
const warmUpMs = 800;
/** Loopback addresses that lanes come from, and lanes on each: fewer than the exchanges one address may have open. */
const addresses = 16;
const lanesPerAddress = 16;
/** Passwords under way at once: the pool is never idle, and never refuses. */
const passwordLanes = 2 * passwordWorkers(availableParallelism()) + 2;

async function withLanes<T>(
  opening: ReadonlyArray<Promise<Lane>>,
  use: (lanes: readonly Lane[]) => Promise<T>,
) {
  const lanes = await Promise.all(opening);
  try {
    return await use(lanes);
  } finally {
    for (const lane of lanes) lane.close();
  }
}

const floorNames: Readonly<Record<Door['floor'], string>> = {
  lines: 'bare Node, lines back',
  connections: 'bare Node, connect and a line back',
  http: 'bare Node, HTTP',
  bcrypt: 'bcryptjs on as many threads',
};

/**
 * Logins with logout per second at every door, each beside what no such door can pass: as many questions and answers of bare
 * Node, or bcrypt on as many threads. Floors and doors take turns for some rounds.
 */
export const doors: Workload = {
  name: 'doors',
  about: 'logins with logout at every door, beside bare Node, or bcrypt on as many threads',
  run: (course) => withLab((lab) => run(lab, course)),
};

async function run(lab: Lab, { rounds, seconds = defaultSeconds }: Course): Promise<Figure[]> {
  const doorMs = seconds * 1_000;
  // A hash takes a while: few are no measure.
  const hashesMs = 2 * doorMs;
  const accounts = await privateAccounts(lab, addresses * lanesPerAddress);
  const [open] = await openAccounts(lab, 1);
  if (!open) throw new Error('no account');
  const parts = accounts.map(
    (account, lane): LaneParts => ({
      port: lab.port,
      from: `127.0.0.${1 + (lane % addresses)}`,
      account,
      open,
    }),
  );
  const bare = await bareServer();
  const all = [...fastDoors, ...bcryptDoors];
  const ofDoors = new Map<Door, Run[]>(all.map((door) => [door, []]));
  const ofFloors: Record<Door['floor'], Run[]> = { lines: [], connections: [], http: [], bcrypt: [] };
  try {
    for (let round = 0; round < rounds; round++) {
      for (const kind of ['lines', 'connections', 'http'] as const) {
        const opening = parts.map(({ from }) => bare.open[kind](from));
        await withLanes(opening, async (lanes) => {
          if (round === 0) await runLanes(lanes, warmUpMs, bare.pid);
          ofFloors[kind].push(await runLanes(lanes, doorMs, bare.pid));
        });
      }
      for (const [door, runs] of ofDoors) {
        if (door === bcryptDoors[0]) {
          ofFloors.bcrypt.push({ rate: await hashesPerSecond(hashesMs), cpu: 0 });
        }
        const some = door.floor === 'bcrypt' ? parts.slice(0, passwordLanes) : parts;
        const opening = some.map((one) => door.open(one));
        await withLanes(opening, async (lanes) => {
          if (round === 0 && door.floor !== 'bcrypt') await runLanes(lanes, warmUpMs, lab.pid);
          runs.push(await runLanes(lanes, doorMs, lab.pid));
        });
      }
    }
  } finally {
    await bare.stop();
  }
  const figures = [...ofDoors].flatMap(([door, runs]) => {
    const floor = ofFloors[door.floor];
    const name = `${door.trips > 1 && door.floor !== 'bcrypt' ? `${door.trips} × ` : ''}${floorNames[door.floor]}`;
    const trips = door.floor === 'bcrypt' ? 1 : door.trips;
    const rate = figureOf({
      name: door.name,
      unit: '/s',
      values: runs.map((one) => one.rate),
      floor: { name, values: floor.map((one) => one.rate / trips) },
    });
    if (door.floor === 'bcrypt') return [rate];
    const cpu = figureOf({
      name: `${door.name}: server CPU`,
      unit: 'µs',
      values: runs.map((one) => one.cpu),
      floor: { name, values: floor.map((one) => one.cpu * trips) },
      note: `${Math.round(1_000_000 / median(runs.map((one) => one.cpu))).toLocaleString('en')} /s on one core`,
    });
    return [rate, cpu];
  });
  const rates = (door: Door): number[] => (ofDoors.get(door) ?? []).map((one) => one.rate);
  const fastestBcrypt = Array.from({ length: rounds }, (_, round) =>
    Math.max(...bcryptDoors.map((door) => rates(door)[round] ?? 0)),
  );
  const [proof] = fastDoors;
  if (proof) {
    figures.push(
      figureOf({
        name: `${proof.name}, beside the password doors`,
        unit: '/s',
        values: rates(proof),
        floor: { name: 'the fastest password door', values: fastestBcrypt },
        target: { sentence: 'at least 100 × the password doors', judged: 'ratio', atLeast: 100 },
      }),
    );
  }
  return figures;
}
