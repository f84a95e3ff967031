import type { Connection } from '../../src/client/connection.ts';
import { history } from '../../src/client/follow.ts';
import { ChatError } from '../../src/core/errors.ts';
import { open } from './people.ts';
import { brokenPromises, type Found, type Sent } from './promises.ts';

/** Where a load sends to. */
export const targets = ['#lobby', '#ops', '@peer'] as const;

/** What is sent, by whom, and for how long. */
export interface Load {
  readonly port: number;
  readonly token: string;
  /** Stands in each text: no two loads of a campaign have the same. */
  readonly label: string;
  readonly random: () => number;
  /** Connections; each is a sender of its own, whose messages keep their order. */
  readonly senders?: number;
  /** What each keeps unanswered. */
  readonly window?: number;
  /** Messages of all senders, after which a load ends; without, it ends with the server or by `signal`. */
  readonly messages?: number;
  /** Characters of a text at least. */
  readonly size?: number;
  /** Between an answer and the next message, in milliseconds; without, none. */
  readonly pauseMs?: number;
  readonly signal?: AbortSignal;
  readonly onAcknowledged?: () => void;
  /** Told of what was refused on a connection that lives on. */
  readonly onRefused?: (error: ChatError) => void;
}

/** How long a sender waits after a refusal, in milliseconds. */
const refusedMs = 5;
/** Messages that are sent again and not answered yet. */
const againAtOnce = 32;

/** Keeps a server busy until the load is over or the server is; answers everything that was sent, with the answers that came. */
export async function sendLoad(load: Load): Promise<Sent[]> {
  const { port, token, label, random, senders = 4, window = 16, size = 0, pauseMs, signal } = load;
  const most = load.messages ?? Number.POSITIVE_INFINITY;
  const sent: Sent[] = [];
  await Promise.allSettled(
    Array.from({ length: senders }, async (_, sender) => {
      const connection = await open(port, token);
      let isOpen = true;
      void connection.closed.then(() => {
        isOpen = false;
      });
      let count = 0;
      const lane = async (): Promise<void> => {
        while (isOpen && !signal?.aborted && sent.length < most) {
          count += 1;
          const to = targets[Math.floor(random() * targets.length)] ?? '#lobby';
          const text = `${label}.${sender}.${count}`.padEnd(size, ' x');
          const index = sent.push({ to, text, sender, count, acknowledged: undefined }) - 1;
          try {
            const { seq, id } = await connection.call('message.send', { to, text, key: keyOf(text) });
            sent[index] = { to, text, sender, count, acknowledged: { seq, id } };
            load.onAcknowledged?.();
            if (pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, pauseMs));
          } catch (error) {
            if (!isOpen) return;
            if (error instanceof ChatError) load.onRefused?.(error);
            await new Promise((resolve) => setTimeout(resolve, refusedMs));
          }
        }
      };
      await Promise.all(Array.from({ length: window }, lane));
      await connection.close();
    }),
  );
  return sent;
}

/** The idempotency key of a text: its own name in the load. */
function keyOf(text: string): string {
  return text.split(' ', 1)[0] ?? text;
}

/**
 * Follows what the loads of one campaign have sent over all its trials: after each it reads what is new, sends again what had no
 * answer, and reads once more; then all of it stands once, in its place.
 */
export class Ledger {
  readonly #ends = new Map<string, number>();
  readonly #isElsewhere: (text: string) => boolean;

  /** `isElsewhere` knows the texts that somebody else sends to the same conversations. */
  constructor(isElsewhere: (text: string) => boolean = () => false) {
    this.#isElsewhere = isElsewhere;
  }

  /** Answers what is broken, one sentence each. */
  async check(port: number, token: string, sent: readonly Sent[]): Promise<string[]> {
    const connection = await open(port, token);
    try {
      const broken: string[] = [];
      for (const to of targets) {
        broken.push(
          ...brokenPromises(to, this.#endOf(to), await this.#read(connection, to), sent, this.#isElsewhere),
        );
      }
      const settled = await sendAgain(connection, sent, broken);
      for (const to of targets) {
        const found = await this.#read(connection, to);
        // Order is not asked again: what was sent again comes after what was sent later.
        const anyOrder = settled.map((message, index) => ({ ...message, sender: index }));
        broken.push(...brokenPromises(to, this.#endOf(to), found, anyOrder, this.#isElsewhere));
        this.#ends.set(to, found.at(-1)?.seq ?? this.#endOf(to));
      }
      return broken;
    } catch (error) {
      // A client believes no page that cannot be.
      if (!(error instanceof ChatError)) throw error;
      return [`looking at what is stored fails: ${error.message}`];
    } finally {
      await connection.close();
    }
  }

  #endOf(to: string): number {
    return this.#ends.get(to) ?? 0;
  }

  async #read(connection: Connection, to: string): Promise<Found[]> {
    return await readAll(connection, to, this.#endOf(to));
  }
}

/** Sends everything once more under its key, some at a time; answers it with the new answers, and adds to what is broken. */
async function sendAgain(
  connection: Connection,
  sent: readonly Sent[],
  broken: string[],
): Promise<readonly Sent[]> {
  const settled: Sent[] = [];
  for (let at = 0; at < sent.length; at += againAtOnce) {
    const some = sent.slice(at, at + againAtOnce).map(async (message) => {
      const { to, text, acknowledged } = message;
      const { seq, id } = await connection.call('message.send', { to, text, key: keyOf(text) });
      if (acknowledged && (acknowledged.seq !== seq || acknowledged.id !== id)) {
        broken.push(`${to}: ${keyOf(text)} sent again was answered ${seq} instead of ${acknowledged.seq}`);
      }
      return { ...message, acknowledged: { seq, id } };
    });
    settled.push(...(await Promise.all(some)));
  }
  return settled;
}

/** Reads what stands in a conversation after a place. */
export async function readAll(connection: Connection, to: string, after: number): Promise<Found[]> {
  const found: Found[] = [];
  for await (const { seq, id, text = '' } of history({ connection, to, from: { after } })) {
    found.push({ seq, id, text });
  }
  return found;
}

/** How many of what was sent was acknowledged. */
export function acknowledgedOf(sent: readonly Sent[]): number {
  return sent.filter(({ acknowledged }) => acknowledged !== undefined).length;
}
