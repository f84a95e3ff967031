import type { ConversationId } from '../../../core/model/ids.ts';
import type { AppendOutcome, NewMessage } from '../../../core/ports/store/messages.ts';
import { Memory } from '../queries/memory.ts';
import { appendMessage, findRoute, type MessageRow, placeAhead } from '../queries/messages.ts';
import { storedOutcome } from '../stored-outcome.ts';
import { attemptUntil, type Connections, jittered, type Patience } from './connections.ts';
import { insertMessages, writeHeads } from './insertions.ts';
import type { Session } from './session.ts';
import { type TransactionMeter, transaction, Unknown } from './transactions.ts';
import { Trouble } from './trouble.ts';

/** Messages in one commit at most. */
const maxBatch = 512;
/** A unique key that is in the way although nobody has it is no race after so many tries. */
const maxRaces = 5;
const conflictMs = 5;

/** Told of what sending costs. */
export interface AppendMeter extends TransactionMeter {
  batch(calls: number, seconds: number): void;
}

/** Store.appendMessage, for many at once. */
export interface Appends {
  append(message: NewMessage): Promise<AppendOutcome>;
  /** Calls that are not answered yet. */
  readonly waiting: number;
}

interface Waiting {
  /** Of all that write in the same conversation the same. */
  readonly place: string;
  readonly message: NewMessage;
  /** When it is given up. */
  readonly end: number;
  resolve(outcome: AppendOutcome): void;
  reject(error: unknown): void;
}

/**
 * Stores messages in group commits: what comes in while the commits before are under way goes into one transaction. So many of them run at a
 * time (`lanes`), never two with the same conversation, so that its messages keep the order in which they came; one that somebody else
 * holds keeps nobody waiting but those whose messages happened to be in one transaction with it, and those once.
 *
 * A transaction knows of a conversation what it has read since it holds its row. When the connection is lost while it commits, whether it
 * was stored is asked by the messages' ids on the next connection, and what was not is stored then: no message is lost, and none is
 * stored twice.
 */
export function appends(
  pool: Pick<Connections, 'use' | 'whenUp'>,
  lanes: number,
  patience: Patience,
  meter: AppendMeter,
): Appends {
  const line = new Map<string, Waiting[]>();
  /** Conversations of the transactions under way. */
  const busy = new Set<string>();
  /** Those that somebody else held the last time: they go alone. */
  const held = new Set<string>();
  let free = lanes;
  let isScheduled = false;
  let waiting = 0;

  function schedule(): void {
    if (isScheduled || free === 0 || line.size === 0) return;
    isScheduled = true;
    // Everything of this turn.
    setImmediate(() => {
      isScheduled = false;
      while (free > 0) {
        const batch = nextBatch();
        if (batch.length === 0) return;
        void serve(batch);
      }
    });
  }

  function nextBatch(): Waiting[] {
    const batch: Waiting[] = [];
    for (const [place, those] of line) {
      if (busy.has(place)) continue;
      const isHeld = held.has(place);
      if (isHeld && batch.length > 0) continue;
      const room = maxBatch - batch.length;
      batch.push(...those.splice(0, room));
      if (those.length === 0) line.delete(place);
      if (isHeld || batch.length >= maxBatch) break;
    }
    for (const { place } of batch) busy.add(place);
    // All nodes hold conversations in the same order, so that two of them never wait for each other.
    return batch.sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0));
  }

  async function serve(batch: Waiting[]): Promise<void> {
    free -= 1;
    const places = new Set(batch.map(({ place }) => place));
    const start = performance.now();
    try {
      await storeAll(batch);
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
    meter.batch(batch.length, (performance.now() - start) / 1_000);
    waiting -= batch.length;
    for (const place of places) busy.delete(place);
    free += 1;
    schedule();
  }

  /** Settles every one of them. */
  async function storeAll(batch: readonly Waiting[]): Promise<void> {
    let left = batch;
    /** True when some of them may be stored already. */
    let isUnsure = false;
    let isEachAlone = false;
    let isAhead = left.length > 1;
    let races = 0;
    while (left.length > 0) {
      const isTriedAhead = isAhead && !isUnsure && !isEachAlone;
      const tried: Tried = {
        batch: left,
        isUnsure,
        isEachAlone,
        isAhead: isTriedAhead,
        current: undefined,
      };
      try {
        const end = Math.max(...left.map((one) => one.end));
        const work = (session: Session) => attempt(session, tried, meter);
        const outcomes = await pool.use(work, attemptUntil(end, patience));
        for (const { place } of left) held.delete(place);
        settle(left, outcomes);
        return;
      } catch (error) {
        const { current } = tried;
        if (error instanceof KeyKnown) {
          isAhead = false;
          continue;
        }
        if (!(error instanceof Trouble)) {
          // A bug: whose it is shows when each is stored by itself.
          if (isEachAlone || left.length === 1) throw error;
          isEachAlone = true;
          continue;
        }
        meter.retried();
        isUnsure ||= error instanceof Unknown;
        if (error.kind === 'lost' || error.kind === 'down') left = await waitToSend(left, error, isUnsure);
        else if (error.kind === 'conflict') {
          left = giveUp(left, error, ({ end }) => end <= performance.now());
          await new Promise((resolve) => setTimeout(resolve, jittered(conflictMs)));
        } else if ((error.kind === 'locked' || error.kind === 'slow') && current) {
          held.add(current.place);
          const now = performance.now();
          // A table that is held holds up each conversation in turn: nobody waits for all of them.
          left = giveUp(left, error, ({ place, end }) => place === current.place || end <= now);
        } else if ((error.kind === 'locked' || error.kind === 'slow') && isTriedAhead) {
          // Which of them was held shows when each is stored by a statement of its own.
          isAhead = false;
          left = giveUp(left, error, ({ end }) => end <= performance.now());
        } else if (error.kind === 'race' && ++races <= maxRaces) continue;
        else if ((error.kind === 'race' || error.kind === 'other') && !isEachAlone && left.length > 1) {
          isEachAlone = true;
        } else throw error.kind === 'race' ? new Trouble('other', error.message, error) : error;
      }
    }
  }

  /** Those that are tried on another connection: the others are answered that it was lost. */
  async function waitToSend(
    left: readonly Waiting[],
    error: Trouble,
    isUnsure: boolean,
  ): Promise<readonly Waiting[]> {
    // Nothing of it is stored, and the database is known to be away: no use in keeping anybody.
    if (error.kind === 'down' && !isUnsure) throw error;
    const end = Math.min(...left.map((one) => one.end));
    await pool.whenUp(Math.max(end - performance.now(), 0));
    return giveUp(left, error, (one) => one.end <= performance.now());
  }

  return {
    get waiting() {
      return waiting;
    },
    append(message) {
      return new Promise((resolve, reject) => {
        const place = placeOf(message);
        const one = { place, message, end: performance.now() + patience.callMs, resolve, reject };
        const those = line.get(place);
        if (those) those.push(one);
        else line.set(place, [one]);
        waiting += 1;
        schedule();
      });
    },
  };
}

/** What a conversation is called by all who write in it. */
function placeOf({ sender, to }: NewMessage): string {
  if (to.kind === 'room') return `#${to.room}`;
  return `@${sender < to.peer ? `${sender}:${to.peer}` : `${to.peer}:${sender}`}`;
}

function settle(batch: readonly Waiting[], outcomes: readonly Outcome[]): void {
  for (const [index, one] of batch.entries()) {
    const outcome = outcomes[index];
    if (outcome && 'value' in outcome) one.resolve(outcome.value);
    else one.reject(outcome?.error);
  }
}

function giveUp(
  left: readonly Waiting[],
  error: unknown,
  isOver: (one: Waiting) => boolean,
): readonly Waiting[] {
  return left.filter((one) => {
    if (!isOver(one)) return true;
    one.reject(error);
    return false;
  });
}

type Outcome = { readonly value: AppendOutcome } | { readonly error: unknown };

interface Tried {
  readonly batch: readonly Waiting[];
  readonly isUnsure: boolean;
  /** True: one that fails undoes itself alone. */
  readonly isEachAlone: boolean;
  /** True: all of them go in one statement, as long as nobody is known to send again what is stored. */
  readonly isAhead: boolean;
  /** The one at which it failed. */
  current: Waiting | undefined;
}

function attempt(session: Session, tried: Tried, meter: TransactionMeter): Promise<Outcome[]> {
  return transaction(
    session,
    'locking',
    async () => {
      const memory = new Memory();
      if (tried.isAhead) return await ahead(session, tried, memory);
      const known = tried.isUnsure ? await storedBefore(session, tried.batch) : undefined;
      const outcomes: Outcome[] = [];
      for (const one of tried.batch) {
        tried.current = one;
        const stored = known?.get(one.message.id);
        if (stored) outcomes.push({ value: storedOutcome(one.message, stored.conversation, stored.seq) });
        else if (tried.isEachAlone) outcomes.push(await alone(session, one, memory));
        else outcomes.push({ value: await append(session, one, memory) });
      }
      tried.current = undefined;
      await writeHeads(session, memory);
      return outcomes;
    },
    meter,
  );
}

/** A message of the batch was stored before, by its key: those after it are not where they were placed. */
class KeyKnown extends Error {}

/** All of the batch in a few ways there and back, however many they are. */
async function ahead(session: Session, tried: Tried, memory: Memory): Promise<Outcome[]> {
  const { batch } = tried;
  /** What fails first is why: all that follows it in the transaction fails too. */
  async function of<Result>(one: Waiting, work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      tried.current ??= one;
      throw error;
    }
  }
  // Once for each sender in a conversation, in the order of the batch, in which all nodes hold conversations.
  const bySender = Map.groupBy(batch, ({ message, place }) => `${message.senderId} ${place}`);
  const firsts = [...bySender.values()].flatMap(([first]) => first ?? []);
  await Promise.all(firsts.map((one) => of(one, session.run(findRoute(one.message, memory)))));
  const outcomes: Outcome[] = [];
  let placed: MessageRow[] = [];
  async function insert(): Promise<void> {
    const rows = placed;
    placed = [];
    if (!(await insertMessages(session, rows))) throw new KeyKnown();
  }
  for (const one of batch) {
    const there = placeAhead(one.message, memory);
    if (there) {
      outcomes.push({ value: there.outcome });
      placed.push(there.row);
      continue;
    }
    // It is refused, or its conversation is made first.
    await insert();
    outcomes.push({ value: await of(one, append(session, one, memory)) });
  }
  // The heads go along: a transaction in which a key was known is undone with them.
  await Promise.all([insert(), writeHeads(session, memory)]);
  return outcomes;
}

async function append(session: Session, { message }: Waiting, memory: Memory): Promise<AppendOutcome> {
  return await session.run(appendMessage(message, memory));
}

async function alone(session: Session, one: Waiting, memory: Memory): Promise<Outcome> {
  await writeHeads(session, memory);
  await session.execute('SAVEPOINT one');
  try {
    const value = await append(session, one, memory);
    await session.execute('RELEASE one');
    return { value };
  } catch (error) {
    if (error instanceof Trouble && error.kind !== 'other' && error.kind !== 'race') throw error;
    memory.forget();
    await session.execute('ROLLBACK TO one');
    return { error };
  }
}

/** Which of them an earlier try has stored, whose commit was never answered. */
async function storedBefore(
  session: Session,
  batch: readonly Waiting[],
): Promise<ReadonlyMap<string, { conversation: ConversationId; seq: number }>> {
  const { rows } = await session.execute(
    'SELECT id, conversation_id, seq FROM messages WHERE id = ANY (SELECT json_array_elements_text($1::json))',
    [JSON.stringify(batch.map(({ message }) => message.id))],
  );
  return new Map(
    (rows as { id: string; conversation_id: number; seq: number }[]).map((row) => [
      row.id,
      { conversation: row.conversation_id as ConversationId, seq: row.seq },
    ]),
  );
}
