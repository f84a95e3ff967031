import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { ChatError } from '../../../core/errors.ts';
import { Memory } from '../queries/memory.ts';
import { hold, runBatch } from './batches.ts';
import type { CallMessage, ResultMessage } from './calls.ts';
import { type DatabaseOptions, openDatabase, type SqliteDatabase } from './database.ts';
import { type StoreGauges, storeGauges } from './gauges.ts';
import { systemFiles } from './host-files.ts';
import { indexer } from './indexer.ts';
import { timedHost } from './timed-host.ts';

/** What the worker tells its store. */
export type WorkerMessage =
  | { readonly kind: 'opened' }
  | { readonly kind: 'refused'; readonly code: ChatError['code']; readonly message: string }
  | { readonly kind: 'results'; readonly results: readonly ResultMessage[] }
  | { readonly kind: 'held'; readonly failure: ResultMessage | undefined }
  | { readonly kind: 'fatal'; readonly message: string }
  | { readonly kind: 'closed' };

/** What a store tells its worker: calls, that the file is to stay as it is for a while (`hold`, until `release`), or that it is to close. */
export type StoreMessage = readonly CallMessage[] | 'hold' | 'release' | 'close';

/** Calls in one commit at most, so that the first of them does not wait for ever. */
const maxBatch = 8_192;

/**
 * Serves one store on `port` until it is told to close, or until it cannot promise anything any more: then it tells so, answers
 * nothing, and touches the files no more.
 */
export async function serveStore(
  port: MessagePort,
  { host = systemFiles, ...options }: DatabaseOptions,
  gauges: StoreGauges = storeGauges(),
): Promise<void> {
  const tell = (message: WorkerMessage): void => port.postMessage(message);
  let database: SqliteDatabase;
  try {
    database = timedCommits(await openDatabase({ ...options, host: timedHost(host, gauges) }), gauges);
  } catch (error) {
    const { code, message } =
      error instanceof ChatError ? error : { code: 'internal' as const, message: String(error) };
    tell({ kind: 'refused', code, message });
    port.close();
    return;
  }
  tell({ kind: 'opened' });
  const on = { database, memory: new Memory() };
  let isOver = false;
  const index = indexer(on, giveUp, undefined, (lag) => gauges.set('indexLag', lag));

  function giveUp(error: unknown): void {
    isOver = true;
    index.stop();
    tell({ kind: 'fatal', message: error instanceof Error ? error.message : String(error) });
    port.close();
    // No goodbye: closing in order would write.
    database.abandon();
  }

  function serve(calls: readonly CallMessage[]): void {
    if (calls.length === 0) return;
    guard(() => {
      const start = performance.now();
      const results = runBatch(on, calls);
      gauges.batchSeconds.observe((performance.now() - start) / 1_000);
      gauges.batchCalls.observe(calls.length);
      tell({ kind: 'results', results });
      index.note(calls, results);
    });
  }

  /** Runs what may find that nothing can be promised any more, and throws then. */
  function guard(work: () => void): void {
    if (isOver) return;
    try {
      work();
    } catch (error) {
      giveUp(error);
    }
  }

  port.on('message', (first: StoreMessage) => {
    let calls: CallMessage[] = [];
    let next: StoreMessage | undefined = first;
    // Everything that arrived while the last commit ran goes into this one.
    while (next !== undefined && next !== 'close') {
      if (next === 'hold' || next === 'release') {
        serve(calls);
        calls = [];
        const isHold = next === 'hold';
        guard(() => (isHold ? tell({ kind: 'held', failure: hold(database) }) : database.release()));
        next = (receiveMessageOnPort(port) as { message: StoreMessage } | undefined)?.message;
        continue;
      }
      calls = calls.length === 0 ? [...next] : calls.concat(next);
      if (calls.length >= maxBatch) {
        serve(calls);
        calls = [];
      }
      next = (receiveMessageOnPort(port) as { message: StoreMessage } | undefined)?.message;
    }
    serve(calls);
    if (next === 'close' && !isOver) {
      isOver = true;
      index.stop();
      database.close();
      tell({ kind: 'closed' });
      port.close();
    }
  });
}

/** A database that tells how long its commits take. */
function timedCommits(database: SqliteDatabase, { commitSeconds }: StoreGauges): SqliteDatabase {
  return {
    ...database,
    execute(sql) {
      if (sql !== 'COMMIT') return database.execute(sql);
      const start = performance.now();
      database.execute(sql);
      commitSeconds.observe((performance.now() - start) / 1_000);
    },
  };
}
