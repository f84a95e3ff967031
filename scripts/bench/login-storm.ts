import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchAccount, type OpenAccount, openAccounts, privateAccounts, Refused } from './accounts.ts';
import { type BareServer, bareServer, hashesPerSecond } from './bare.ts';
import { bcryptDoors, type Door, type Lane } from './door-table.ts';
import { type Figure, figureOf, median, percentile } from './figure.ts';
import { type Lab, withLab } from './lab.ts';
import { ended, needed } from './left-overs.ts';
import { inTurn } from './rounds.ts';
import type { Sample, SteadyKind, SteadyParts } from './steady.ts';
import type { Course, Workload } from './workload.ts';

const logins = 200;
/** Loopback addresses that the logins come from: more of each than may wait of one, more together than may wait at all. */
const addresses = 4;
const openAccountCount = 8;
const steadyAccountCount = 10;
/** Before the logins and after them. */
const defaultQuietSeconds = 8;
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

/** People of `steady.ts`, who end before their server does; a call of theirs that fails ends the workload. */
interface SteadyPeople {
  stop(): Promise<Sample[]>;
}

async function steadyPeople(parts: SteadyParts): Promise<SteadyPeople> {
  const path = 'scripts/bench/steady.ts';
  const child: ChildProcess = needed(
    spawn(process.execPath, [path], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    }),
    path,
  );
  child.send(parts);
  await once(child, 'message');
  return {
    async stop() {
      child.send('stop');
      const [samples] = (await once(child, 'message')) as [Sample[]];
      await ended(child);
      return samples;
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
const kinds = Object.keys(titles) as SteadyKind[];

/** How long calls took that were due in a phase, in milliseconds. */
interface Tail {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function tail(samples: readonly Sample[], kind: SteadyKind, { from, to }: Phase): Tail {
  const times = samples
    .filter((one) => one.kind === kind && one.dueAt >= from && one.dueAt < to)
    .map(({ ms }) => ms);
  return {
    count: times.length,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    max: percentile(times, 1),
  };
}

function spelled(tails: readonly Tail[]): string {
  const parts = [
    median(tails.map(({ p50 }) => p50)),
    median(tails.map(({ p99 }) => p99)),
    Math.max(...tails.map(({ max }) => max)),
  ];
  return parts.map((ms) => ms.toFixed(1)).join('/');
}

/** What one storm did. */
interface Storm {
  readonly tails: Readonly<Record<SteadyKind, { before: Tail; during: Tail; after: Tail }>>;
  /** Until the last one was in, and what as many hashes take alone, in seconds. */
  readonly allIn: number;
  readonly hashesAlone: number;
  readonly refusals: ReadonlyMap<string, number>;
}

/** Who takes part. */
interface Cast {
  readonly lab: Lab;
  readonly bare: BareServer;
  readonly accounts: readonly BenchAccount[];
  readonly open: readonly OpenAccount[];
}

async function storm({ lab, bare, accounts, open }: Cast, quietMs: number): Promise<Storm> {
  const [anyone] = accounts;
  if (!anyone) throw new Error('no account');
  const hashesAlone = logins / (await hashesPerSecond(quietMs / 4));
  const people = await steadyPeople({ port: lab.port, barePort: bare.linesPort, accounts });
  const comer = (index: number): Promise<Lane> =>
    (bcryptDoors[index % bcryptDoors.length] as Door).open({
      port: lab.port,
      from: `127.0.0.${1 + (Math.floor(index / bcryptDoors.length) % addresses)}`,
      account: anyone,
      open: open[index % open.length] ?? { username: anyone.username, password: '' },
    });
  // What the programs compile at first is not the server's.
  await sleep(quietMs / 4);
  const began = Date.now();
  await sleep(quietMs);
  const before: Phase = { from: began, to: Date.now() };
  const refusals = new Map<string, number>();
  await Promise.all(Array.from({ length: logins }, (_, index) => insist(comer(index), refusals)));
  const during: Phase = { from: before.to, to: Date.now() };
  await sleep(quietMs);
  const after: Phase = { from: during.to, to: Date.now() };
  const samples = await people.stop();
  const tailsOf = (kind: SteadyKind) => ({
    before: tail(samples, kind, before),
    during: tail(samples, kind, during),
    after: tail(samples, kind, after),
  });
  return {
    tails: Object.fromEntries(kinds.map((kind) => [kind, tailsOf(kind)])) as Storm['tails'],
    allIn: (during.to - during.from) / 1_000,
    hashesAlone,
    refusals,
  };
}

/**
 * Two hundred logins at once at the doors that stretch a password, while others talk at a steady rate: what the others' calls
 * take before, during and after. Who is refused comes again when it is told to.
 */
export const loginStorm: Workload = {
  name: 'login-storm',
  about: '200 password logins at once, and what calls of others take before, during and after',
  run: (course) => withLab((lab) => run(lab, course)),
};

async function run(lab: Lab, { rounds, seconds = defaultQuietSeconds }: Course): Promise<Figure[]> {
  const cast: Cast = {
    lab,
    bare: await bareServer(),
    accounts: await privateAccounts(lab, steadyAccountCount),
    open: await openAccounts(lab, openAccountCount),
  };
  const { storms } = await inTurn(rounds, { storms: () => storm(cast, seconds * 1_000) });
  await cast.bare.stop();
  const figures = kinds.map((kind) => {
    const of = (phase: 'before' | 'during' | 'after') => storms.map(({ tails }) => tails[kind][phase]);
    const calls = of('during').reduce((sum, { count }) => sum + count, 0);
    return figureOf({
      name: `during 200 password logins: ${titles[kind]}, p99`,
      unit: 'ms',
      values: of('during').map(({ p99 }) => p99),
      floor: { name: 'the same before', values: of('before').map(({ p99 }) => p99) },
      // What bare Node takes is not ours to keep.
      ...(kind !== 'bare' && {
        target: { sentence: 'p99 at most 100 ms', judged: 'value' as const, atMost: 100 },
      }),
      note: `p50/p99/max before ${spelled(of('before'))}, during ${spelled(of('during'))}, after ${spelled(of('after'))}; ${calls} calls during`,
    });
  });
  const refused = new Map<string, number>();
  for (const { refusals } of storms) {
    for (const [code, count] of refusals) refused.set(code, (refused.get(code) ?? 0) + count);
  }
  const spelledRefusals = [...refused].map(([code, count]) => `${count} × ${code}`).join(', ');
  return [
    ...figures,
    figureOf({
      name: '200 password logins at once, until the last one is in',
      unit: 's',
      values: storms.map(({ allIn }) => allIn),
      floor: {
        name: '200 bcryptjs hashes on as many threads',
        values: storms.map(({ hashesAlone }) => hashesAlone),
      },
      note: `refused and tried again: ${spelledRefusals || 'none'}`,
    }),
  ];
}
