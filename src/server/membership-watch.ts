import type { MembershipNote } from '../core/feed/membership-notes.ts';

/** How a store tells who entered and left since the last question; the first one only says where to begin. */
export type ReadMemberships<Cursor> = (since?: Cursor) => Promise<{
  readonly changes: readonly MembershipNote[];
  /** False when changes may be missing. */
  readonly isWhole: boolean;
  readonly next: Cursor;
}>;

/** What a watch of memberships needs. */
export interface MembershipWatchParts<Cursor> {
  readonly read: ReadMemberships<Cursor>;
  /** Takes the notes, as core's `noteMemberships`. */
  readonly onNotes: (notes: readonly MembershipNote[] | 'anything') => void;
  readonly everyMs: number;
  readonly onFailure: (error: unknown) => void;
}

/** A watch that runs. */
export interface MembershipWatch {
  /** Asks at once, or once more when it is asking: notices may have been lost. */
  lookNow(): void;
  stop(): void;
}

/** Asks the store again and again who has entered and left. One question at a time; a row of failures is told of once. */
export function watchMemberships<Cursor>({
  read,
  onNotes,
  everyMs,
  onFailure,
}: MembershipWatchParts<Cursor>): MembershipWatch {
  let since: Cursor | undefined;
  let isAsking = false;
  let isDueAgain = false;
  let isFailing = false;
  let isStopped = false;

  async function look(): Promise<void> {
    if (isAsking || isStopped) return;
    isAsking = true;
    try {
      do {
        isDueAgain = false;
        const { changes, isWhole, next } = await read(since);
        if (isStopped) return;
        since = next;
        isFailing = false;
        onNotes(isWhole ? changes : 'anything');
      } while (isDueAgain);
    } catch (error) {
      if (!isFailing && !isStopped) onFailure(error);
      isFailing = true;
    } finally {
      isAsking = false;
    }
  }

  void look();
  const timer = setInterval(() => void look(), everyMs);
  return {
    lookNow() {
      isDueAgain = true;
      void look();
    },
    stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
}
