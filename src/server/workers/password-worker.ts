import { parentPort } from 'node:worker_threads';
import { type StretchInput, stretch } from '../../core/crypto/stretch.ts';
import type { StretchOutcome } from './password-pool.ts';

/** Stretches one password at a time for `passwordPool`; an entry point of the build. */
parentPort?.on('message', async (input: StretchInput) => {
  const outcome = await stretch(input).then(
    (secret): StretchOutcome => ({ secret }),
    (error: unknown): StretchOutcome => ({ failure: error instanceof Error ? error.message : String(error) }),
  );
  parentPort?.postMessage(outcome);
});
