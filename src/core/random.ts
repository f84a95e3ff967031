import { v7 } from 'uuid';

/** Fills `length` bytes from the platform's cryptographic generator. */
export type RandomBytes = (length: number) => Uint8Array;

/** The platform is asked for so many bytes at a time: a question takes longer than the bytes. */
const pool = new Uint8Array(4_096);
/** How many of the pool's bytes have been given out. */
let given = pool.length;

const fromPlatform: RandomBytes = (length) => {
  if (length > pool.length / 8) return globalThis.crypto.getRandomValues(new Uint8Array(length));
  if (given + length > pool.length) {
    globalThis.crypto.getRandomValues(pool);
    given = 0;
  }
  const bytes = pool.slice(given, given + length);
  // What was given out is the caller's alone, and may be a secret.
  pool.fill(0, given, given + length);
  given += length;
  return bytes;
};

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
