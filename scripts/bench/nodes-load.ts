import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchAccount, call } from './accounts.ts';
import type { ClusterLab, Processors, Traffic } from './cluster-lab.ts';
import { logInByProof } from './door-table.ts';
import { orderedId } from './floors.ts';
import { rawLine } from './lab.ts';
import { lineSockets } from './line-socket.ts';
import { roomFollowers } from './room-followers.ts';
import { answersIn, roomSenders } from './room-senders.ts';
import { chatRoom, requests, type Service } from './service.ts';
import { Wire } from './wire.ts';

/** What the programs compile at first is not counted. */
const warmUpSeconds = 0.5;
const text = 'x'.repeat(100);
/** PostgreSQL's processes tell what they counted once a second. */
const toldMs = 1_200;
/** Every message has a key, as those of our clients have. */
let lastKey = 0;
let lastRoom = 0;

/** How fast something went, and what each of it took: processors in microseconds, and the stores' own counts. */
export interface Load {
  readonly perSecond: number;
  readonly cpu: Processors;
  readonly each: Traffic | undefined;
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

/** A room on which a node's connections send and follow; made on the first node. */
async function roomOn(lab: ClusterLab, room: string, node: number): Promise<Service> {
  const { port, pid } = nodeAt(lab, node);
  return { ...(await madeRoom(lab, room)), port, pid };
}

const made = new WeakMap<ClusterLab, Map<string, Promise<Service>>>();

function madeRoom(lab: ClusterLab, room: string): Promise<Service> {
  const rooms = made.get(lab) ?? new Map<string, Promise<Service>>();
  made.set(lab, rooms);
  const { port, pid } = nodeAt(lab, 0);
  const service = rooms.get(room) ?? chatRoom({ port, pid, token: lab.token }, room);
  rooms.set(room, service);
  return service;
}

/** Durable sends with keys from connections that take the nodes in turn and the rooms in turn, 32 unanswered each. */
export async function sends(
  lab: ClusterLab,
  { connections, rooms }: { connections: number; rooms: number },
  seconds: number,
): Promise<Load> {
  const names = Array.from({ length: rooms }, (_, index) => `sends-${rooms}-${index}`);
  for (const name of names) await madeRoom(lab, name);
  const greeting = {
    says: requests({ id: 'login', method: 'login.resume', params: { session_token: lab.token } }),
    until: '"id":"login"',
  };
  const perNode = lab.nodes.map((_, node) => Math.ceil((connections - node) / lab.nodes.length));
  const lines = (
    await Promise.all(perNode.map((count, node) => lineSockets(count, nodeAt(lab, node).port, greeting)))
  ).flat();
  let acknowledged = 0;
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
    line.onBytes = (bytes, length) => {
      const answers = answersIn(line, bytes.subarray(0, length));
      acknowledged += answers;
      if (!isOver && answers > 0) send(answers);
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
  return load;
}

/** Four senders on the first node with 32 unanswered each, and followers on the others, each of whom must get every message in order. */
export async function fanOut(lab: ClusterLab, followers: number, seconds: number): Promise<Load> {
  const room = `fan-out-${++lastRoom}`;
  const elsewhere = lab.nodes.length === 1 ? [0] : lab.nodes.slice(1).map((_, index) => index + 1);
  const crowds = await Promise.all(
    elsewhere.map(async (node) =>
      roomFollowers(await roomOn(lab, room, node), Math.ceil(followers / elsewhere.length)),
    ),
  );
  const deliveries = (): number => crowds.reduce((sum, crowd) => sum + crowd.deliveries(), 0);
  const senders = await roomSenders(await roomOn(lab, room, 0), 4, 32);
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
  const elsewhere = lab.nodes.length === 1 ? [0] : lab.nodes.slice(1).map((_, index) => index + 1);
  return {
    sender: await roomOn(lab, room, 0),
    crowds: await Promise.all(elsewhere.map((node) => roomOn(lab, room, node))),
  };
}

/** Challenge–response logins, each on a connection of its own that is open before, over all nodes; the sessions stay. */
export async function logins(
  lab: ClusterLab,
  accounts: readonly BenchAccount[],
  count: number,
): Promise<Load> {
  await logInOver(lab, accounts, Math.ceil(count / 8));
  return await logInOver(lab, accounts, count);
}

async function logInOver(lab: ClusterLab, accounts: readonly BenchAccount[], count: number): Promise<Load> {
  const wires = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      Wire.open(nodeAt(lab, index).port, `127.0.0.${1 + (index % 16)}`),
    ),
  );
  const counted = await counting(lab);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < wires.length; index = next++) {
      const [wire, account] = [wires[index], accounts[index % accounts.length]];
      if (wire && account) await logInByProof(wire, account);
    }
  };
  await Promise.all(Array.from({ length: 64 }, lane));
  const load = await counted(wires.length);
  for (const wire of wires) wire.close();
  return load;
}

/** What nodes cost that nobody asks anything of, while the last of them follows so many rooms: per second of the clock. */
export async function idle(lab: ClusterLab, rooms: number, seconds: number): Promise<Load> {
  const line = await rawLine(nodeAt(lab, lab.nodes.length - 1).port, lab.token);
  const names = Array.from({ length: rooms }, (_, index) => `idle-${index}`);
  for (const name of names) {
    const params = { to: `#${name}` };
    await line.ask(
      { jsonrpc: '2.0', id: 'made', method: 'room.create', params: { room: name } },
      '"id":"made"',
    );
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
