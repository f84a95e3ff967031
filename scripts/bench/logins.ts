import { type BenchAccount, privateAccounts } from './accounts.ts';
import { hashesPerSecond } from './bare.ts';
import { certificateLogins } from './certificate-logins.ts';
import { logInByProof } from './door-table.ts';
import { type Figure, figureOf, median } from './figure.ts';
import { type Lab, withLab } from './lab.ts';
import { threadMicroseconds } from './processor.ts';
import { inTurn } from './rounds.ts';
import { Wire } from './wire.ts';
import type { Course, Workload } from './workload.ts';

const defaultSeconds = 2;
/** Connections that are open before the clock runs: each logs in once. */
const connectionsAtOnce = 1_024;
/** Logins under way at once, from so many addresses of loopback: fewer from each than it may have exchanges open. */
const lanes = 64;
const addresses = 16;

/** What some logins came to. */
interface Run {
  readonly perSecond: number;
  /** Processor time of the server for each, in microseconds: of all threads, of the one that serves everybody, of the next busiest. */
  readonly cpu: number;
  readonly servingCpu: number;
  readonly nextCpu: number;
}

/** Logs in on connections that are open already, for a time; the sessions stay. */
async function run(lab: Lab, accounts: readonly BenchAccount[], seconds: number): Promise<Run> {
  const used = new Map<string, number>();
  let elapsedMs = 0;
  let count = 0;
  while (elapsedMs < seconds * 1_000) {
    const wires = await Promise.all(
      Array.from({ length: connectionsAtOnce }, (_, index) =>
        Wire.open(lab.port, `127.0.0.${1 + (index % addresses)}`),
      ),
    );
    const before = threadMicroseconds(lab.pid);
    const start = performance.now();
    await logInAll(wires, accounts);
    elapsedMs += performance.now() - start;
    for (const [thread, microseconds] of threadMicroseconds(lab.pid)) {
      used.set(thread, (used.get(thread) ?? 0) + microseconds - (before.get(thread) ?? 0));
    }
    count += wires.length;
    for (const wire of wires) wire.close();
  }
  const serving = used.get(String(lab.pid)) ?? 0;
  used.delete(String(lab.pid));
  const others = [...used.values()];
  const all = others.reduce((sum, one) => sum + one, serving);
  return {
    perSecond: (count / elapsedMs) * 1_000,
    cpu: all / count,
    servingCpu: serving / count,
    nextCpu: Math.max(0, ...others) / count,
  };
}

async function logInAll(wires: readonly Wire[], accounts: readonly BenchAccount[]): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < wires.length; index = next++) {
      const [wire, account] = [wires[index], accounts[index % accounts.length]];
      if (wire && account) await logInByProof(wire, account);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** Challenge–response logins, the sessions stored; and logins by certificate. */
export const logins: Workload = {
  name: 'logins',
  about: 'challenge–response logins beside bcrypt; logins by certificate beside such connections alone',
  run: (course) => withLab((lab) => loginsOf(lab, course)),
};

async function loginsOf(lab: Lab, { rounds, seconds = defaultSeconds }: Course): Promise<Figure[]> {
  const accounts = await privateAccounts(lab, 4 * lanes);
  // What the programs compile at first is not counted.
  await run(lab, accounts, seconds / 4);
  const { chat, hashes } = await inTurn(rounds, {
    chat: () => run(lab, accounts, seconds),
    hashes: () => hashesPerSecond(seconds * 1_000),
  });
  const middle = (key: keyof Run): string => median(chat.map((one) => one[key])).toFixed(0);
  return [
    figureOf({
      name: 'challenge–response logins, the client on the same cores',
      unit: '/s',
      values: chat.map(({ perSecond }) => perSecond),
      floor: { name: 'bcryptjs on as many threads as the server has for it', values: hashes },
    }),
    figureOf({
      name: 'challenge–response logins, on one core of the server alone',
      unit: '/s',
      values: chat.map(({ cpu }) => 1e6 / cpu),
      target: { sentence: 'at least 4,000 /s', judged: 'value', atLeast: 4_000 },
      note: `${middle('cpu')} µs of the server each: ${middle('servingCpu')} of the thread that serves everybody, ${middle('nextCpu')} of the next busiest`,
    }),
    ...(await certificateLogins(lab, rounds, seconds)),
  ];
}
