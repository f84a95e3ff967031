import { createHmac } from 'node:crypto';
import { equalDigests } from '../../core/crypto/bytes.ts';

/** What a node says in one frame: notices, that it is there, or that it goes. */
export type FrameKind = 'notices' | 'beat' | 'bye';

/** What one node tells the others at a time. */
export interface Frame {
  readonly kind: FrameKind;
  /** Which run of which node says it: 16 bytes that each run makes anew, in hexadecimal. */
  readonly run: string;
  /** Counts this run's frames from 1. */
  readonly count: number;
  /** When it was made, by the clock of its node, UTC milliseconds. */
  readonly at: number;
  /** Text, JSON for notices. */
  readonly body: Buffer;
}

const version = 1;
const kinds: readonly FrameKind[] = ['notices', 'beat', 'bye'];
const runBytes = 16;
const macBytes = 32;
const runAt = 2;
const countAt = runAt + runBytes;
const timeAt = countAt + 6;
const bodyAt = timeAt + 6;

/** How many bytes a frame has besides its body. */
export const frameOverhead = bodyAt + macBytes;

/** Spells a frame, with an HMAC-SHA-256 over all of it at its end. */
export function sealFrame(key: Buffer, { kind, run, count, at, body }: Frame): Buffer {
  const bytes = Buffer.allocUnsafe(frameOverhead + body.length);
  bytes[0] = version;
  bytes[1] = kinds.indexOf(kind);
  bytes.write(run, runAt, 'hex');
  bytes.writeUIntBE(count, countAt, 6);
  bytes.writeUIntBE(at, timeAt, 6);
  body.copy(bytes, bodyAt);
  macOf(key, bytes).copy(bytes, bytes.length - macBytes);
  return bytes;
}

/** Reads a frame; undefined for one that nobody with the key has made, or that is of another version. */
export function openFrame(key: Buffer, bytes: Buffer): Frame | undefined {
  if (bytes.length < frameOverhead) return undefined;
  if (!equalDigests(macOf(key, bytes), bytes.subarray(-macBytes))) return undefined;
  const kind = kinds[bytes[1] ?? kinds.length];
  if (bytes[0] !== version || kind === undefined) return undefined;
  return {
    kind,
    run: bytes.toString('hex', runAt, countAt),
    count: bytes.readUIntBE(countAt, 6),
    at: bytes.readUIntBE(timeAt, 6),
    body: bytes.subarray(bodyAt, -macBytes),
  };
}

function macOf(key: Buffer, bytes: Buffer): Buffer {
  return createHmac('sha256', key).update(bytes.subarray(0, -macBytes)).digest();
}
