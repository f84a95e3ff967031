import { connect } from 'node:net';

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

/**
 * Asks the socket at `path` what its claim is. `gone`: nobody listens there, or it was removed. `silent`: somebody does, but
 * says nothing that can be understood, or cannot be asked.
 */
export function askClaim(path: string): Promise<Claim | 'gone' | 'silent'> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path);
    const finish = (answer: Claim | 'gone' | 'silent'): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish('silent'), answerMs);
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
    });
    socket.on('end', () => finish(parseClaim(text) ?? 'silent'));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
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
