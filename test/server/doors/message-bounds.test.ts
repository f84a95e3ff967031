import { describe, expect, it } from 'vitest';
import { MessageBounds } from '../../../src/server/doors/message-bounds.ts';
import { closeFrame, frame, opcodes } from '../support/websocket.ts';

/** Where a message is begun and not finished, after each byte. */
function inMessage(bytes: Buffer): boolean[] {
  const bounds = new MessageBounds();
  return [...bytes].map((byte) => {
    bounds.feed(Uint8Array.of(byte));
    return bounds.isInMessage;
  });
}

const within = (length: number): boolean[] => [...Array.from({ length: length - 1 }, () => true), false];

describe('the bounds of messages', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536])('are those of a frame of %i bytes', (length) => {
    const bytes = frame('x'.repeat(length));
    expect(inMessage(bytes)).toEqual(within(bytes.length));
  });

  it('are those of a frame that is not masked, and of control frames', () => {
    const bytes = [
      frame('xyz', { isMasked: false }),
      frame('', { opcode: opcodes.ping }),
      closeFrame(1000, 'bye'),
    ];
    expect(inMessage(Buffer.concat(bytes))).toEqual(bytes.flatMap(({ length }) => within(length)));
  });

  it('reach from the first fragment to the last, also over a ping and an empty fragment', () => {
    const bytes = Buffer.concat([
      frame('a', { isFinal: false }),
      frame('ping', { opcode: opcodes.ping }),
      frame('', { opcode: opcodes.continuation, isFinal: false }),
      frame('b', { opcode: opcodes.continuation }),
    ]);
    expect(inMessage(bytes)).toEqual(within(bytes.length));
  });

  it('do not depend on how the bytes were cut', () => {
    const bytes = Buffer.concat([frame('x'.repeat(200)), frame('y', { isFinal: false }), frame('z')]);
    for (let size = 1; size <= bytes.length; size++) {
      const bounds = new MessageBounds();
      for (let at = 0; at < bytes.length; at += size) bounds.feed(bytes.subarray(at, at + size));
      expect(bounds.isInMessage).toBe(false);
      bounds.feed(Uint8Array.of(0x81));
      expect(bounds.isInMessage).toBe(true);
    }
  });
});
