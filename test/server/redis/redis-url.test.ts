import { expect, it } from 'vitest';
import { parseRedisUrl } from '../../../src/server/redis/redis-url.ts';

it('reads the address of a Redis', () => {
  expect(parseRedisUrl('redis://cache')).toEqual({
    host: 'cache',
    port: 6379,
    username: undefined,
    password: undefined,
    database: 0,
    tls: undefined,
  });
  expect(parseRedisUrl('redis://chat:a%20b%2F%40@[::1]:7000/3')).toMatchObject({
    host: '::1',
    port: 7000,
    username: 'chat',
    password: 'a b/@',
    database: 3,
  });
  expect(parseRedisUrl('rediss://:only@h/').tls).toEqual({ ca: undefined, cert: undefined, key: undefined });
  expect(parseRedisUrl('rediss://h?ca=/etc/ca.pem&cert=/c&key=/k').tls).toEqual({
    ca: '/etc/ca.pem',
    cert: '/c',
    key: '/k',
  });
});

it.each([
  ['nonsense', /redis:\/\//],
  ['http://cache', /redis:\/\//],
  ['redis:///0', /name a host/],
  ['redis://h/zero', /number of a database/],
  ['redis://h/1/2', /number of a database/],
  ['redis://h?ca=/x', /no options/],
  ['rediss://h?verify=no', /no options/],
  ['rediss://h?cert=/x', /both/],
  ['redis://:a#b@h', /%23|redis:\/\//],
  ['redis://:secret%@h', /two hexadecimal digits/],
])('refuses %s, and repeats nothing of it', (url, message) => {
  expect(() => parseRedisUrl(url)).toThrow(message);
  expect(() => parseRedisUrl(url)).not.toThrow(/secret/);
});
