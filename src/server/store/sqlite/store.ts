import type { Worker } from 'node:worker_threads';
import { ChatError } from '../../../core/errors.ts';
import type { ConversationId } from '../../../core/model/ids.ts';
import type { NewMessage } from '../../../core/ports/store/messages.ts';
import type { Store } from '../../../core/ports/store.ts';
import { startThread } from '../../workers/program-parts.ts';
import { askedCredential, type NearestCredential } from '../nearest-credential.ts';
import type { ServerStore } from '../server-store.ts';
import { type StoreCall, storeCalls } from '../store-calls.ts';
import { storedOutcome } from '../stored-outcome.ts';
import { type CallMessage, callMessage, type ResultMessage } from './calls.ts';
import { type EmbeddedFigures, type StoreGauges, storeGauges } from './gauges.ts';
import type { StoreMessage, WorkerMessage } from './serve-store.ts';

/** A store whose database is one file on this machine. */
export interface EmbeddedStore extends ServerStore {
  readonly whileStill: NonNullable<ServerStore['whileStill']>;
  figures(): EmbeddedFigures;
}

/** Where an embedded store lives. */
export interface SqliteStoreOptions {
  /** The data directory; the database is `chat.db` in it. The caller holds the directory's lock. */
  readonly directory: string;
  /** Told once when the store can no longer promise anything: a sync failed or the worker died. The process must end. */
  readonly onFatal: (error: ChatError) => void;
}

interface Pending {
  readonly input: unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Opens the embedded store: all of SQLite in one worker, one message to it per turn of the event loop. Throws `unavailable` for
 * a database that is damaged, from a newer version, or not to be written.
 */
export function sqliteStore({ directory, onFatal }: SqliteStoreOptions): Promise<EmbeddedStore> {
  const gauges = storeGauges();
  const workerData = { directory, gauges: gauges.memory };
  return storeIn(startThread('store-worker', { workerData, name: 'store' }), onFatal, gauges);
}

/** The port's calls on a thread that runs `serveStore`; settled when that thread has opened its database. */
export async function storeIn(
  worker: Worker,
  onFatal: SqliteStoreOptions['onFatal'],
  gauges: StoreGauges = storeGauges(),
): Promise<EmbeddedStore> {
  const opening = Promise.withResolvers<void>();
  const closing = Promise.withResolvers<void>();
  let outgoing: CallMessage[] = [];
  /** Calls in the order in which they were made, which is the order of the answers. */
  let pending: Pending[] = [];
  let end: ChatError | undefined;
  /** Waits for the file to be still. */
  let holding: Pick<Pending, 'resolve' | 'reject'> | undefined;
  /** Done when nobody needs the file to be still any more. */
  let still: Promise<unknown> = Promise.resolve();

  function settle(results: readonly ResultMessage[]): void {
    const settled = pending.splice(0, results.length);
    for (const [index, { input, resolve, reject }] of settled.entries()) {
      const result = results[index];
      if (!result) continue;
      if (isStored(result)) resolve(storedOutcome(input as NewMessage, result[0], result[1]));
      else if ('value' in result) resolve(result.value);
      else reject(errorOf(result));
    }
  }

  function finish(error: ChatError): void {
    if (end) return;
    end = error;
    const lost = pending;
    pending = [];
    outgoing = [];
    for (const { reject } of lost) reject(error);
    holding?.reject(error);
    holding = undefined;
  }

  function fail(message: string): void {
    if (end) return;
    const error = new ChatError('unavailable', `the store has failed: ${message}`);
    finish(error);
    opening.reject(error);
    closing.resolve();
    onFatal(error);
  }

  worker.on('message', (message: WorkerMessage) => {
    switch (message.kind) {
      case 'opened':
        opening.resolve();
        break;
      case 'refused':
        end = new ChatError(message.code, message.message);
        opening.reject(end);
        break;
      case 'results':
        settle(message.results);
        break;
      case 'held':
        if (message.failure === undefined) holding?.resolve(undefined);
        else holding?.reject(errorOf(message.failure));
        holding = undefined;
        break;
      case 'fatal':
        fail(message.message);
        break;
      case 'closed':
        finish(new ChatError('unavailable', 'the store is closed'));
        closing.resolve();
        break;
    }
  });
  worker.on('error', (error) => fail(error instanceof Error ? error.message : String(error)));
  worker.on('exit', () => fail('its worker has ended'));

  function post(): void {
    const message: StoreMessage = outgoing;
    outgoing = [];
    if (message.length > 0) worker.postMessage(message);
  }

  function call(name: StoreCall, input: unknown): Promise<unknown> {
    if (end) return Promise.reject(end);
    return new Promise((resolve, reject) => {
      pending.push({ input, resolve, reject });
      outgoing.push(callMessage(name, input));
      // One message for all calls of this turn.
      if (outgoing.length === 1) setImmediate(post);
    });
  }

  function holdFile(): Promise<unknown> {
    if (end) return Promise.reject(end);
    return new Promise((resolve, reject) => {
      holding = { resolve, reject };
      // What was asked before is to be in the file.
      post();
      worker.postMessage('hold' satisfies StoreMessage);
    });
  }

  await opening.promise;
  const calls = Object.fromEntries(
    (Object.keys(storeCalls) as StoreCall[]).map((name) => [name, (input: unknown) => call(name, input)]),
  ) as unknown as Omit<Store, 'close'>;
  return {
    ...calls,
    async credential(username) {
      return askedCredential((await call('credential', username)) as NearestCredential | undefined);
    },
    async scrub(piece) {
      // It writes to the file.
      await still;
      return (await call('scrub', piece)) as Awaited<ReturnType<Store['scrub']>>;
    },
    async whileStill(work) {
      const before = still;
      const { promise, resolve } = Promise.withResolvers<void>();
      still = promise;
      try {
        await before;
        await holdFile();
        try {
          return await work();
        } finally {
          if (!end) worker.postMessage('release' satisfies StoreMessage);
        }
      } finally {
        resolve();
      }
    },
    figures: () => gauges.read(pending.length),
    async close() {
      await still;
      if (!end) {
        post();
        worker.postMessage('close' satisfies StoreMessage);
      }
      await closing.promise;
    },
  };
}

function errorOf(result: ResultMessage): Error {
  if ('error' in result) return new ChatError(result.error.code, result.error.message);
  return new Error('bug' in result ? result.bug : 'the store gave another answer');
}

function isStored(result: ResultMessage): result is readonly [ConversationId, number] {
  return Array.isArray(result);
}
