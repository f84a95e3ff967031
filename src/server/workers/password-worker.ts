import { constants, getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { type StretchInput, stretch } from '../../core/crypto/stretch.ts';
import type { StretchOutcome } from './password-pool.ts';

/** How far this thread stands behind those that serve everybody, where there are too few cores for all. */
const niceness = 10;

// Linux alone counts it by thread; elsewhere it would be the whole server's.
if (process.platform === 'linux') {
  try {
    setPriority(Math.min(getPriority() + niceness, constants.priority.PRIORITY_LOW));
  } catch {
    // Where a sandbox forbids it, passwords are checked all the same.
  }
}

/** Stretches one password at a time for `passwordPool`; an entry point of the build. */
parentPort?.on('message', async (input: StretchInput) => {
  const outcome = await stretch(input).then(
    (secret): StretchOutcome => ({ secret }),
    (error: unknown): StretchOutcome => ({ failure: error instanceof Error ? error.message : String(error) }),
  );
  parentPort?.postMessage(outcome);
});
