import { follow } from '../client/follow.ts';
import type { Open } from '../client/outbox.ts';
import { canonicalName, type StartingPoint } from '../client/starting-point.ts';
import { ChatError } from '../core/errors.ts';
import type { ConnectionState, Following, Message } from './contract.ts';

/** What is followed, and what becomes of a message. */
export interface FollowingParts {
  readonly open: Open;
  /** Canonical names; none means all own conversations. */
  readonly targets: readonly string[];
  readonly from: StartingPoint;
  readonly cursors: Readonly<Record<string, number>> | undefined;
  /** Whether a message is handed out. */
  readonly shows: (message: Message) => boolean;
  /** Makes of an encrypted message what its reader gets. */
  readonly openMessage: (message: Message, signal: AbortSignal) => Promise<Message>;
  readonly signal: AbortSignal;
  readonly onState: (state: ConnectionState) => void;
}

/** Before every message. */
const beginningOfTime = '1970-01-01T00:00:00.000Z';

/** Follows conversations as a loop does that can be stopped and gone on with. */
export function followConversations(parts: FollowingParts): Following {
  const { targets, signal } = parts;
  const kept = Object.entries(parts.cursors ?? {}).map(([to, seq]) => [canonicalName(to), seq] as const);
  const positions = new Map<string, number>(kept);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  let isRead = false;

  async function* messages(): AsyncGenerator<Message, void, undefined> {
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    const isResumed = parts.cursors !== undefined && targets.length === 0;
    try {
      const stream = follow({
        open: parts.open,
        targets,
        from: isResumed ? { since: beginningOfTime } : parts.from,
        cursors: new Map(positions),
        wholeLater: parts.cursors !== undefined,
        onStarts: (starts) => {
          for (const [to, after] of starts) positions.set(to, after);
        },
        signal: stopping.signal,
        onState: (state) =>
          parts.onState(state.kind === 'following' ? { kind: 'following', to: targets } : state),
      });
      for await (const message of stream) {
        const opened = parts.shows(message) ? await parts.openMessage(message, stopping.signal) : undefined;
        // A stop while it was opened leaves it for the next run.
        if (stopping.signal.aborted) return;
        positions.set(message.to, message.seq);
        if (opened) yield opened;
      }
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  return {
    get cursors() {
      return Object.fromEntries(positions);
    },
    stop,
    [Symbol.asyncIterator]() {
      if (isRead)
        throw new ChatError('conflict', 'these messages are read already: follow again, with their cursors');
      isRead = true;
      const reading = messages();
      return {
        next: () => reading.next(),
        // By itself a generator would wait for the next message first.
        return() {
          stop();
          return reading.return();
        },
      };
    },
  };
}
