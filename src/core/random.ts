import { v7 } from 'uuid';

/** Fills `length` bytes from the platform's cryptographic generator. */
export type RandomBytes = (length: number) => Uint8Array;

const fromPlatform: RandomBytes = (length) => globalThis.crypto.getRandomValues(new Uint8Array(length));

let source: RandomBytes = fromPlatform;

/** Random bytes; the only source of chance in the project, so that a test can script it. */
export function randomBytes(length: number): Uint8Array {
  return source(length);
}

/** A UUID version 7 (RFC 9562): ordered by time, unguessable in its last 74 bits. */
export function uuidV7(): string {
  return v7({ random: randomBytes(16) });
}

/** Replaces the source of chance; answers a function that puts the platform's back. For tests. */
export function scriptRandomness(scripted: RandomBytes): () => void {
  source = scripted;
  return () => {
    source = fromPlatform;
  };
}
