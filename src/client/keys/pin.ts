import { equalDigests, fromBase64url, toBase64url } from '../../core/crypto/bytes.ts';
import type { SignedKeyRecord } from '../../core/e2ee/key-record.ts';

/** What a client remembers of another account's keys; base64url where it is bytes. */
export interface Pin {
  /** The identity key by which the account is known here: the first one seen, or one that was trusted since. */
  readonly identity: string;
  /** The newest record seen. */
  readonly seq: number;
  readonly digest: string;
  /** True when two people have compared their safety numbers. */
  readonly isVerified: boolean;
}

/**
 * How a record stands to what is remembered: `known` with the pin to remember from now on, or why it is not believed. `changed`:
 * another identity key, which only a person can trust; `older`: the server goes back behind what it has shown; `forked`: another
 * record of a number that was seen.
 */
export type Judgement = { readonly kind: 'known'; readonly pin: Pin } | { readonly kind: RefusedKind };

/** Why a record is not believed. */
export type RefusedKind = 'changed' | 'older' | 'forked';

/** The same in words; what to do about it stands behind them. */
export const refusalText: Readonly<Record<RefusedKind, (user: string) => string>> = {
  changed: (user) => `${user} has another identity key than the one known here`,
  older: (user) => `the server shows older keys of ${user} than it has shown before`,
  forked: (user) => `the server shows other keys of ${user} than it has shown before under the same number`,
};

/** The pin of a record that a person, or the first sight of it, has made the account's. */
export function pinOfRecord({ keys, seq, digest }: SignedKeyRecord, isVerified = false): Pin {
  return { identity: toBase64url(keys.identity), seq, digest: toBase64url(digest), isVerified };
}

/** Judges the newest record that the server shows of an account. */
export function judgeRecord(pin: Pin | undefined, record: SignedKeyRecord): Judgement {
  if (!pin) return { kind: 'known', pin: pinOfRecord(record) };
  if (!isIdentity(pin, record)) return { kind: 'changed' };
  if (record.seq < pin.seq) return { kind: 'older' };
  if (record.seq > pin.seq) return { kind: 'known', pin: pinOfRecord(record, pin.isVerified) };
  return toBase64url(record.digest) === pin.digest ? { kind: 'known', pin } : { kind: 'forked' };
}

/** True when a record, also an old one, was signed by the identity that is remembered. */
export function isIdentity(pin: Pin, { keys }: SignedKeyRecord): boolean {
  const known = fromBase64url(pin.identity);
  return known !== undefined && equalDigests(known, keys.identity);
}
