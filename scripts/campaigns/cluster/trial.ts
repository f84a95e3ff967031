import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../../src/client/connection.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { checkLinearizability, type Entry } from '../linearizability.ts';
import { pick, seededFor, shuffled } from '../random.ts';
import {
  again,
  keepReading,
  keepSending,
  NodeFollower,
  openAt,
  placeAt,
  probe,
  readWhole,
} from './clients.ts';
import { beginFault, type Fault } from './faults.ts';
import type { Cluster, ClusterNode } from './nodes.ts';
import { logInAt, signUpAt } from './people.ts';
import { Recorder } from './recorder.ts';

/** What is promised of a cluster, in milliseconds. */
export const promised = {
  /** After the end of a fault every node stores what is sent, and those that have none all the while. */
  recoveryMs: 10_000,
  /** From an acknowledgement to a follower at another node, also while Redis is away. */
  deliveryMs: 5_000,
  /** From the answer to a revocation to the end of the session at another node. */
  revocationMs: 5_000,
  /** After the end of a fault every node knows who is online. */
  presenceMs: 15_000,
} as const;

const senders = 3;
/** Between two messages of a sender, in milliseconds. */
const pauseMs = 15;
/** All is well for so long before a fault and after its end, in milliseconds. */
const calmMs = 300;
/** What is waited for in a test and not promised, in milliseconds: a thing that hangs is found by it. */
const patienceMs = 60_000;
/** Messages that are sent once more in the end, under their keys. */
const sentAgain = 24;

/** The sessions of those who take part. */
export interface ClusterPeople {
  readonly sender: string;
  /** Sends probes, reads, and asks who is online. */
  readonly watcher: string;
  /** Is at one node and comes to no other. */
  readonly visitor: string;
  /** Has a session besides, that is revoked. */
  readonly victim: string;
  /** By node. */
  readonly followers: readonly string[];
}

/** One trial: the seed decides the kind of its fault and all else that is left to chance. */
export interface TrialChoice {
  readonly kind: string;
  readonly seed: number;
  readonly trial: number;
}

/** What one trial came to. */
export interface TrialResult {
  readonly words: string;
  readonly acknowledged: number;
  /** How long each promise took at most, in milliseconds. */
  readonly slowest: Readonly<Partial<Record<'recovery' | 'delivery' | 'revocation' | 'presence', number>>>;
  readonly broken: readonly string[];
}

/** The times of a trial in words: `recovery 0.4 s, delivery 2.6 s`. */
export function timesOf({ slowest }: TrialResult): string {
  return Object.entries(slowest)
    .map(([what, ms]) => `${what} ${(ms / 1_000).toFixed(1)} s`)
    .join(', ');
}

/** Makes the accounts. */
export async function comeTogether({ nodes }: Cluster): Promise<ClusterPeople> {
  const at = (index: number): ClusterNode => nodes[index % nodes.length] as ClusterNode;
  const followers: string[] = [];
  for (const node of nodes) followers.push(await signUpAt(node, followerName(node)));
  return {
    followers,
    sender: await signUpAt(at(0), 'sender'),
    watcher: await signUpAt(at(1), 'watcher'),
    visitor: await signUpAt(at(2), 'visitor'),
    victim: await signUpAt(at(0), 'victim'),
  };
}

function followerName({ index }: ClusterNode): string {
  return `follower${index}`;
}

/**
 * Where all senders of a trial begin, in half of the trials: the other nodes then hear of no message of their own, in front of which they
 * would find one missing. Undefined in the others, where each node has a sender.
 */
export function commonHomeOf(seed: number, trial: number, nodes: number): number | undefined {
  const random = seededFor(seed, `home ${trial}`);
  return random() < 0.5 ? Math.floor(random() * nodes) : undefined;
}

/** One fault of a kind under load, and everything that was promised. */
export async function runTrial(
  cluster: Cluster,
  people: ClusterPeople,
  { kind, seed, trial }: TrialChoice,
): Promise<TrialResult> {
  const { nodes } = cluster;
  const random = seededFor(seed, `fault ${trial}`);
  const home = commonHomeOf(seed, trial, nodes.length);
  const recorder = new Recorder(`#t${seed}-${trial}`);
  const broken: string[] = [];
  const slowest = { recovery: 0, delivery: 0, revocation: 0, presence: 0 };
  await makeRoom(cluster, people, recorder);

  const visited = pick(nodes, random);
  const visitor = await openAt(visited, people.visitor);
  const hasVisitorEnded = endOf(visitor);
  const followers = nodes.map((node) => new NodeFollower(node, people.followers[node.index] ?? '', recorder));
  const stop = new AbortController();
  const busy: Promise<unknown>[] = [];
  try {
    await Promise.all(followers.map(({ began }) => began));
    for (let n = 0; n < senders; n++) {
      const name = `sender-${trial}-${n}`;
      const sending = keepSending({
        name,
        places: nodes.map((node) => placeAt(node, people.sender)),
        home: home ?? n,
        recorder,
        pauseMs,
        stop: stop.signal,
      });
      busy.push(sending.catch((error: unknown) => broken.push(`${name} has given up: ${String(error)}`)));
    }
    for (const node of nodes)
      busy.push(
        keepReading(placeAt(node, people.watcher), recorder, seededFor(seed, `reads ${trial}`), stop.signal),
      );
    const everyNode = nodes.map((node) => ({ node, key: `first-${trial}-${node.index}` }));
    await Promise.all(
      everyNode.map(({ node, key }) =>
        probe(placeAt(node, people.watcher), { key, recorder, mostMs: patienceMs }),
      ),
    );
    const victim = await Victim.come(cluster, people, random);
    await delay(calmMs);

    const fault = await beginFault(kind, cluster, random);
    const beganAt = performance.now();
    const others = nodes.filter(({ index }) => !fault.affected.includes(index));
    const served = Promise.all(
      others.map((node) => servedWithin(node, beganAt, `during-${trial}-${node.index}`, people, recorder)),
    );
    const recovered = Promise.withResolvers<number>();
    const revoking = victim.revoke(fault, recovered.promise);
    const [least, most] = fault.lastsMs;
    await delay(least + random() * (most - least));
    await fault.end();
    const endedAt = performance.now();
    const again = await Promise.all(
      nodes.map((node) => servedWithin(node, endedAt, `after-${trial}-${node.index}`, people, recorder)),
    );
    const recoveredAt = Math.max(...again.map(({ at }) => at));
    recovered.resolve(recoveredAt);
    for (const { broken: sentences, at } of again) {
      broken.push(...sentences.map((sentence) => `after the fault ${sentence}`));
      slowest.recovery = Math.max(slowest.recovery, at - endedAt);
    }
    for (const { broken: sentences } of await served)
      broken.push(...sentences.map((sentence) => `amid the fault ${sentence}`));
    const revoked = await revoking;
    slowest.revocation = revoked.ms;
    broken.push(...revoked.broken);
    await delay(calmMs);
    stop.abort();
    await Promise.all(busy);

    const aloneAt = Math.max(endedAt, performance.now());
    const presence = presenceWithin(cluster, people, aloneAt, () =>
      [...nodes.map(followerName), 'watcher', ...(hasVisitorEnded() ? [] : ['visitor'])].sort(),
    );
    await sendAgain(cluster, people, recorder, random);
    const log = await logOf(cluster, people, recorder);
    await until(() => followers.every(({ end }) => end >= log.length), promised.recoveryMs);
    const late = lateness(recorder, followers, fault, recoveredAt);
    slowest.delivery = late.ms;
    broken.push(...late.broken, ...checkLinearizability(recorder.history(log)));
    const present = await presence;
    slowest.presence = present.ms;
    broken.push(...present.broken);
    return {
      words: `${fault.words} for ${((endedAt - beganAt) / 1_000).toFixed(1)} s`,
      acknowledged: recorder.acknowledged,
      slowest,
      broken: [...broken, ...(await ownEnds(cluster))],
    };
  } finally {
    stop.abort();
    await Promise.all([...followers.map((follower) => follower.close()), visitor.close()]);
    await Promise.all(busy);
  }
}

/** A room of the trial's own, with everybody in it. */
async function makeRoom({ nodes }: Cluster, people: ClusterPeople, { to }: Recorder): Promise<void> {
  const room = to.slice(1);
  const call = async (token: string, name: 'room.create' | 'room.join'): Promise<void> => {
    const node = nodes[0] as ClusterNode;
    await again(async () => {
      const connection = await openAt(node, token);
      try {
        await connection.call(name, { room });
      } catch (error) {
        // It was done before, and the answer was lost.
        if (!(error instanceof ChatError && error.code === 'conflict')) throw error;
      } finally {
        await connection.close();
      }
    }, performance.now() + patienceMs);
  };
  await call(people.watcher, 'room.create');
  for (const token of [people.sender, ...people.followers]) await call(token, 'room.join');
}

/** When a node acknowledged something after a moment, and what is broken when that took too long. */
async function servedWithin(
  node: ClusterNode,
  sinceMs: number,
  key: string,
  { watcher: token }: ClusterPeople,
  recorder: Recorder,
): Promise<{ at: number; broken: string[] }> {
  try {
    const at = await probe(placeAt(node, token), { key, recorder, mostMs: patienceMs });
    const tookMs = at - sinceMs;
    if (tookMs <= promised.recoveryMs) return { at, broken: [] };
    return { at, broken: [`node ${node.index} acknowledged nothing for ${Math.round(tookMs)} ms`] };
  } catch (error) {
    return {
      at: performance.now(),
      broken: [`node ${node.index} acknowledged nothing for ${patienceMs} ms: ${String(error)}`],
    };
  }
}

/** Somebody with a session that is revoked at one node while it is used at another. */
class Victim {
  readonly #cluster: Cluster;
  readonly #people: ClusterPeople;
  readonly #order: readonly ClusterNode[];
  readonly #token: string;
  readonly #id: string;
  /** By node. */
  readonly #connections: readonly Connection[];

  private constructor(
    cluster: Cluster,
    people: ClusterPeople,
    order: readonly ClusterNode[],
    session: { token: string; id: string },
    connections: readonly Connection[],
  ) {
    this.#cluster = cluster;
    this.#people = people;
    this.#order = order;
    this.#token = session.token;
    this.#id = session.id;
    this.#connections = connections;
  }

  /** Logs in once more and connects to every node. */
  static async come(cluster: Cluster, people: ClusterPeople, random: () => number): Promise<Victim> {
    const { nodes } = cluster;
    const token = await logInAt(pick(nodes, random), 'victim');
    const connections: Connection[] = [];
    for (const node of nodes) connections.push(await openAt(node, token));
    const [first] = connections;
    const { sessions } = (await first?.call('session.list', {})) ?? { sessions: [] };
    const id = sessions.find(({ current }) => current)?.id ?? '';
    return new Victim(cluster, people, shuffled(nodes, random), { token, id }, connections);
  }

  /** Revokes the session at one node amid a fault; it has to end at all the others soon, at those with the fault once that is over. */
  async revoke({ affected }: Fault, recovered: Promise<number>): Promise<{ ms: number; broken: string[] }> {
    const isWell = (node: ClusterNode): boolean => !affected.includes(node.index);
    const by = this.#order.find(isWell) ?? (this.#order[0] as ClusterNode);
    const revokedAt = await again(() => this.#revokeAt(by), performance.now() + 2 * patienceMs);
    const broken: string[] = [];
    let ms = 0;
    await Promise.all(
      this.#cluster.nodes.map(async (node) => {
        const connection = this.#connections[node.index];
        if (!connection) return;
        const hasEnded = endOf(connection);
        // Noted when it happens: of a node that the fault is about is only asked after its end.
        const endedAt = connection.closed.then(() => performance.now());
        const sinceMs = isWell(node) ? revokedAt : Math.max(revokedAt, await recovered);
        const leftMs = sinceMs + promised.revocationMs - performance.now();
        await Promise.race([connection.closed, delay(Math.max(0, leftMs), undefined, { ref: false })]);
        if (!hasEnded())
          broken.push(
            `a session lives at node ${node.index} ${promised.revocationMs} ms after it was revoked at node ${by.index}`,
          );
        else ms = Math.max(ms, (await endedAt) - revokedAt);
        await connection.close();
        if (await this.#isLetInAt(node, sinceMs))
          broken.push(`a token is good at node ${node.index} after it was revoked at node ${by.index}`);
      }),
    );
    return { ms, broken };
  }

  async #revokeAt(node: ClusterNode): Promise<number> {
    const connection = await openAt(node, this.#people.victim);
    try {
      await connection.call('session.revoke', { id: this.#id });
    } catch (error) {
      // It was done before, and the answer was lost.
      if (!(error instanceof ChatError && error.code === 'not-found')) throw error;
    } finally {
      await connection.close();
    }
    return performance.now();
  }

  /** Whether a node still takes the token when it must not any more; one that cannot answer is asked again. */
  async #isLetInAt(node: ClusterNode, sinceMs: number): Promise<boolean> {
    return await again(async () => {
      const isLate = performance.now() > sinceMs + promised.revocationMs;
      try {
        const connection = await openAt(node, this.#token);
        await connection.close();
      } catch (error) {
        if (error instanceof ChatError && error.code === 'unauthenticated') return false;
        throw error;
      }
      if (isLate) return true;
      throw new Error('not yet');
    }, performance.now() + patienceMs);
  }
}

/** Sends some of the messages once more under their keys, each over another node than chance has it. */
async function sendAgain(
  { nodes }: Cluster,
  { sender: token }: ClusterPeople,
  recorder: Recorder,
  random: () => number,
): Promise<void> {
  const keys = shuffled(
    recorder.keys.filter((key) => key.startsWith('sender-')),
    random,
  ).slice(0, sentAgain);
  for (const key of keys)
    await probe(placeAt(pick(nodes, random), token), { key, recorder, mostMs: patienceMs });
}

/** What stands in the room, read at one node and then at all others. */
async function logOf(
  { nodes }: Cluster,
  { watcher }: ClusterPeople,
  recorder: Recorder,
): Promise<readonly Entry[]> {
  const [log = []] = await Promise.all(
    nodes.map((node) =>
      again(() => readWhole(placeAt(node, watcher), recorder), performance.now() + patienceMs),
    ),
  );
  return log;
}

/** How late followers were told, and what was told too late or never. */
function lateness(
  recorder: Recorder,
  followers: readonly NodeFollower[],
  { affected }: Fault,
  recoveredAt: number,
): { ms: number; broken: string[] } {
  const broken: string[] = [];
  let ms = 0;
  const acknowledged = [...recorder.firstAcknowledged()];
  for (const { name, node } of followers) {
    const told = recorder.toldTo(name);
    const isWell = !affected.includes(node.index);
    const missing = acknowledged.filter(([seq]) => !told.has(seq));
    if (missing[0])
      broken.push(`${name} was never told of ${missing.length} messages, the first of them ${missing[0][0]}`);
    const waits = acknowledged.map(([seq, at]) => {
      const sinceMs = isWell ? at : Math.max(at, recoveredAt);
      return { seq, ms: (told.get(seq) ?? sinceMs) - sinceMs };
    });
    const late = waits.filter((wait) => wait.ms > promised.deliveryMs);
    if (late[0])
      broken.push(
        `${name} was told of ${late.length} messages later than ${promised.deliveryMs} ms, of ${late[0].seq} after ${Math.round(late[0].ms)} ms`,
      );
    ms = Math.max(ms, ...waits.map((wait) => wait.ms));
  }
  return { ms, broken };
}

/** Waits until every node says that those are online who are; answers how long it took, and what is wrong when it took too long. */
async function presenceWithin(
  { nodes }: Cluster,
  { watcher }: ClusterPeople,
  sinceMs: number,
  expected: () => string[],
): Promise<{ ms: number; broken: string[] }> {
  let ms = 0;
  const broken = await Promise.all(
    nodes.map(async (node) => {
      let said = 'nothing';
      const isRight = async (): Promise<void> => {
        const connection = await openAt(node, watcher);
        try {
          const { users } = await connection.call('user.list', {});
          const online = users.flatMap((user) => (user.online ? [user.username] : []));
          said = online.join(' ');
          if (said !== expected().join(' ')) throw new Error('not yet');
        } finally {
          await connection.close();
        }
      };
      try {
        await again(isRight, sinceMs + promised.presenceMs);
        ms = Math.max(ms, performance.now() - sinceMs);
        return [];
      } catch {
        return [
          `${promised.presenceMs} ms after the fault node ${node.index} says that ${said} are online, and ${expected().join(' ')} are`,
        ];
      }
    }),
  );
  return { ms, broken: broken.flat() };
}

/** Nodes that have ended by themselves; they are started again. */
async function ownEnds({ nodes }: Cluster): Promise<string[]> {
  const broken: string[] = [];
  for (const node of nodes) {
    if (!node.server.hasEnded) continue;
    const { code, signal, errors } = await node.server.ended;
    broken.push(`node ${node.index} has ended by itself, with ${code ?? signal}: ${errors}`);
    await node.start();
  }
  return broken;
}

/** Tells from now on whether a connection has ended. */
function endOf(connection: Connection): () => boolean {
  let hasEnded = false;
  void connection.closed.then(() => {
    hasEnded = true;
  });
  return () => hasEnded;
}

async function until(isSo: () => boolean, mostMs: number): Promise<void> {
  const untilMs = performance.now() + mostMs;
  while (!isSo() && performance.now() < untilMs) await delay(20);
}
