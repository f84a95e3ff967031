import type { Worker } from 'node:worker_threads';
import type { StretchInput } from '../../core/crypto/stretch.ts';
import { ChatError } from '../../core/errors.ts';
import type { PasswordStretcher, StretchRequest } from '../../core/ports/password-stretcher.ts';
import { Histogram, type HistogramFigures } from '../histogram.ts';
import { startThread, type ThreadName } from './program-parts.ts';

/** What a worker answers: one for each input, in order. */
export type StretchOutcome = { readonly secret: Uint8Array } | { readonly failure: string };

/** How a pool is built. */
export interface PasswordPoolOptions {
  /** Workers at most; each begins with the first password that needs it. */
  readonly workers: number;
  /** Passwords that may wait for a worker, in all and of one owner. */
  readonly maxWaiting?: number;
  readonly maxWaitingOfOwner?: number;
  /** Where a worker begins; a test has others. */
  readonly entry?: ThreadName | URL;
}

/** A {@link PasswordStretcher} that has threads. */
export interface PasswordPool extends PasswordStretcher {
  /** Ends the threads; what is under way or waiting is refused with `unavailable`. */
  close(): Promise<void>;
  figures(): PasswordFigures;
}

/** How busy a pool is, and was. */
export interface PasswordFigures {
  readonly workers: number;
  readonly busy: number;
  readonly waiting: number;
  /** Passwords that found no room to wait, in all or for their owner. */
  readonly refused: number;
  /** How long passwords waited for a worker, in seconds. */
  readonly waitSeconds: HistogramFigures;
}

interface Job extends StretchRequest {
  readonly input: StretchInput;
  /** By the clock of `performance`. */
  readonly since: number;
  resolve(secret: Uint8Array): void;
  reject(error: unknown): void;
}

interface Lane {
  readonly worker: Worker;
  job: Job | undefined;
}

/** Security 1.9. */
const defaultMaxWaiting = 64;
/** Half of all places, so that one address never takes every one of them. */
const defaultMaxWaitingOfOwner = 32;
const waitBounds = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** About four passwords at the default cost. */
const retryAfterMs = 1_000;

/**
 * How many workers a machine of so many cores should have: one core stays with the thread that serves everybody, which
 * a queue of passwords must not slow down.
 */
export function passwordWorkers(cores: number): number {
  return Math.max(1, Math.min(cores - 1, 8));
}

/**
 * Stretches passwords in worker threads, so that the thread that serves everybody never does (security 1.9). A thread that
 * dies takes its one password with it and is replaced at the next.
 */
export function passwordPool({
  workers,
  maxWaiting = defaultMaxWaiting,
  maxWaitingOfOwner = defaultMaxWaitingOfOwner,
  entry = 'password-worker',
}: PasswordPoolOptions): PasswordPool {
  const lanes = new Set<Lane>();
  let waiting: Job[] = [];
  const waitSeconds = new Histogram(waitBounds);
  let refusals = 0;
  let isClosed = false;

  function open(): Lane {
    const lane: Lane = { worker: startThread(entry, { name: 'password' }), job: undefined };
    lanes.add(lane);
    lane.worker.on('message', (outcome: StretchOutcome) => {
      const { job } = lane;
      lane.job = undefined;
      if ('secret' in outcome) job?.resolve(outcome.secret);
      else job?.reject(new Error(`a password could not be stretched: ${outcome.failure}`));
      advance();
    });
    lane.worker.on('error', (error) => lose(lane, error));
    lane.worker.on('exit', (code) => lose(lane, new Error(`a password worker ended with ${code}`)));
    return lane;
  }

  function lose(lane: Lane, error: unknown): void {
    if (!lanes.delete(lane)) return;
    lane.job?.reject(isClosed ? closed() : error);
    if (!isClosed) advance();
  }

  function freeLane(): Lane | undefined {
    for (const lane of lanes) if (!lane.job) return lane;
    return lanes.size < workers ? open() : undefined;
  }

  function advance(): void {
    dropUnwanted();
    while (waiting.length > 0) {
      const lane = freeLane();
      const job = lane && waiting.shift();
      if (!job) return;
      lane.job = job;
      waitSeconds.observe((performance.now() - job.since) / 1_000);
      lane.worker.postMessage(job.input);
    }
  }

  function dropUnwanted(): void {
    for (const job of waiting) if (!job.isWanted()) job.reject(unwanted());
    waiting = waiting.filter((job) => job.isWanted());
  }

  function refusal(owner: string): ChatError | undefined {
    if (isClosed) return closed();
    if (waiting.length >= maxWaiting) {
      return new ChatError('unavailable', 'too many passwords are being checked: try again', {
        retryAfterMs,
      });
    }
    if (waiting.filter((job) => job.owner === owner).length < maxWaitingOfOwner) return undefined;
    return new ChatError(
      'rate-limited',
      'too many passwords from your address are being checked: try again',
      { retryAfterMs },
    );
  }

  return {
    stretch(input, { owner, isWanted }) {
      dropUnwanted();
      const refused = refusal(owner);
      if (refused) {
        refusals += 1;
        return Promise.reject(refused);
      }
      return new Promise((resolve, reject) => {
        waiting.push({ input, since: performance.now(), owner, isWanted, resolve, reject });
        advance();
      });
    },
    figures: () => ({
      workers,
      busy: [...lanes].filter(({ job }) => job !== undefined).length,
      waiting: waiting.length,
      refused: refusals,
      waitSeconds: waitSeconds.read(),
    }),
    async close() {
      isClosed = true;
      for (const job of waiting.splice(0)) job.reject(closed());
      await Promise.all([...lanes].map((lane) => lane.worker.terminate()));
    },
  };
}

function closed(): ChatError {
  return new ChatError('unavailable', 'the server is ending');
}

function unwanted(): ChatError {
  return new ChatError('unavailable', 'the caller has gone');
}
