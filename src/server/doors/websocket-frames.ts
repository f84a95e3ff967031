import { eventText } from '../../core/codecs/json-rpc.ts';
import type { EventCodec } from '../../core/events.ts';

/** FIN and the opcode of a frame (RFC 6455 section 5.2); ours are whole, unmasked and not compressed. */
const firstByte = { text: 0x81, ping: 0x89, pong: 0x8a } as const;
/** Lengths up to this stand in the second byte; longer ones in two or eight bytes after it. */
const maxShort = 125;
const maxMedium = 0xffff;

/** Spells each text as one WebSocket message of one frame; all of them are one buffer. */
export function textFrames(texts: readonly string[]): Buffer {
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + headerLength(size) + size, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) {
    at = writeHeader(frames, at, firstByte.text, sizes[index] ?? 0);
    at += frames.write(text, at);
  }
  return frames;
}

/** A ping that carries nothing. */
export const pingFrame: Uint8Array = Uint8Array.of(firstByte.ping, 0);

/** The answer to a ping that carried `payload`: 125 bytes at most (RFC 6455 section 5.5). */
export function pongFrame(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(firstByte.pong, payload.length), payload]);
}

/** Events as one JSON-RPC notification per message, framed once for every WebSocket. */
export const websocketEvents: EventCodec = {
  name: 'websocket',
  encode: (events) => textFrames(events.map(eventText)),
};

function headerLength(size: number): number {
  if (size <= maxShort) return 2;
  return size <= maxMedium ? 4 : 10;
}

function writeHeader(frames: Buffer, at: number, first: number, size: number): number {
  frames[at] = first;
  if (size <= maxShort) {
    frames[at + 1] = size;
    return at + 2;
  }
  if (size <= maxMedium) {
    frames[at + 1] = 126;
    return frames.writeUInt16BE(size, at + 2);
  }
  frames[at + 1] = 127;
  return frames.writeBigUInt64BE(BigInt(size), at + 2);
}
