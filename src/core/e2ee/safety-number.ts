import { sha512 } from '@noble/hashes/sha2.js';
import type { Username } from '../model/username.ts';
import { writeFields } from './fields.ts';

/** Whose identity key two people compare. */
export interface Identity {
  readonly user: Username;
  /** Ed25519, 32 bytes. */
  readonly key: Uint8Array;
}

/** Hashed so often that looking for a key with another one's digits costs as much more. */
const rounds = 5_200;
const groupsOfEach = 6;
const bytesPerGroup = 5;

/**
 * The 60 digits that two people read to each other to know that nobody stands between them (security 5): twelve groups of five, the same
 * whoever asks, another for each pair, server and key.
 */
export function safetyNumber(realm: string, one: Identity, other: Identity): string {
  const [first, second] = [one, other]
    .sort((a, b) => (a.user < b.user ? -1 : 1))
    .map((id) => digitsOf(realm, id));
  return `${first} ${second}`;
}

function digitsOf(realm: string, { user, key }: Identity): string {
  const identity = writeFields(['chat-safety-number-v1', realm, user, key]);
  let digest = sha512(identity);
  for (let round = 1; round < rounds; round++) digest = sha512(writeFields([digest, identity]));
  const groups: string[] = [];
  for (let group = 0; group < groupsOfEach; group++) {
    let value = 0;
    for (const byte of digest.subarray(group * bytesPerGroup, (group + 1) * bytesPerGroup))
      value = value * 256 + byte;
    groups.push(String(value % 100_000).padStart(5, '0'));
  }
  return groups.join(' ');
}
