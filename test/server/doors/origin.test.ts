import { describe, expect, it } from 'vitest';
import { isAllowedOrigin, parseOrigin } from '../../../src/server/doors/origin.ts';

describe('an origin', () => {
  it.each([
    ['http://chat.example', 'http://chat.example'],
    ['HTTPS://Chat.Example:443', 'https://chat.example'],
    ['http://chat.example:80', 'http://chat.example'],
    ['http://chat.example:443', 'http://chat.example:443'],
    ['http://[::1]:8080', 'http://[::1]:8080'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
  ])('%s has one spelling', (text, origin) => {
    expect(parseOrigin(text)).toBe(origin);
  });

  it.each([
    '',
    'null',
    '*',
    'chat.example',
    'ftp://chat.example',
    'file://',
    'http://',
    'http://a/',
    'http://a?b',
    'http://a#b',
    'http://u@a',
    'http://u:p@a',
    'http://a\\b',
    'http://a b',
    'http://a:99999',
    'http://a,http://b/',
  ])('is not %j', (text) => {
    expect(parseOrigin(text)).toBeUndefined();
  });

  it("is allowed without a header, as the server's own, and on the list; nowhere else", () => {
    const at = (origin: string | undefined, isSecure = false): boolean =>
      isAllowedOrigin({ origin, host: 'chat.example:8080', isSecure }, ['https://page.example']);
    expect(
      [undefined, 'http://chat.example:8080', 'https://page.example', 'https://page.example:443'].map(
        (origin) => at(origin),
      ),
    ).toEqual([true, true, true, true]);
    expect(
      ['null', '', 'https://chat.example:8080', 'http://chat.example', 'http://page.example'].map((origin) =>
        at(origin),
      ),
    ).toEqual([false, false, false, false, false]);
    expect([at('https://chat.example:8080', true), at('http://chat.example:8080', true)]).toEqual([
      true,
      false,
    ]);
  });

  it('that is null is not allowed where no host was named either', () => {
    expect(isAllowedOrigin({ origin: 'null', host: undefined, isSecure: false }, [])).toBe(false);
  });
});
