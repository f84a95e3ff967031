import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchAccount, call, Refused } from './accounts.ts';
import type { ClusterLab, Processors, Traffic } from './cluster-lab.ts';
import { logInByProof } from './door-table.ts';
import { orderedId } from './floors.ts';
import { rawLine } from './lab.ts';
import { answerPings, lineSockets } from './line-socket.ts';
import { exactMicroseconds } from './processor.ts';
import { roomFollowers } from './room-followers.ts';
import { roomSenders } from './room-senders.ts';
import { madeRoom, requests, type Service } from './service.ts';
import { Wire } from './wire.ts';

/** What the programs compile at first is not counted. */
const warmUpSeconds = 0.5;
const text = 'x'.repeat(100);
/** PostgreSQL's processes tell what they counted once a second. */
const toldMs = 1_200;
/** How often something is asked of a database that has no time, before that is a failure. */
const mostTries = 50;
/** Every message has a key, as those of our clients have. */
let lastKey = 0;
let lastRoom = 0;

/** How fast something went, and what each of it took: processors in microseconds, and the stores' own counts. */
export interface Load {
  readonly perSecond: number;
  readonly cpu: Processors;
  readonly each: Traffic | undefined;
  /** Messages that were `unavailable`, and sent anew. */
  readonly refused?: number;
  /** Messages that were acknowledged in all, before and after it was counted too. */
  readonly acknowledged?: number;
}

/** Counts what happens between now and the answer's call, which says how often it did. */
async function counting(lab: ClusterLab): Promise<(count: number) => Promise<Load>> {
  const traffic = await lab.traffic();
  const before = lab.processors();
  const at = performance.now();
  return async (count) => {
    const seconds = (performance.now() - at) / 1_000;
    const now = lab.processors();
    if (traffic) await sleep(toldMs);
    const told = await lab.traffic();
    return {
      perSecond: count / seconds,
      cpu: {
        nodes: (now.nodes - before.nodes) / count,
        postgres: (now.postgres - before.postgres) / count,
        redis: (now.redis - before.redis) / count,
      },
      each: traffic &&
        told && {
          walBytes: (told.walBytes - traffic.walBytes) / count,
          commits: (told.commits - traffic.commits) / count,
          redisCommands: (told.redisCommands - traffic.redisCommands) / count,
          redisBytes: (told.redisBytes - traffic.redisBytes) / count,
        },
    };
  };
}

/** The node that comes around at a place in turn. */
function nodeAt({ nodes }: ClusterLab, index: number) {
  const node = nodes[index % nodes.length];
  if (!node) throw new Error('a cluster has a node');
  return node;
}

/** A room at a node, which there is already. */
function roomOn(lab: ClusterLab, room: string, node: number): Service {
  const { port, pid } = nodeAt(lab, node);
  return madeRoom({ port, pid, token: lab.token }, room);
}

/** Makes rooms on the first node, each again while the database has no time for it. */
async function makeRooms(lab: ClusterLab, rooms: readonly string[]): Promise<void> {
  const wire = await Wire.open(nodeAt(lab, 0).port);
  await call(wire, 'login.resume', { session_token: lab.token });
  for (const room of rooms) {
    for (let tries = 1; ; tries++) {
      try {
        await call(wire, 'room.create', { room });
        break;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        // Whether the try before has made it was not known.
        if (error.code === 'conflict' && tries > 1) break;
        if (error.code !== 'unavailable' || tries === mostTries) throw error;
        await sleep(200);
      }
    }
  }
  wire.close();
}

/** Durable sends with keys from connections that take the nodes in turn and the rooms in turn, 32 unanswered each. */
export async function sends(
  lab: ClusterLab,
  { connections, rooms }: { connections: number; rooms: number },
  seconds: number,
): Promise<Load> {
  const names = Array.from({ length: rooms }, (_, index) => `sends-${rooms}-${index}`);
  await makeRooms(lab, names);
  const greeting = {
    says: requests({ id: 'login', method: 'login.resume', params: { session_token: lab.token } }),
    until: '"id":"login"',
  };
  const perNode = lab.nodes.map((_, node) => Math.ceil((connections - node) / lab.nodes.length));
  const lines = (
    await Promise.all(perNode.map((count, node) => lineSockets(count, nodeAt(lab, node).port, greeting)))
  ).flat();
  let acknowledged = 0;
  let refused = 0;
  let isOver = false;
  const starts = lines.map((line, index) => {
    const room = names[index % names.length];
    const send = (count: number): void => {
      let said = '';
      for (let i = 0; i < count; i++) {
        lastKey += 1;
        said += `{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"to":"#${room}","text":"${text}","key":"${orderedId(lastKey)}"}}\n`;
      }
      line.socket.write(said);
    };
    let rest = '';
    line.onBytes = (bytes, length) => {
      answerPings(line, bytes.subarray(0, length));
      const whole = (rest + bytes.toString('latin1', 0, length)).split('\n');
      rest = whole.pop() ?? '';
      const answers = whole.filter((one) => !one.includes('"method":"ping"'));
      const no = answers.filter((one) => one.includes('"error"'));
      // What may pass is sent anew, as a client of ours does; it is counted, and no acknowledgement.
      const fatal = no.find((one) => !one.includes('"code":"unavailable"'));
      if (fatal !== undefined) throw new Error(`a message was refused: ${fatal}`);
      refused += no.length;
      acknowledged += answers.length - no.length;
      if (!isOver && answers.length > 0) send(answers.length);
    };
    return () => send(32);
  });
  for (const start of starts) start();
  await sleep(Math.min(warmUpSeconds, seconds) * 1_000);
  const counted = await counting(lab);
  const before = acknowledged;
  await sleep(seconds * 1_000);
  const count = acknowledged - before;
  isOver = true;
  const load = await counted(count);
  for (const line of lines) line.close();
  return { ...load, refused, acknowledged };
}

/** The same over the first node alone: what each of the others takes to hear of a message, in microseconds of its processor. */
export async function hearing(lab: ClusterLab, seconds: number): Promise<number> {
  const [sender, ...others] = lab.nodes;
  if (!sender || others.length === 0) throw new Error('nobody else hears of a message');
  const load = await sends(
    {
      ...lab,
      nodes: [sender],
      processors: () => ({
        ...lab.processors(),
        nodes: others.reduce((sum, { pid }) => sum + exactMicroseconds(pid), 0),
      }),
    },
    { connections: 32, rooms: 32 },
    seconds,
  );
  return load.cpu.nodes / others.length;
}

/** How long a cluster may take to come to rest, and from which share of one processor on it counts as resting. */
const restMs = 180_000;
const restShare = 0.1;

/** What is done until a cluster is at rest that nobody asks anything of any more, in microseconds: what was sent comes into the index of words. */
export async function afterwards(lab: ClusterLab): Promise<Processors> {
  const before = lab.processors();
  const end = performance.now() + restMs;
  for (let last = before; ; ) {
    const at = performance.now();
    await sleep(1_000);
    const now = lab.processors();
    const busy = now.nodes + now.postgres + now.redis - last.nodes - last.postgres - last.redis;
    const share = busy / ((performance.now() - at) * 1_000);
    if (share < restShare) {
      return {
        nodes: last.nodes - before.nodes,
        postgres: last.postgres - before.postgres,
        redis: last.redis - before.redis,
      };
    }
    if (performance.now() > end) throw new Error('the cluster does not come to rest');
    last = now;
  }
}

/** Four senders on the first node with 32 unanswered each, and followers on the others, each of whom must get every message in order. */
export async function fanOut(lab: ClusterLab, followers: number, seconds: number): Promise<Load> {
  const room = `fan-out-${++lastRoom}`;
  await makeRooms(lab, [room]);
  const elsewhere = lab.nodes.length === 1 ? [0] : lab.nodes.slice(1).map((_, index) => index + 1);
  const crowds = await Promise.all(
    elsewhere.map((node) => roomFollowers(roomOn(lab, room, node), Math.ceil(followers / elsewhere.length))),
  );
  const deliveries = (): number => crowds.reduce((sum, crowd) => sum + crowd.deliveries(), 0);
  const senders = await roomSenders(roomOn(lab, room, 0), 4, 32);
  senders.begin();
  await sleep(Math.min(warmUpSeconds, seconds) * 1_000);
  const counted = await counting(lab);
  const before = deliveries();
  await sleep(seconds * 1_000);
  const load = await counted(deliveries() - before);
  const sent = await senders.stop();
  for (const crowd of crowds) await crowd.settled(sent);
  senders.close();
  for (const crowd of crowds) crowd.close();
  return load;
}

/** Where the first node's senders and the other nodes' followers of a room of its own are. */
export async function acrossNodes(lab: ClusterLab): Promise<{ sender: Service; crowds: readonly Service[] }> {
  const room = `late-${++lastRoom}`;
  await makeRooms(lab, [room]);
  const elsewhere = lab.nodes.length === 1 ? [0] : lab.nodes.slice(1).map((_, index) => index + 1);
  return {
    sender: roomOn(lab, room, 0),
    crowds: elsewhere.map((node) => roomOn(lab, room, node)),
  };
}

/** Challenge–response logins, each on a connection that is made for it, over all nodes; the sessions stay. */
export async function logins(
  lab: ClusterLab,
  accounts: readonly BenchAccount[],
  count: number,
): Promise<Load> {
  // What the programs compile at first is not counted.
  await logInOver(lab, accounts, Math.ceil(count / 8));
  const counted = await counting(lab);
  await logInOver(lab, accounts, count);
  return await counted(count);
}

async function logInOver(lab: ClusterLab, accounts: readonly BenchAccount[], count: number): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const wire = await Wire.open(nodeAt(lab, index).port, `127.0.0.${1 + (index % 16)}`);
      await logInByProof(wire, accounts[index % accounts.length] as BenchAccount);
      wire.close();
    }
  };
  await Promise.all(Array.from({ length: 64 }, lane));
}

/** What nodes cost that nobody asks anything of, while the last of them follows so many rooms: per second of the clock. */
export async function idle(lab: ClusterLab, rooms: number, seconds: number): Promise<Load> {
  const names = Array.from({ length: rooms }, (_, index) => `idle-${index}`);
  await makeRooms(lab, names);
  const line = await rawLine(nodeAt(lab, lab.nodes.length - 1).port, lab.token);
  for (const name of names) {
    const params = { to: `#${name}` };
    await line.ask({ jsonrpc: '2.0', id: 'follow', method: 'conversation.follow', params }, '"id":"follow"');
  }
  await sleep(1_000);
  const counted = await counting(lab);
  const start = performance.now();
  await sleep(seconds * 1_000);
  const load = await counted((performance.now() - start) / 1_000);
  line.socket.destroy();
  return load;
}

/** What so many open sessions cost, each with a connection that does nothing: per second of the clock. */
export async function connected(
  lab: ClusterLab,
  accounts: readonly BenchAccount[],
  sessions: number,
  seconds: number,
): Promise<Load> {
  const wires: Wire[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < sessions; index = next++) {
      const { username, hashedPassword } = accounts[index % accounts.length] as BenchAccount;
      const wire = await Wire.open(nodeAt(lab, index).port, `127.0.0.${1 + (index % 16)}`);
      wires.push(wire);
      await call(wire, 'login.hashed-password', { username, hashed_password: hashedPassword });
    }
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  await sleep(1_000);
  const counted = await counting(lab);
  const start = performance.now();
  await sleep(seconds * 1_000);
  const load = await counted((performance.now() - start) / 1_000);
  for (const wire of wires) wire.close();
  return load;
}
