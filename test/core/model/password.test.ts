import { describe, expect, test } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import { parsePassword } from '../../../src/core/model/password.ts';

function refusalOf(input: string): { code: string; message: string; field: string | undefined } {
  try {
    parsePassword(input);
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    return { code: error.code, message: error.message, field: error.details.field };
  }
  throw new Error('the password was accepted');
}

const refused = (rule: string) => ({ code: 'invalid', message: `password: ${rule}`, field: 'password' });

describe('a password', () => {
  test.each([
    ['lower-case letters', 'abcdef'],
    ['digits', '123456'],
    ['spaces only', '      '],
    ['leading and trailing spaces', '  secret  '],
    ['emoji', '🐎🔋📎✅🐎🔋'],
    ['other scripts', 'пароль'],
  ])('may be made of %s and stays as it was typed (ASVS 6.2.5)', (_, password) => {
    expect(parsePassword(password)).toBe(password);
  });

  test('is brought to NFC, so that two keyboards give the same password', () => {
    expect(parsePassword('cafe\u0301 au lait')).toBe('caf\u00e9 au lait');
  });

  test.each(['\u00a0', '\u1680', '\u2000', '\u2003', '\u2009', '\u202f', '\u205f', '\u3000'])(
    'has the Unicode space %j as an ordinary one',
    (space) => {
      expect(parsePassword(`one${space}two`)).toBe('one two');
    },
  );

  test.each(['\0', '\t', '\n', '\r', '\x1b', '\x7f', '\x85'])(
    'may not contain the control character %j',
    (c) => {
      expect(refusalOf(`secret${c}word`)).toEqual(refused('control characters are not allowed'));
    },
  );

  test.each(['secret\ud800', '\udc00secret', 'sec\udc00\ud800ret'])(
    'may not be ill-formed UTF-16 (%j)',
    (p) => {
      expect(refusalOf(p)).toEqual(refused('it is not well-formed Unicode'));
    },
  );

  test('has 6 code points or more', () => {
    expect(refusalOf('12345')).toEqual(refused('it has at least 6 characters'));
    expect(parsePassword('123456')).toBe('123456');
    expect(refusalOf('🐎🐎🐎🐎🐎')).toEqual(refused('it has at least 6 characters'));
  });

  test('is counted after normalisation, not before', () => {
    expect('e\u0301'.repeat(5)).toHaveLength(10);
    expect(refusalOf('e\u0301'.repeat(5))).toEqual(refused('it has at least 6 characters'));
  });

  test('has 1,024 bytes of UTF-8 or fewer', () => {
    expect(parsePassword('a'.repeat(1_024))).toHaveLength(1_024);
    expect(refusalOf('a'.repeat(1_025))).toEqual(refused('it has at most 1024 bytes'));
    expect(parsePassword('é'.repeat(512))).toHaveLength(512);
    expect(refusalOf(`${'é'.repeat(512)}a`)).toEqual(refused('it has at most 1024 bytes'));
  });

  test('is never shown by the error that refuses it', () => {
    const { message } = refusalOf('hunter2-hunter2\n');
    expect(message).not.toContain('hunter');
  });
});
