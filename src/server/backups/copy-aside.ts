import { ChatError } from '../../core/errors.ts';
import { startThread } from '../workers/program-parts.ts';
import type { CopyMessage, CopyTask } from './copy-worker.ts';

/** What was copied. */
export interface Copied {
  readonly bytes: number;
  readonly sha256: Uint8Array;
}

/**
 * Copies a file on a thread of its own to one that is not there yet (0600), and syncs it. Rejects with the system's own error, and
 * with `unavailable` when `signal` aborts; what was written until then is left to the caller.
 */
export async function copyAside(task: CopyTask, signal: AbortSignal): Promise<Copied> {
  const worker = startThread('copy-worker', { workerData: task, name: 'copy' });
  const { promise, resolve, reject } = Promise.withResolvers<Copied>();
  const abort = () => void worker.terminate();
  worker.on('message', (message: CopyMessage) => {
    if (message.kind === 'copied') resolve({ bytes: message.bytes, sha256: message.sha256 });
    else reject(Object.assign(new Error(message.message), { code: message.code }));
  });
  worker.on('error', reject);
  // The thread has let go of both files then, whatever came before.
  const gone = new Promise<void>((done) => {
    worker.on('exit', () => {
      reject(new ChatError('unavailable', 'the copy was given up: the server is shutting down'));
      done();
    });
  });
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
    await gone;
  }
}
