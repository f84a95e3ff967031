import {
  jsonRpcEvents,
  jsonRpcNumbers,
  pingRequest,
  type RpcId,
  readFrame,
  writeError,
  writeResult,
} from '../../core/codecs/json-rpc.ts';
import type { ChatError } from '../../core/errors.ts';
import { ping } from '../../core/policy.ts';
import { pong } from '../../core/pong.ts';
import type { Arrival, Calls, DoorParts, OpenDoor } from './door.ts';
import { LineConnection, type LineLanguage } from './line-connection.ts';

/** Serves JSON-RPC 2.0, one object per line (protocol, "JSON-RPC 2.0 door"). */
export function openLineDoor(arrival: Arrival, parts: DoorParts): OpenDoor {
  const lines = new LineConnection(arrival, parts, { door: 'line', events: jsonRpcEvents });
  lines.start(new JsonRpc(lines, parts.calls));
  return lines;
}

/** One connection's JSON-RPC: answers carry their id, so that they may leave in any order. */
class JsonRpc implements LineLanguage {
  readonly #lines: LineConnection;
  readonly #calls: Calls;
  #hasHeard = true;
  #missedPings = 0;
  #pings = 0;
  #writtenAtPing = 0;

  constructor(lines: LineConnection, calls: Calls) {
    this.#lines = lines;
    this.#calls = calls;
    const heartbeat = setInterval(() => this.#beat(), ping.intervalMs);
    lines.connection.onGone(() => clearInterval(heartbeat));
  }

  takeLine(line: string): void {
    const frame = readFrame(line);
    if (frame.kind === 'bad') {
      this.#lines.say(writeError(null, frame.error, frame.rpcCode));
      this.#lines.noteBadLine();
      return;
    }
    if (frame.kind === 'answer') {
      this.#lines.noteLine();
      return;
    }
    this.#lines.noteCall();
    const { id, method, params } = frame;
    // The door's own: a ping must not wait behind calls that wait for the disk.
    if (method === 'ping') this.#answer(id, pong(Date.now()));
    else this.#lines.add(this.#calls.overlaps(method), () => this.#serve(id, method, params));
  }

  spell(error: ChatError): string {
    // What is not UTF-8 is not JSON either (RFC 8259 section 8.1).
    return writeError(null, error, error.code === 'invalid' ? jsonRpcNumbers.notJson : undefined);
  }

  onHeard(): void {
    this.#hasHeard = true;
  }

  async #serve(id: RpcId, method: string, params: unknown): Promise<void> {
    try {
      this.#answer(id, await this.#calls.call(this.#lines.connection, method, params));
    } catch (error) {
      if (id !== undefined) this.#lines.say(writeError(id, this.#lines.safe(error)));
    }
  }

  #answer(id: RpcId, result: unknown): void {
    if (id !== undefined) this.#lines.say(writeResult(id, result));
  }

  /** Every 30 s: a peer that was silent is asked; one that left two pings unanswered is gone. */
  #beat(): void {
    this.#lines.guard(() => {
      const { socket, connection } = this.#lines;
      // While its requests are not read, a peer that still takes answers shows that it is there.
      const { bytesWritten, writableLength } = socket;
      const taken = bytesWritten - writableLength;
      if (socket.isPaused() && taken > this.#writtenAtPing) this.#hasHeard = true;
      this.#writtenAtPing = taken;
      this.#missedPings = this.#hasHeard ? 0 : this.#missedPings + 1;
      this.#hasHeard = false;
      if (this.#missedPings >= ping.missed) {
        connection.destroy();
        return;
      }
      this.#pings += 1;
      this.#lines.say(pingRequest(this.#pings));
    });
  }
}
