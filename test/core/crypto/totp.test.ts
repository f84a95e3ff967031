import { describe, expect, it } from 'vitest';
import {
  matchingStep,
  newTotpSecret,
  parseTotpCode,
  totpCode,
  totpSecretText,
  totpStep,
  totpUri,
} from '../../../src/core/crypto/totp.ts';

/** RFC 6238 appendix B: the shared secret of the SHA-1 rows. */
const secret = new TextEncoder().encode('12345678901234567890');
/** Its table: seconds, step and code; of eight digits the last six are those of a six-digit code (RFC 4226 section 5.3). */
const table = [
  [59, 0x1, '94287082'],
  [1_111_111_109, 0x23523ec, '07081804'],
  [1_111_111_111, 0x23523ed, '14050471'],
  [1_234_567_890, 0x273ef07, '89005924'],
  [2_000_000_000, 0x3f940aa, '69279037'],
  [20_000_000_000, 0x27bc86aa, '65353130'],
] as const;

describe('RFC 6238', () => {
  it.each(table)('has at %i s the step and the code of appendix B', (seconds, step, code) => {
    expect(totpStep(seconds * 1_000)).toBe(step);
    expect(totpCode(secret, step)).toBe(code.slice(2));
  });

  it('changes its step at each full 30 s and not a millisecond before', () => {
    expect([29_999, 30_000, 59_999, 60_000].map(totpStep)).toEqual([0, 1, 1, 2]);
  });
});

describe('a code', () => {
  const step = 40_000_000;
  const at = step * 30_000;
  const code = totpCode(secret, step);

  it('is taken from the step before its own to the end of the one after, to the millisecond', () => {
    const stepAt = (now: number) => matchingStep(secret, code, { now, lastStep: 0 });
    expect(stepAt(at - 30_001)).toBeUndefined();
    expect(stepAt(at - 30_000)).toBe(step);
    expect(stepAt(at)).toBe(step);
    expect(stepAt(at + 59_999)).toBe(step);
    expect(stepAt(at + 60_000)).toBeUndefined();
  });

  it('is not taken for a step up to the last that was used, also when the clock was set back', () => {
    expect(matchingStep(secret, code, { now: at, lastStep: step - 1 })).toBe(step);
    expect(matchingStep(secret, code, { now: at, lastStep: step })).toBeUndefined();
    expect(matchingStep(secret, code, { now: at, lastStep: step + 100 })).toBeUndefined();
  });

  it('is that of its own secret alone', () => {
    expect(matchingStep(newTotpSecret(), code, { now: at, lastStep: 0 })).toBeUndefined();
    expect(matchingStep(secret, totpCode(secret, step + 5), { now: at, lastStep: 0 })).toBeUndefined();
  });

  it('is judged at the beginning of time too', () => {
    expect(matchingStep(secret, totpCode(secret, 1), { now: 0, lastStep: 0 })).toBe(1);
  });

  it.each(['123456', ' 123456\n', '123 456', '123\u00a0456'])('is read from %j', (typed) => {
    expect(parseTotpCode(typed)).toBe('123456');
  });

  it.each(['', '12345', '1234567', '12 3456', '123  456', '-23456', '１２３４５６', '12345a', '0x1234'])(
    'is not read from %j',
    (typed) => {
      expect(parseTotpCode(typed)).toBeUndefined();
    },
  );
});

describe('a secret', () => {
  it('has 160 random bits', () => {
    expect(newTotpSecret()).toHaveLength(20);
    expect(newTotpSecret()).not.toEqual(newTotpSecret());
  });

  it('is shown in base32, and to a camera as what authenticators read', () => {
    expect(totpSecretText(secret)).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
    const uri = new URL(totpUri(secret, 'chat example.org:8080', 'alice'));
    expect(uri.href.slice(0, uri.href.indexOf('?'))).toBe('otpauth://totp/chat%20example.org%3A8080:alice');
    expect(Object.fromEntries(uri.searchParams)).toEqual({
      secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
      issuer: 'chat example.org:8080',
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    });
  });
});
