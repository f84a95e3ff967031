import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchAccount, privateAccounts } from './accounts.ts';
import { type Figure, figureOf, median, percentile } from './figure.ts';
import { syncedWrites } from './floors.ts';
import { type Lab, withLab } from './lab.ts';
import { answerPings, type Greeting, lineSocket } from './line-socket.ts';
import { inTurn } from './rounds.ts';
import {
  joinedFloorName,
  requests,
  requestText,
  type Service,
  sendRequest,
  withJoinedFloor,
} from './service.ts';
import { shortNumber } from './table.ts';
import type { Course, Workload } from './workload.ts';

const defaultSeconds = 3;
/** What the programs compile at first is not counted. */
const warmUpSeconds = 0.5;
/** How long an answer may take, in milliseconds. */
const patienceMs = 20_000;
/** What may be added to the disk's own time for each way, in milliseconds. */
const ownMs = 0.15;

/** One of two who talk to each other; both see what either says. */
interface Side {
  readonly port: number;
  readonly greeting: Greeting;
  readonly request: Service['request'];
}

/** How long a message and its answer took together, in milliseconds. */
interface Trip {
  readonly p50: number;
  readonly p99: number;
}

/** Each answers the other's message with the next of its own, one at a time. */
async function run(sides: readonly [Side, Side], seconds: number): Promise<Trip> {
  const times: number[] = [];
  const [one, other] = await Promise.all(sides.map(({ port, greeting }) => lineSocket(port, greeting)));
  if (!one || !other) throw new Error('two are needed');
  let n = 0;
  let beganAt = 0;
  let isOver = false;
  const lastCame = Promise.withResolvers<boolean>();
  const countFrom = performance.now() + Math.min(warmUpSeconds, seconds) * 1_000;
  const ask = (): void => {
    n += 1;
    beganAt = performance.now();
    one.socket.write(requestText(sides[0], 0, n));
  };
  other.onBytes = (bytes, length) => {
    answerPings(other, bytes.subarray(0, length));
    if (!bytes.subarray(0, length).includes(`~0.${n}~`)) return;
    other.socket.write(requestText(sides[1], 1, n));
  };
  one.onBytes = (bytes, length) => {
    answerPings(one, bytes.subarray(0, length));
    if (!bytes.subarray(0, length).includes(`~1.${n}~`)) return;
    const now = performance.now();
    if (beganAt >= countFrom) times.push(now - beganAt);
    if (isOver) lastCame.resolve(true);
    else ask();
  };
  ask();
  await sleep(Math.max(0, countFrom - performance.now()) + seconds * 1_000);
  isOver = true;
  if (!(await Promise.race([lastCame.promise, sleep(patienceMs, false, { ref: false })]))) {
    throw new Error(`message ${n} was never answered`);
  }
  one.close();
  other.close();
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

/** One of two accounts, at the conversation with the other. */
function chatSide({ port }: Lab, { token }: BenchAccount, peer: BenchAccount): Side {
  const to = `@${peer.username}`;
  const says = requests(
    { id: 'login', method: 'login.resume', params: { session_token: token } },
    { id: 'follow', method: 'conversation.follow', params: { to } },
  );
  return { port, greeting: { says, until: '"id":"follow"' }, request: sendRequest(to) };
}

function floorSide({ port, follower, request }: Service): Side {
  return { port, greeting: follower, request };
}

/** A direct message and its answer, one at a time. */
export const roundTrip: Workload = {
  name: 'round-trip',
  about: 'a direct message and its answer, each stored, beside bare Node and the disk',
  run: (course) => withLab((lab) => roundTripOf(lab, course)),
};

async function roundTripOf(lab: Lab, { rounds, seconds = defaultSeconds }: Course): Promise<Figure[]> {
  const [one, other] = await privateAccounts(lab, 2);
  if (!one || !other) throw new Error('two are needed');
  const sides = [chatSide(lab, one, other), chatSide(lab, other, one)] as const;
  const { chat, floor, syncs } = await inTurn(rounds, {
    chat: () => run(sides, seconds),
    floor: () => withJoinedFloor((bare) => run([floorSide(bare), floorSide(bare)], seconds)),
    syncs: () => syncedWrites(lab.directory, seconds / 3),
  });
  const beside = (key: 'p50' | 'p99') => ({
    name: `direct message, there and back: ${key}`,
    unit: 'ms',
    values: chat.map((trip) => trip[key]),
    floor: { name: joinedFloorName, values: floor.map((trip) => trip[key]) },
  });
  const [p50, p99] = [median(syncs.map((one) => one.p50)), median(syncs.map((one) => one.p99))];
  return [
    figureOf({
      ...beside('p50'),
      note: `two commits each; fdatasync p50 ${shortNumber(p50)} ms, p99 ${shortNumber(p99)} ms`,
    }),
    figureOf(beside('p99')),
    figureOf({
      ...beside('p50'),
      name: 'direct message, there and back: p50, beside what the disk allows',
      floor: {
        name: '2 × (fdatasync p50 + 150 µs)',
        values: syncs.map((one) => 2 * (one.p50 + ownMs)),
      },
      target: { sentence: 'at most 2 × (fdatasync p50 + 150 µs)', judged: 'ratio', atMost: 1 },
    }),
  ];
}
