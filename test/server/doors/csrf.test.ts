import { describe, expect, test } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import { refuseForeignSite } from '../../../src/server/doors/csrf.ts';

const foreign = new ChatError('forbidden', 'this request was made by a page of another site');

describe('4.4.2: a request of a page', () => {
  test.each([
    [{ host: 'localhost:8080' }, false],
    [{ host: 'localhost:8080', origin: 'http://localhost:8080' }, false],
    [{ host: 'localhost:8080', origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' }, false],
    [{ host: 'LOCALHOST:80', origin: 'http://localhost' }, false],
    [{ host: 'chat.example', origin: 'https://chat.example' }, true],
    [{ host: 'chat.example:443', origin: 'https://chat.example' }, true],
    [{ host: '[::1]:8080', origin: 'http://[::1]:8080' }, false],
    [{ host: 'localhost:8080', 'sec-fetch-site': 'none' }, false],
  ])('of this server passes, and so does a program: %j', (headers, isSecure) => {
    expect(() => refuseForeignSite({ headers, isSecure })).not.toThrow();
  });

  test.each([
    [{ host: 'localhost:8080', origin: 'null' }, false],
    [{ host: 'localhost:8080', origin: '' }, false],
    [{ host: 'localhost:8080', origin: 'http://evil.example' }, false],
    [{ host: 'localhost:8080', origin: 'http://localhost' }, false],
    [{ host: 'localhost:8080', origin: 'http://localhost:8081' }, false],
    [{ host: 'localhost:8080', origin: 'https://localhost:8080' }, false],
    [{ host: 'chat.example', origin: 'http://chat.example' }, true],
    [{ host: 'chat.example', origin: 'https://chat.example.evil.example' }, true],
    [{ host: 'chat.example', origin: 'https://sub.chat.example' }, true],
    [{ host: 'chat.example', origin: 'https://chat.example, https://evil.example' }, true],
    [{ host: 'chat.example', origin: 'https://evil.example@chat.example' }, true],
    [{ host: 'localhost:8080', 'sec-fetch-site': 'cross-site' }, false],
    [{ host: 'localhost:8080', origin: 'http://localhost:8080', 'sec-fetch-site': 'cross-site' }, false],
    [{ host: 'not a host', origin: 'http://localhost:8080' }, false],
    [{ origin: 'http://undefined' }, false],
    [{ origin: 'undefined' }, false],
  ])('of another site is refused: %j', (headers, isSecure) => {
    expect(() => refuseForeignSite({ headers, isSecure })).toThrow(foreign);
  });
});
