import type { Peer } from '../../../src/core/peer.ts';
import type { Calls } from '../../../src/server/doors/door.ts';

/** One call that the door has handed over and that a test answers. */
export interface PendingCall {
  readonly peer: Peer;
  readonly name: string;
  readonly params: unknown;
  answer(result: unknown): void;
  refuse(error: unknown): void;
}

/** A chat whose `echo` answers its input at once, in which sends may overlap, and whose every other call waits for the test. */
export class FakeCalls implements Calls {
  readonly pending: PendingCall[] = [];
  readonly seen: string[] = [];
  readonly peers = new Set<Peer>();

  call(peer: Peer, name: string, params: unknown): Promise<unknown> {
    this.seen.push(name);
    this.peers.add(peer);
    if (name === 'echo') return Promise.resolve(params);
    return new Promise((resolve, reject) => {
      this.pending.push({ peer, name, params, answer: resolve, refuse: reject });
    });
  }

  /** Every token is alive. */
  identify(): Promise<void> {
    return Promise.resolve();
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  overlaps(name: string): boolean {
    return name === 'echo' || name === 'message.send' || name.startsWith('overlapping');
  }

  /** A turn of the event loop: nothing is fed here. */
  told(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
