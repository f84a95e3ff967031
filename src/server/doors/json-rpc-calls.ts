import { type Frame, type RpcId, writeError, writeResult } from '../../core/codecs/json-rpc.ts';
import { pong } from '../../core/pong.ts';
import type { CallConnection } from './call-connection.ts';
import type { Calls } from './door.ts';

/** Serves the JSON-RPC of one connection: answers carry their id, so that they may leave in any order. */
export class JsonRpcCalls {
  readonly #peer: CallConnection;
  readonly #calls: Calls;

  constructor(peer: CallConnection, calls: Calls) {
    this.#peer = peer;
    this.#calls = calls;
  }

  take(frame: Frame): void {
    if (frame.kind === 'bad') {
      this.#peer.say(writeError(null, frame.error, frame.rpcCode));
      this.#peer.noteBad();
      return;
    }
    if (frame.kind === 'answer') {
      this.#peer.noteUnderstood();
      return;
    }
    this.#peer.noteCall();
    const { id, method, params } = frame;
    // The door's own: a ping must not wait behind calls that wait for the disk.
    if (method === 'ping') this.#answer(id, pong(Date.now()));
    else this.#peer.add(this.#calls.overlaps(method), () => this.#serve(id, method, params));
  }

  async #serve(id: RpcId, method: string, params: unknown): Promise<void> {
    try {
      this.#answer(id, await this.#calls.call(this.#peer.connection, method, params));
    } catch (error) {
      if (id !== undefined) this.#peer.say(writeError(id, this.#peer.safe(error)));
    }
  }

  #answer(id: RpcId, result: unknown): void {
    if (id !== undefined) this.#peer.say(writeResult(id, result));
  }
}
