/** What a frame is besides what it carries. */
export interface FrameKind {
  readonly opcode: number;
  readonly isFinal?: boolean;
  /** Says that the payload is compressed. */
  readonly isCompressed?: boolean;
  /** What the frame says that it carries, when that is not what is there, in bytes. */
  readonly announced?: number;
}

/** What a frame of a WebSocket may be (RFC 6455 section 5.2). */
export const opcodes = { continuation: 0, text: 1, binary: 2, ping: 9, pong: 10 } as const;

const mask = Uint8Array.of(1, 2, 3, 4);

/** A masked frame, as a client of a WebSocket sends it, right or wrong. */
export function clientFrame(
  payload: string | Uint8Array,
  kind: FrameKind = { opcode: opcodes.text },
): Buffer {
  const bytes = Buffer.from(payload);
  const { opcode, isFinal = true, isCompressed = false, announced = bytes.length } = kind;
  const header = Buffer.alloc(announced < 126 ? 2 : 10);
  header[0] = (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode;
  header[1] = 0x80 | (announced < 126 ? announced : 127);
  if (announced >= 126) header.writeBigUInt64BE(BigInt(announced), 2);
  const masked = bytes.map((byte, at) => byte ^ (mask[at % mask.length] ?? 0));
  return Buffer.concat([header, mask, masked]);
}
