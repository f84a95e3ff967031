import { Worker } from 'node:worker_threads';
import { ChatError } from '../../../core/errors.ts';
import type { ConversationId } from '../../../core/model/ids.ts';
import type { NewMessage, Store } from '../../../core/ports/store.ts';
import { askedCredential, type NearestCredential } from '../queries/accounts.ts';
import { queries, type StoreCall } from '../queries/index.ts';
import { workerUrl } from './assets.ts';
import { type CallMessage, callMessage, type ResultMessage, storedOutcome } from './calls.ts';
import type { StoreMessage, WorkerMessage } from './serve-store.ts';

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
export function sqliteStore({ directory, onFatal }: SqliteStoreOptions): Promise<Store> {
  return storeIn(new Worker(workerUrl(), { workerData: { directory }, name: 'store' }), onFatal);
}

/** The port's calls on a thread that runs `serveStore`; settled when that thread has opened its database. */
export async function storeIn(worker: Worker, onFatal: SqliteStoreOptions['onFatal']): Promise<Store> {
  const opening = Promise.withResolvers<void>();
  const closing = Promise.withResolvers<void>();
  let outgoing: CallMessage[] = [];
  /** Calls in the order in which they were made, which is the order of the answers. */
  let pending: Pending[] = [];
  let end: ChatError | undefined;

  function settle(results: readonly ResultMessage[]): void {
    const settled = pending.splice(0, results.length);
    for (const [index, { input, resolve, reject }] of settled.entries()) {
      const result = results[index];
      if (!result) continue;
      if (isStored(result)) resolve(storedOutcome(input as NewMessage, result[0], result[1]));
      else if ('value' in result) resolve(result.value);
      else if ('error' in result) reject(new ChatError(result.error.code, result.error.message));
      else reject(new Error(result.bug));
    }
  }

  function finish(error: ChatError): void {
    if (end) return;
    end = error;
    const lost = pending;
    pending = [];
    outgoing = [];
    for (const { reject } of lost) reject(error);
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

  await opening.promise;
  const calls = Object.fromEntries(
    ([...Object.keys(queries), 'scrub'] as StoreCall[]).map((name) => [
      name,
      (input: unknown) => call(name, input),
    ]),
  ) as unknown as Omit<Store, 'close'>;
  return {
    ...calls,
    async credential(username) {
      return askedCredential((await call('credential', username)) as NearestCredential | undefined);
    },
    async close() {
      if (!end) {
        post();
        worker.postMessage('close' satisfies StoreMessage);
      }
      await closing.promise;
    },
  };
}

function isStored(result: ResultMessage): result is readonly [ConversationId, number] {
  return Array.isArray(result);
}
