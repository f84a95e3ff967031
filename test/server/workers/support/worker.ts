import { parentPort } from 'node:worker_threads';

/** A worker that does what the password says: answers it, waits for ever, fails, throws or ends. */
parentPort?.on('message', ({ password }: { password: string }) => {
  if (password.startsWith('wait')) return;
  if (password.startsWith('fail')) parentPort?.postMessage({ failure: 'the salt is too short' });
  else if (password.startsWith('throw')) throw new Error('out of memory');
  else if (password.startsWith('exit')) process.exit(3);
  else parentPort?.postMessage({ secret: new TextEncoder().encode(password) });
});
