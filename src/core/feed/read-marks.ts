import type { ConversationId, UserId } from '../model/ids.ts';
import type { Peer } from '../peer.ts';
import { readMarkIntervalMs } from '../policy.ts';
import type { Store } from '../ports/store.ts';

/**
 * The read markers of connections that cannot say what was read (the slash door): what their transport has taken counts. A
 * marker is written every 30 s and when its reader goes, so that a server that is killed repeats a few messages and never
 * skips one.
 */
export interface ReadMarks {
  /** Begins for one conversation of one connection, whose marker stands at `from`. */
  open(peer: Peer, place: ReadPlace, from: number): ReadMark;
  stop(): void;
}

/** Whose marker of which conversation. */
export interface ReadPlace {
  readonly conversation: ConversationId;
  readonly userId: UserId;
}

/** One conversation's marker on one connection. */
export interface ReadMark {
  /** Everything up to `seq` was handed to the connection. */
  given(seq: number): void;
  /** Writes what was taken, then what a connection that closes in order still takes, and forgets the rest. */
  close(): void;
}

interface Entry {
  readonly peer: Peer;
  readonly place: ReadPlace;
  given: number;
  taken: number;
  marked: number;
  isWaiting: boolean;
  isClosed: boolean;
}

/** Builds the read markers of one node. */
export function createReadMarks(
  store: Pick<Store, 'markRead'>,
  onFailure: (error: unknown) => void,
): ReadMarks {
  const entries = new Set<Entry>();
  const timer = setInterval(() => entries.forEach(write), readMarkIntervalMs);

  function write(entry: Entry): void {
    if (entry.taken <= entry.marked) return;
    entry.marked = entry.taken;
    store.markRead({ ...entry.place, seq: entry.taken }).catch(onFailure);
  }

  async function waitUntilTaken(entry: Entry): Promise<void> {
    entry.isWaiting = true;
    while (entry.taken < entry.given) {
      const { given } = entry;
      // What a connection had not taken when it went was not read.
      if (!(await entry.peer.taken())) return;
      entry.taken = given;
    }
    entry.isWaiting = false;
    if (entry.isClosed) write(entry);
  }

  return {
    open(peer, place, from) {
      const entry: Entry = {
        peer,
        place,
        given: from,
        taken: from,
        marked: from,
        isWaiting: false,
        isClosed: false,
      };
      entries.add(entry);
      return {
        given(seq) {
          entry.given = Math.max(entry.given, seq);
          if (!entry.isWaiting) void waitUntilTaken(entry);
        },
        close() {
          write(entry);
          entry.isClosed = true;
          entries.delete(entry);
        },
      };
    },
    stop() {
      clearInterval(timer);
    },
  };
}
