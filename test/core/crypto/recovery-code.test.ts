import { describe, expect, it } from 'vitest';
import { newRecoveryCodes, parseRecoveryCode } from '../../../src/core/crypto/recovery-code.ts';

describe('recovery codes', () => {
  it('are ten, each with its number, 60 random bits and no letter that looks like a digit', () => {
    const codes = newRecoveryCodes();
    expect(codes).toHaveLength(10);
    for (const [number, code] of codes.entries()) {
      expect(code).toMatch(/^[0-9](-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
      expect(parseRecoveryCode(code)).toEqual({ code, number });
    }
    expect(new Set([...codes, ...newRecoveryCodes()].map((code) => code.slice(2))).size).toBe(20);
  });

  it.each([
    '3-7K2M-QX9D-01WT',
    '37K2MQX9D01WT',
    '3 7k2m qx9d o1wt',
    ' 3–7k2m–qx9d–OiwT\n',
    '3-7K2M-QX9D-OLWT',
  ])('are read as people type them: %j', (typed) => {
    expect(parseRecoveryCode(typed)).toEqual({ code: '3-7K2M-QX9D-01WT', number: 3 });
  });

  it.each([
    '',
    '123456',
    'X-7K2M-QX9D-01WT',
    '3-7K2M-QX9D-01W',
    '3-7K2M-QX9D-01WTT',
    '3-7K2M-QX9D-01WU',
    '3'.repeat(200),
  ])('are not read from %j', (typed) => {
    expect(parseRecoveryCode(typed)).toBeUndefined();
  });
});
