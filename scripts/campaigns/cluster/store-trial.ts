import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../../src/client/connection.ts';
import { ChatError } from '../../../src/core/errors.ts';
import type { Account, Verifier } from '../../../src/core/model/account.ts';
import { parseConversationName } from '../../../src/core/model/conversation-name.ts';
import type { MessageId, UserId } from '../../../src/core/model/ids.ts';
import { instantText } from '../../../src/core/model/instant.ts';
import { wireBody } from '../../../src/core/model/message.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import type { Store } from '../../../src/core/ports/store.ts';
import { uuidV7 } from '../../../src/core/random.ts';
import { checkLinearizability } from '../linearizability.ts';
import { pick, seededFor, shuffled } from '../random.ts';
import { again, keepReading, keepSending, type Place, probe, readWhole } from './clients.ts';
import { type DatabaseGround, databaseFaults } from './faults.ts';
import { Recorder } from './recorder.ts';
import { promised, type TrialChoice, type TrialResult } from './trial.ts';

/** A store of a node that is one of several over the same database. */
export interface StoreNode {
  readonly index: number;
  readonly toPostgres: DatabaseGround['nodes'][number]['toPostgres'];
  readonly store: Store;
}

/** Several of them. */
export interface StoreGround extends DatabaseGround {
  readonly nodes: readonly StoreNode[];
}

const senders = 3;
/** Between two messages of a sender, in milliseconds. */
const pauseMs = 6;
const calmMs = 200;
/** What is waited for and not promised, in milliseconds. */
const patienceMs = 60_000;
const sentAgain = 24;

/** Never asked for here. */
const verifier: Verifier = {
  suite: 'CHAT-SCRAM-BCRYPT-1',
  salt: new Uint8Array(16),
  cost: 12,
  storedKey: new Uint8Array(32),
  serverKey: new Uint8Array(32),
};

/** Makes the account that everything is sent by. */
export async function makeSender({ nodes }: StoreGround): Promise<Account> {
  const account: Account = {
    id: uuidV7() as UserId,
    username: parseUsername('sender'),
    email: null,
    emailVerifiedAt: null,
    privacy: 'private',
    isAdmin: false,
    disabledAt: null,
    hasSecondFactor: false,
    createdAt: Date.now(),
  };
  await nodes[0]?.store.createAccount({ account, verifier });
  return account;
}

/** One fault of the database under the load of several stores, and what was promised of what they store. */
export async function runStoreTrial(
  ground: StoreGround,
  sender: Account,
  { kind, seed, trial }: TrialChoice,
): Promise<TrialResult> {
  const { nodes } = ground;
  const random = seededFor(seed, `fault ${trial}`);
  const room = `t${seed}-${trial}`;
  const recorder = new Recorder(`#${room}`);
  const broken: string[] = [];
  const ref = parseConversationName(recorder.to);
  if (ref.kind !== 'room') throw new Error(`${recorder.to} is no room`);
  await again(
    async () => void (await nodes[0]?.store.createRoom({ room: ref.room, by: sender.id, now: Date.now() })),
    performance.now() + patienceMs,
  );
  const places = nodes.map((node) => placeOn(node, sender));
  const stop = new AbortController();
  const busy: Promise<unknown>[] = [];
  try {
    for (let n = 0; n < senders; n++) {
      const name = `sender-${trial}-${n}`;
      const sending = keepSending({ name, places, home: n, recorder, pauseMs, stop: stop.signal });
      busy.push(sending.catch((error: unknown) => broken.push(`${name} has given up: ${String(error)}`)));
    }
    for (const place of places)
      busy.push(keepReading(place, recorder, seededFor(seed, `reads ${trial}`), stop.signal));
    const firstKeys = places.map((place, index) => ({ place, key: `first-${trial}-${index}` }));
    await Promise.all(firstKeys.map(({ place, key }) => probe(place, { key, recorder, mostMs: patienceMs })));
    await delay(calmMs);
    const begin = databaseFaults[kind];
    if (!begin) throw new Error(`there is no such kind of fault: ${kind}`);
    const fault = await begin(ground, random);
    const beganAt = performance.now();
    const isWell = (index: number): boolean => !fault.affected.includes(index);
    const served = Promise.all(
      places.map(async (place, index) =>
        isWell(index)
          ? await probe(place, { key: `during-${trial}-${index}`, recorder, mostMs: patienceMs })
          : beganAt,
      ),
    );
    const [least, most] = fault.lastsMs;
    await delay(least + random() * (most - least));
    await fault.end();
    const endedAt = performance.now();
    const recovered = await Promise.all(
      places.map((place, index) =>
        probe(place, { key: `after-${trial}-${index}`, recorder, mostMs: patienceMs }),
      ),
    );
    for (const [index, at] of recovered.entries())
      if (at - endedAt > promised.recoveryMs)
        broken.push(`after the fault store ${index} acknowledged nothing for ${Math.round(at - endedAt)} ms`);
    for (const [index, at] of (await served).entries())
      if (at - beganAt > promised.recoveryMs)
        broken.push(`amid the fault store ${index} acknowledged nothing for ${Math.round(at - beganAt)} ms`);
    await delay(calmMs);
    stop.abort();
    await Promise.all(busy);
    const keys = recorder.keys.filter((key) => key.startsWith('sender-'));
    for (const key of shuffled(keys, random).slice(0, sentAgain))
      await probe(pick(places, random), { key, recorder, mostMs: patienceMs });
    const [log = []] = await Promise.all(
      places.map((place) => again(() => readWhole(place, recorder), performance.now() + patienceMs)),
    );
    broken.push(...checkLinearizability(recorder.history(log)));
    return {
      words: `${fault.words} for ${((endedAt - beganAt) / 1_000).toFixed(1)} s`,
      acknowledged: recorder.acknowledged,
      slowest: { recovery: Math.max(...recovered) - endedAt },
      broken,
    };
  } finally {
    stop.abort();
    await Promise.all(busy);
  }
}

/** What a client would see of a node that had nothing but its store. */
function placeOn({ index, store }: StoreNode, { id: senderId, username: sender }: Account): Place {
  const calls = {
    async 'message.send'({ to, text, key }: { to: string; text: string; key: string }) {
      const outcome = await store.appendMessage({
        id: uuidV7() as MessageId,
        senderId,
        sender,
        to: parseConversationName(to),
        key,
        sentAt: Date.now(),
        body: { text },
      });
      if (!('seq' in outcome)) throw new ChatError('not-found', `refused: ${outcome.kind}`);
      return { id: outcome.id, seq: outcome.seq, sent_at: instantText(outcome.sentAt) };
    },
    async 'message.history'({ to, after, limit }: { to: string; after: number; limit: number }) {
      const view = await store.conversation({ userId: senderId, ref: parseConversationName(to) });
      if (!('id' in view)) throw new ChatError('not-found', `refused: ${view.kind}`);
      const rows = await store.messages({ conversation: view.id, after, limit });
      return {
        to,
        last_seq: view.lastSeq,
        messages: rows.map((row) => ({
          to,
          seq: row.seq,
          id: row.id,
          sender: row.sender,
          sent_at: instantText(row.sentAt),
          ...wireBody(row.body),
        })),
      };
    },
  };
  return {
    name: `store ${index}`,
    async open() {
      const closed = Promise.withResolvers<ChatError>();
      const connection: Connection = {
        server: { scheme: 'plain', host: `store-${index}`, port: 1 },
        identity: undefined,
        channelBinding: undefined,
        closed: closed.promise,
        call: (name, params, { timeoutMs } = {}) => {
          const answered = (calls[name as keyof typeof calls] as (input: unknown) => Promise<never>)(params);
          return timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY
            ? answered
            : Promise.race([answered, timedOut(timeoutMs)]);
        },
        onEvent: () => () => {},
        async close() {
          closed.resolve(new ChatError('unavailable', 'closed'));
        },
        pause() {},
        resume() {},
      };
      return connection;
    },
  };
}

async function timedOut(ms: number): Promise<never> {
  await delay(ms, undefined, { ref: false });
  throw new ChatError('timeout', `no answer within ${ms} ms`);
}
