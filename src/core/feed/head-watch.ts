import type { ConversationId } from '../model/ids.ts';
import { headCheckMs, headGraceMs } from '../policy.ts';
import type { Bus } from '../ports/bus.ts';
import type { ConversationHead } from '../ports/store/conversations.ts';
import type { Store } from '../ports/store.ts';

/** Asks the store again and again where conversations end, so that a notice that was lost delays a message and no more. */
export interface HeadWatch {
  stop(): void;
}

/** What a watch of heads needs. */
export interface HeadWatchParts {
  readonly store: Pick<Store, 'heads'>;
  readonly bus: Bus;
  /** The conversations that matter here at this moment. */
  readonly conversations: () => readonly ConversationId[];
  /** True when something was stored in a conversation that has not been seen here. */
  readonly isBehind: (head: ConversationHead) => boolean;
  /** Told of the conversations that are still behind after what was on its way has had the time to arrive. */
  readonly onBehind: (head: ConversationHead) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/** Builds the watch of one node. One question at a time, none while nothing matters; a row of failures is told of once. */
export function createHeadWatch(parts: HeadWatchParts): HeadWatch {
  const { store, bus, isBehind, onBehind, onFailure } = parts;
  let isAsking = false;
  /** True when the question that is asked was asked too early. */
  let isDueAgain = false;
  let isFailing = false;
  let isStopped = false;
  const graces = new Set<ReturnType<typeof setTimeout>>();

  function failed(error: unknown): void {
    if (!isFailing) onFailure(error);
    isFailing = true;
  }

  async function look(): Promise<void> {
    if (isAsking) {
      isDueAgain = true;
      return;
    }
    isAsking = true;
    try {
      do {
        isDueAgain = false;
        await ask();
      } while (isDueAgain && !isStopped);
      isFailing = false;
    } catch (error) {
      failed(error);
    } finally {
      isAsking = false;
    }
  }

  async function ask(): Promise<void> {
    const ids = parts.conversations();
    if (ids.length === 0) return;
    const behind = (await store.heads(ids)).filter(isBehind);
    if (behind.length === 0 || isStopped) return;
    const grace = setTimeout(() => {
      graces.delete(grace);
      void tell(behind);
    }, headGraceMs);
    graces.add(grace);
  }

  async function tell(behind: readonly ConversationHead[]): Promise<void> {
    for (const head of behind) {
      // One after the other: nobody is helped by a store that is asked for everything at once.
      if (!isStopped && isBehind(head)) await onBehind(head).catch(failed);
    }
  }

  const timer = setInterval(() => {
    // What is due again is due only in doubt: the clock comes round by itself.
    if (!isAsking) void look();
  }, headCheckMs);
  const unsubscribe = bus.onDoubt?.(() => void look());

  return {
    stop() {
      isStopped = true;
      clearInterval(timer);
      for (const grace of graces) clearTimeout(grace);
      unsubscribe?.();
    },
  };
}
