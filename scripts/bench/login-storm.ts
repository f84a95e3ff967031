import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { openAccounts, privateAccounts, Refused } from './accounts.ts';
import { bareServer, hashesPerSecond } from './bare.ts';
import { bcryptDoors, type Door, type Lane } from './door-table.ts';
import type { Figure, Lab } from './lab.ts';
import type { Sample, SteadyKind, SteadyParts } from './steady.ts';

const logins = 200;
/** Loopback addresses that the logins come from: more of each than may wait of one, more together than may wait at all. */
const addresses = 4;
const openAccountCount = 8;
const steadyAccountCount = 10;
/** Before the logins and after them. */
const quietMs = 8_000;
/** When a door does not say how long to wait, which is what those say that do. */
const defaultRetryMs = 1_000;

/** A stretch of time, in milliseconds since 1970. */
interface Phase {
  readonly from: number;
  readonly to: number;
}

/** Connects and tries until it is in, waiting as it is told; counts refusals by their code. */
async function insist(opening: Promise<Lane>, refusals: Map<string, number>): Promise<void> {
  const lane = await opening;
  for (;;) {
    try {
      await lane.turn();
      return lane.close();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.code !== 'rate-limited' && error.code !== 'unavailable') throw error;
      refusals.set(error.code, (refusals.get(error.code) ?? 0) + 1);
      await sleep(error.retryAfterMs ?? defaultRetryMs);
    }
  }
}

/** People of `steady.ts`; `kill` before their server ends. */
interface SteadyPeople {
  /** Rejects when one of their calls has failed. */
  readonly failed: Promise<never>;
  stop(): Promise<Sample[]>;
  kill(): void;
}

async function steadyPeople(parts: SteadyParts): Promise<SteadyPeople> {
  const child: ChildProcess = spawn(process.execPath, ['scripts/bench/steady.ts'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  let isAwaited = false;
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('exit', (code) => {
      if (!isAwaited) reject(new Error(`the steady people ended with ${code}`));
    });
  });
  failed.catch(() => {});
  child.send(parts);
  await Promise.race([once(child, 'message'), failed]);
  return {
    failed,
    async stop() {
      isAwaited = true;
      child.send('stop');
      const [samples] = (await once(child, 'message')) as [Sample[]];
      return samples;
    },
    kill() {
      isAwaited = true;
      child.kill('SIGKILL');
    },
  };
}

const titles: Readonly<Record<SteadyKind, string>> = {
  ping: 'ping',
  send: 'a message until it is acknowledged',
  delivery: 'a message until a follower has it',
  http: 'GET /api/account',
  login: 'a challenge–response login with logout',
  bare: 'a line back from bare Node, on the same machine at the same time',
};

/** How long calls took that were due in a phase, in milliseconds. */
function tail(samples: readonly Sample[], kind: SteadyKind, { from, to }: Phase) {
  const sorted = samples
    .filter((one) => one.kind === kind && one.dueAt >= from && one.dueAt < to)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

function spelled({ p50, p99, max }: ReturnType<typeof tail>): string {
  return [p50, p99, max].map((ms) => ms.toFixed(1)).join('/');
}

/**
 * Two hundred logins at once at the doors that stretch a password, while others talk at a steady rate: what the others' calls
 * take before, during and after. Who is refused comes again when it is told to.
 */
export async function loginStorm(lab: Lab): Promise<Figure[]> {
  const accounts = await privateAccounts(lab, steadyAccountCount);
  const open = await openAccounts(lab, openAccountCount);
  const [anyone] = accounts;
  if (!anyone) throw new Error('no account');
  const bare = await bareServer();
  let people: SteadyPeople | undefined;
  try {
    const hashes = await hashesPerSecond(2_000);
    people = await steadyPeople({ port: lab.port, barePort: bare.linesPort, accounts });
    const comer = (index: number): Promise<Lane> =>
      (bcryptDoors[index % bcryptDoors.length] as Door).open({
        port: lab.port,
        from: `127.0.0.${1 + (Math.floor(index / bcryptDoors.length) % addresses)}`,
        account: anyone,
        open: open[index % open.length] ?? { username: anyone.username, password: '' },
      });
    // What the programs compile at first is not the server's.
    await sleep(2_000);
    const began = Date.now();
    await sleep(quietMs);
    const before: Phase = { from: began, to: Date.now() };
    const refusals = new Map<string, number>();
    const all = Promise.all(Array.from({ length: logins }, (_, index) => insist(comer(index), refusals)));
    await Promise.race([all, people.failed]);
    const during: Phase = { from: before.to, to: Date.now() };
    await sleep(quietMs);
    const after: Phase = { from: during.to, to: Date.now() };
    const samples = await Promise.race([people.stop(), people.failed]);
    const figures = (Object.keys(titles) as SteadyKind[]).map((kind): Figure => {
      const [quiet, busy, quietAgain] = [before, during, after].map((phase) => tail(samples, kind, phase));
      if (!quiet || !busy || !quietAgain) throw new Error('a phase is missing');
      return {
        name: `during 200 password logins: ${titles[kind]}, p99`,
        unit: 'ms',
        value: busy.p99,
        floor: { name: 'the same before', value: quiet.p99 },
        note: `p50/p99/max before ${spelled(quiet)}, during ${spelled(busy)}, after ${spelled(quietAgain)}; ${busy.count} calls during`,
      };
    });
    const refused = [...refusals].map(([code, count]) => `${count} × ${code}`).join(', ');
    figures.push({
      name: '200 password logins at once, until the last one is in',
      unit: 's',
      value: (during.to - during.from) / 1_000,
      floor: { name: '200 bcryptjs hashes on as many threads', value: logins / hashes },
      note: `refused and tried again: ${refused === '' ? 'none' : refused}`,
    });
    return figures;
  } finally {
    people?.kill();
    bare.stop();
  }
}
