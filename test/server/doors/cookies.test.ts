import { describe, expect, test } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import { deviceCookie, readCookie, sessionCookie } from '../../../src/server/doors/cookies.ts';

const session = (header: string | undefined, isSecure = false) => readCookie(header, 'session', isSecure);

describe('a cookie that is set', () => {
  test('3.3.1–3.3.3: is for HTTP alone, this site, and the whole host; over TLS for TLS alone, and called so', () => {
    expect(sessionCookie('cs1_x', false)).toBe('session_token=cs1_x; Path=/; HttpOnly; SameSite=Lax');
    expect(sessionCookie('cs1_x', true)).toBe(
      '__Host-session_token=cs1_x; Path=/; HttpOnly; SameSite=Lax; Secure',
    );
  });

  test('remembers a device for 400 days, with the same flags', () => {
    expect(deviceCookie('id', false)).toBe(
      'chat_device=id; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax',
    );
    expect(deviceCookie('id', true)).toBe(
      '__Host-chat_device=id; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure',
    );
  });

  test('is taken away under the name and with the flags that it was set with', () => {
    expect(sessionCookie(null, false)).toBe('session_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax');
    expect(sessionCookie(null, true)).toBe(
      '__Host-session_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure',
    );
  });
});

describe('a cookie that is sent', () => {
  test.each([
    ['session_token=cs1_x'],
    ['a=b; session_token=cs1_x; chat_device=y'],
    [' session_token = cs1_x ;'],
    ['garbage; =; ;; session_token=cs1_x'],
    ['xsession_token=1; session_token=cs1_x; session_tokenx=2; SESSION_TOKEN=3'],
  ])('is found among others: %s', (header) => {
    expect(session(header)).toBe('cs1_x');
  });

  test.each([undefined, '', 'session_token', 'session_token=', 'device=x', ';;;', 'x'.repeat(16_000)])(
    'is missed: %.30s',
    (header) => {
      expect(session(header)).toBeUndefined();
    },
  );

  test('3.3.1: counts only under the name that its kind of connection sets', () => {
    const both = 'session_token=clear; __Host-session_token=tls';
    expect(session(both, false)).toBe('clear');
    expect(session(both, true)).toBe('tls');
    expect(session('session_token=clear', true)).toBeUndefined();
    expect(session('__Host-session_token=tls', false)).toBeUndefined();
  });

  test('keeps whatever its value is: who judges it is not this', () => {
    expect(session('session_token="cs1_x"')).toBe('"cs1_x"');
    expect(session('session_token=a=b')).toBe('a=b');
    expect(session('session_token=%00')).toBe('%00');
  });

  test.each([
    'session_token=a; session_token=b',
    'session_token=a; session_token=a',
    'session_token=a; session_token=',
  ])('is refused when it is sent twice: %s', (header) => {
    expect(() => session(header)).toThrow(
      new ChatError('invalid', 'cookie session_token: it was sent twice', { field: 'session_token' }),
    );
  });
});
