import { ChatError } from './errors.ts';
import { createMessageRate } from './message-rate.ts';
import { keyChangesPerHour, mailLimits, type Policy } from './policy.ts';
import type { Bus } from './ports/bus.ts';
import type { Counter } from './ports/counter.ts';
import type { Meter } from './ports/meter.ts';
import { createTakenMessages } from './taken-messages.ts';

/** What is rare enough to be counted for all nodes together, each kind by its own keys. */
export type RareKind =
  | 'login'
  | 'registration'
  | 'join'
  | 'search'
  | 'export'
  | 'keys'
  | 'mail-request'
  | 'mail';

/** How often things may be done (security 4). */
export interface Limits {
  /**
   * Takes one message of `key` at `now`; throws `rate-limited` with the time until the next one is free. Counted on this node and
   * within the call: a message costs a few microseconds in all, and those of one connection stay in their order. A promise
   * each, or a question to another machine, would cost more than the rest; so the other nodes are told a moment later.
   */
  takeMessage(key: string, now: number): void;
  /** Takes one of `key`, counted wherever the counter counts; rejects with `rate-limited` and how long its window still lasts. */
  take(kind: RareKind, key: string): Promise<void>;
  /** Stops telling other nodes, and listening to them. */
  stop(): void;
}

interface Window {
  /** How many of a key pass in one window; 0 for any number. */
  readonly most: number;
  /** Begins with the first of a key. */
  readonly windowMs: number;
  readonly what: string;
}

const minuteMs = 60_000;
const hourMs = 3_600_000;

/** What limits need from their surroundings. */
export interface LimitsParts {
  readonly policy: Policy;
  readonly counter: Counter;
  readonly bus: Bus;
  /** Told of each refusal. */
  readonly meter?: Pick<Meter, 'limited'> | undefined;
}

/** Builds the limits of one node; a number of 0 in the policy switches that limit off. */
export function createLimits({ policy, counter, bus, meter }: LimitsParts): Limits {
  const windows: Readonly<Record<RareKind, Window>> = {
    login: { most: policy.loginsPerMinute, windowMs: minuteMs, what: 'logins' },
    registration: { most: policy.registrationsPerHour, windowMs: hourMs, what: 'registrations' },
    join: { most: policy.joinsPerMinute, windowMs: minuteMs, what: 'rooms made, entered or left' },
    search: { most: policy.searchesPerMinute, windowMs: minuteMs, what: 'searches' },
    'mail-request': { most: mailLimits.requestsPerHour, windowMs: hourMs, what: 'requests for mail' },
    mail: { most: mailLimits.codesPerHour, windowMs: hourMs, what: 'mails' },
    export: { most: policy.exportsPerHour, windowMs: hourMs, what: 'exports' },
    keys: { most: keyChangesPerHour, windowMs: hourMs, what: 'changes of keys' },
  };
  const messages = createMessageRate(policy.messagesPerSecond);
  const taken = createTakenMessages(bus, messages);

  function refused(kind: RareKind | 'message', what: string, retryAfterMs: number): ChatError {
    meter?.limited(kind);
    return tooMany(what, retryAfterMs);
  }

  return {
    takeMessage(key, now) {
      const retryAfterMs = messages.take(key, now);
      if (retryAfterMs > 0) throw refused('message', 'messages', retryAfterMs);
      if (policy.messagesPerSecond > 0) taken.passed(key);
    },
    async take(kind, key) {
      const { most, windowMs, what } = windows[kind];
      if (most === 0) return;
      const retryAfterMs = await counter.take(`${kind} ${key}`, most, windowMs);
      if (retryAfterMs > 0) throw refused(kind, what, retryAfterMs);
    },
    stop: () => taken.stop(),
  };
}

function tooMany(what: string, retryAfterMs: number): ChatError {
  return new ChatError('rate-limited', `too many ${what}: wait before the next one`, { retryAfterMs });
}
