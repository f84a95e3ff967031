import { setTimeout as delay } from 'node:timers/promises';
import type { Stored } from '../client/send.ts';
import { ChatError, type ErrorCode } from '../core/errors.ts';
import type { CommandContext } from './command.ts';
import type { KeptEntry, KeptMessages } from './kept-messages.ts';
import { openSession } from './session.ts';

/** What the server will never take as it is; all else may pass: a network, a lock-out, a session that can be renewed. */
const forGood: readonly ErrorCode[] = [
  'invalid',
  'forbidden',
  'not-found',
  'conflict',
  'too-large',
  'unsupported',
];

/** True for a failure after which the same message may still be taken one day. */
export function isWorthKeeping(error: unknown): error is ChatError {
  return error instanceof ChatError && !forGood.includes(error.code);
}

/** How kept messages are sent. */
export interface OutboxRun {
  readonly context: CommandContext;
  readonly kept: KeptMessages;
  /** How long nothing may be acknowledged, in milliseconds. */
  readonly timeoutMs: number;
  /** Told of each message that the server has stored. */
  readonly onStored: (entry: KeptEntry, stored: Stored) => void;
}

/** What became of the entries that were tried. */
export interface OutboxOutcome {
  /** Messages that the server has stored. */
  readonly sent: number;
  readonly refused: readonly { readonly entry: KeptEntry; readonly error: ChatError }[];
}

/**
 * Sends entries in their order under the keys they were kept with, so that nothing is stored twice whatever was cut off
 * where; each is removed once all of it is stored. One that the server refuses for good is marked and does not hold up the others;
 * any other failure is thrown, and what was not sent stays.
 */
export async function sendKept(run: OutboxRun, entries: readonly KeptEntry[]): Promise<OutboxOutcome> {
  const refused: { entry: KeptEntry; error: ChatError }[] = [];
  let sent = 0;
  let at = 0;
  while (at < entries.length) {
    const group = sameConversation(entries, at);
    const { done, count, error } = await sendGroup(run, group);
    sent += count;
    at += done;
    if (error === undefined) continue;
    const entry = group[done];
    if (entry === undefined || isWorthKeeping(error) || !(error instanceof ChatError)) throw error;
    await run.kept.refuse(entry.id, { code: error.code, message: error.message });
    refused.push({ entry, error });
    at += 1;
  }
  return { sent, refused };
}

/** The entries from `at` on that go to one conversation, so that they share a connection. */
function sameConversation(entries: readonly KeptEntry[], at: number): readonly KeptEntry[] {
  const to = entries[at]?.to;
  const end = entries.findIndex((entry, index) => index > at && entry.to !== to);
  return entries.slice(at, end < 0 ? entries.length : end);
}

/** What came of entries for one conversation: how many are done and removed, and what stopped the next one. */
interface GroupOutcome {
  readonly done: number;
  readonly count: number;
  readonly error?: unknown;
}

async function sendGroup(
  { context, kept, timeoutMs, onStored }: OutboxRun,
  group: readonly KeptEntry[],
): Promise<GroupOutcome> {
  const to = group[0]?.to ?? '';
  /** By entry, how many messages are not stored yet; undefined while they are being read. */
  const open: { entry: KeptEntry; left: number; isRead: boolean }[] = [];
  let done = 0;
  let count = 0;
  let removing: Promise<unknown> = Promise.resolve();
  const settle = (): void => {
    for (let first = open[0]; first?.isRead && first.left === 0; first = open[0]) {
      const { id } = first.entry;
      open.shift();
      done += 1;
      removing = removing.then(() => kept.remove(id));
    }
  };
  const lines = async function* () {
    for (const entry of group) {
      const state = { entry, left: 0, isRead: false };
      open.push(state);
      for await (const message of kept.messages(entry.id)) {
        state.left += 1;
        yield message;
      }
      state.isRead = true;
      settle();
    }
  };
  try {
    await context.host.client.sendMany({
      open: async () => (await openSession(context)).connection,
      to,
      lines: lines(),
      timeoutMs,
      signal: context.signal,
      onRetry: (cause) => void context.output.detail(`trying again: ${cause.message}`),
      onAck: (_n, stored) => {
        const first = open.find(({ left }) => left > 0);
        if (first === undefined) return;
        first.left -= 1;
        count += 1;
        onStored(first.entry, stored);
        settle();
      },
    });
    await removing;
    return { done, count };
  } catch (error) {
    await removing;
    return { done, count, error };
  }
}

/** How often another process that sends is looked after, in milliseconds. */
const pollMs = 100;

/** Runs `work` as the only one who sends from the outbox, waiting for another who does for at most `waitMs`. */
export async function whenFree<T>(kept: KeptMessages, waitMs: number, work: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + waitMs;
  let isIn = false;
  for (;;) {
    try {
      return await kept.sending(() => {
        isIn = true;
        return work();
      });
    } catch (error) {
      const isBusy = !isIn && error instanceof ChatError && error.code === 'unavailable';
      if (!isBusy || performance.now() >= giveUpAt) throw error;
      await delay(pollMs);
    }
  }
}
