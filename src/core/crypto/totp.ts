import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { HOTP, Secret, TOTP } from 'otpauth/bare';
import { randomBytes } from '../random.ts';
import { equalDigests, utf8 } from './bytes.ts';

/**
 * What every authenticator app does without being told otherwise, and many whatever they are told: SHA-1, six digits, 30 s
 * (RFC 6238 section 1.2). HMAC does not lean on what SHA-1 has lost.
 */
const algorithm = 'SHA1';
const digits = 6;
/** How long one code is shown, in milliseconds. */
export const stepMs = 30_000;
/** Steps that a clock may be off, each way (RFC 6238 section 5.2). */
const driftSteps = 1;
/** As long as SHA-1's output (RFC 4226 section 4, R6). */
const secretBytes = 20;

/** One that is made for an account: 160 random bits. */
export function newTotpSecret(): Uint8Array {
  return randomBytes(secretBytes);
}

/** A secret as people type it into an authenticator: base32 (RFC 4648 section 6) without padding. */
export function totpSecretText(secret: Uint8Array): string {
  return secretOf(secret).base32;
}

/** What an authenticator reads from a QR code; `issuer` is the name that it shows the account under. */
export function totpUri(secret: Uint8Array, issuer: string, username: string): string {
  const totp = new TOTP({
    issuer,
    label: username,
    secret: secretOf(secret),
    algorithm,
    digits,
    hmac: sha1Hmac,
  });
  return totp.toString();
}

/** The number of the step that is on at a time of UTC milliseconds (RFC 6238 section 4.2). */
export function totpStep(now: number): number {
  return Math.floor(now / stepMs);
}

/** The code of a step. */
export function totpCode(secret: Uint8Array, step: number): string {
  return HOTP.generate({ secret: secretOf(secret), algorithm, digits, counter: step, hmac: sha1Hmac });
}

/** The six digits that a person typed, with or without the space that authenticators show in their middle; undefined for any other text. */
export function parseTotpCode(typed: string): string | undefined {
  const plain = typed.trim();
  return /^\d{3}[ \u00a0\u202f]?\d{3}$/.test(plain) ? plain.slice(0, 3) + plain.slice(-3) : undefined;
}

/**
 * The step whose code this is: the one that is on, the one before or the one after, but none up to `lastStep`, which has been
 * used (RFC 6238 section 5.2). Undefined when it is the code of none. All of them are compared whatever the first ones come to.
 */
export function matchingStep(
  secret: Uint8Array,
  code: string,
  { now, lastStep }: { readonly now: number; readonly lastStep: number },
): number | undefined {
  const current = totpStep(now);
  let found: number | undefined;
  for (let step = current - driftSteps; step <= current + driftSteps; step++) {
    if (step < 0) continue;
    const isEqual = equalDigests(utf8(totpCode(secret, step)), utf8(code));
    if (isEqual && step > lastStep) found ??= step;
  }
  return found;
}

function secretOf(bytes: Uint8Array): Secret {
  return new Secret({ buffer: Uint8Array.from(bytes).buffer });
}

function sha1Hmac(_algorithm: string, key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(sha1, key, message);
}
