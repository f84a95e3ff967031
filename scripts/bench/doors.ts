import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { StretchInput } from '../../src/core/crypto/stretch.ts';
import { parsePassword } from '../../src/core/model/password.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { randomBytes } from '../../src/core/random.ts';
import { passwordPool, passwordWorkers } from '../../src/server/workers/password-pool.ts';
import { openAccounts, privateAccounts } from './accounts.ts';
import { bcryptDoors, type Door, fastDoors, type Lane, type LaneParts } from './door-table.ts';
import { benchCost, cpuMicroseconds, type Figure, firstLine, type Lab, median } from './lab.ts';
import { figureOf } from './rounds.ts';
import { Wire } from './wire.ts';

const rounds = 3;
const fastMs = 1_000;
const floorMs = 500;
const warmUpMs = 300;
/** Loopback addresses that lanes come from, and lanes on each: fewer than the exchanges one address may have open. */
const addresses = 4;
const lanesPerAddress = 16;
/** Passwords under way at once: the pool is never idle, and never refuses. */
const passwordLanes = 16;

/** Turns per second and, of a process, its processor time for each in microseconds. */
interface Run {
  readonly rate: number;
  readonly cpu: number;
}

/** Keeps every lane busy for a time. */
async function run(lanes: readonly Lane[], ms: number, pid: number): Promise<Run> {
  let count = 0;
  const cpuBefore = cpuMicroseconds(pid);
  const start = performance.now();
  const end = start + ms;
  await Promise.all(
    lanes.map(async (lane) => {
      for (; performance.now() < end; count++) await lane.turn();
    }),
  );
  const elapsed = performance.now() - start;
  return { rate: (count / elapsed) * 1_000, cpu: (cpuMicroseconds(pid) - cpuBefore) / count };
}

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

/** Bare Node for each kind of door, in a process of its own. */
async function bareServer() {
  const child = spawn(process.execPath, ['scripts/bench/bare-server.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [lines = 0, http = 0] = (await firstLine(child)).split(' ').map(Number);
  const text = 'x'.repeat(200);
  const open: Readonly<Record<Exclude<Door['floor'], 'bcrypt'>, (from: string) => Promise<Lane>>> = {
    async lines(from) {
      const wire = await Wire.open(lines, from);
      return { turn: async () => void (await wire.line(text)), close: () => wire.close() };
    },
    async connections(from) {
      return {
        async turn() {
          const wire = await Wire.open(lines, from);
          await wire.line(text);
          wire.close();
        },
        close() {},
      };
    },
    async http(from) {
      const wire = await Wire.open(http, from);
      const turn = async () => void (await wire.http('POST', '/', { body: { text } }));
      return { turn, close: () => wire.close() };
    },
  };
  return { pid: child.pid ?? 0, open, stop: () => child.kill('SIGKILL') };
}

/** Hashes per second of bcryptjs on as many threads as the server has for it: its own pool, with nothing around it. */
async function hashes(ms: number): Promise<number> {
  const workers = passwordWorkers(availableParallelism());
  const workerUrl = pathToFileURL(resolve('dist/password-worker.mjs'));
  const pool = passwordPool({ workers, workerUrl });
  const input: StretchInput = {
    realm: 'floor',
    username: parseUsername('bench'),
    password: parsePassword('bench password'),
    salt: randomBytes(16),
    cost: benchCost,
  };
  const turn = async () => void (await pool.stretch(input, { owner: 'floor', isWanted: () => true }));
  try {
    const lanes = Array.from({ length: 2 * workers }, (): Lane => ({ turn, close() {} }));
    // The threads start with their first password.
    await Promise.all(lanes.map((lane) => lane.turn()));
    return (await run(lanes, ms, process.pid)).rate;
  } finally {
    await pool.close();
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
export async function doors(lab: Lab): Promise<Figure[]> {
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
          if (round === 0) await run(lanes, warmUpMs, bare.pid);
          ofFloors[kind].push(await run(lanes, floorMs, bare.pid));
        });
      }
      ofFloors.bcrypt.push({ rate: await hashes(fastMs), cpu: 0 });
      for (const [door, runs] of ofDoors) {
        const some = door.floor === 'bcrypt' ? parts.slice(0, passwordLanes) : parts;
        const opening = some.map((one) => door.open(one));
        await withLanes(opening, async (lanes) => {
          if (round === 0) await run(lanes, warmUpMs, lab.pid);
          runs.push(await run(lanes, fastMs, lab.pid));
        });
      }
    }
  } finally {
    bare.stop();
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
      }),
    );
  }
  return figures;
}
