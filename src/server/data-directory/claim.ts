import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Who holds a directory, in words for people. */
export interface Holder {
  readonly pid: number;
  /** ISO 8601. */
  readonly since: string;
}

/** One process's claim on a directory, as its socket tells it. */
export interface Claim extends Holder {
  state: 'claiming' | 'held';
}

/** A live process answers at once; one that does not is stopped, not gone. */
const answerMs = 2_000;

/** How often one that hung up is asked again. */
const pollMs = 10;

/**
 * Asks the socket at `path` what its claim is. `gone`: nobody listens there, or it was removed. `silent`: somebody does, but
 * says nothing that can be understood within two seconds, or cannot be asked.
 */
export async function askClaim(path: string): Promise<Claim | 'gone' | 'silent'> {
  const deadline = performance.now() + answerMs;
  for (;;) {
    const left = Math.max(0, deadline - performance.now());
    const answer = await askOnce(path, left);
    if (answer !== 'hung-up') return answer;
    if (left === 0) return 'silent';
    await delay(pollMs);
  }
}

/** `hung-up`: it closed before it told; most likely it has just given way, and is gone when asked again. */
function askOnce(path: string, timeoutMs: number): Promise<Claim | 'gone' | 'silent' | 'hung-up'> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path);
    const finish = (answer: Claim | 'gone' | 'silent' | 'hung-up'): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish('silent'), timeoutMs);
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
    });
    socket.on('end', () => finish(text === '' ? 'hung-up' : (parseClaim(text) ?? 'silent')));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNRESET' || code === 'EPIPE') return finish('hung-up');
      // Every other failure is one of asking: a full queue, a missing permission.
      finish(code === 'ECONNREFUSED' || code === 'ENOENT' ? 'gone' : 'silent');
    });
  });
}

function parseClaim(text: string): Claim | undefined {
  try {
    const { state, pid, since } = JSON.parse(text) as Record<keyof Claim, unknown>;
    if ((state !== 'claiming' && state !== 'held') || typeof pid !== 'number' || typeof since !== 'string') {
      return undefined;
    }
    return { state, pid, since: since.slice(0, 30) };
  } catch {
    return undefined;
  }
}
