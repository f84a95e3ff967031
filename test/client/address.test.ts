import { describe, expect, it } from 'vitest';
import { formatServerAddress, isLoopback, parseServerAddress } from '../../src/client/address.ts';

describe('a server address', () => {
  it.each([
    ['127.0.0.1:8080', { scheme: 'chat', host: '127.0.0.1', port: 8080 }],
    ['chat.example', { scheme: 'chat', host: 'chat.example', port: 8080 }],
    ['Chat.Example:1', { scheme: 'chat', host: 'chat.example', port: 1 }],
    ['chat://chat.example:65535', { scheme: 'chat', host: 'chat.example', port: 65_535 }],
    ['CHAT://localhost', { scheme: 'chat', host: 'localhost', port: 8080 }],
    ['[::1]', { scheme: 'chat', host: '::1', port: 8080 }],
    ['chat://[2001:DB8:0::1]:9', { scheme: 'chat', host: '2001:db8::1', port: 9 }],
    ['[fe80::1%eth0]:7', { scheme: 'chat', host: 'fe80::1%eth0', port: 7 }],
    ['plain://127.0.0.1:9000', { scheme: 'plain', host: '127.0.0.1', port: 9000 }],
    ['plain://localhost', { scheme: 'plain', host: 'localhost', port: 8080 }],
    ['plain://[::1]:80', { scheme: 'plain', host: '::1', port: 80 }],
    ['plain://[::ffff:127.0.0.1]:80', { scheme: 'plain', host: '::ffff:7f00:1', port: 80 }],
  ])('%s is read', (text, address) => {
    expect(parseServerAddress(text)).toEqual(address);
  });

  it.each([
    '',
    ':8080',
    'host:',
    'host:0',
    'host:65536',
    'host:80a',
    'host:8080/',
    'host:1:2',
    'http://host:80',
    'chat://',
    'chat://user@host',
    'ho st',
    'höst',
    '-host',
    'host..name',
    '::1',
    '::1:8080',
    '[::1',
    '[host]:80',
    '[127.0.0.1]:80',
    '127.1',
    '2130706433:80',
    '256.0.0.1',
    'host\n:80',
    `${'a'.repeat(64)}:1`,
  ])('%j is refused', (text) => {
    expect(() => parseServerAddress(text)).toThrow(
      expect.objectContaining({ code: 'invalid', details: { field: 'server' } }),
    );
  });

  it.each([
    'plain://chat.example',
    'plain://128.0.0.1',
    'plain://[::2]',
    'plain://[::ffff:128.0.0.1]',
    'plain://127.0.0.1.example',
  ])('%s is refused, for clear text stays on loopback', (text) => {
    expect(() => parseServerAddress(text)).toThrow(/loopback/);
  });

  it.each(['chat://127.0.0.1:8080', 'chat://[::1]:1', 'plain://localhost:9', 'chat://[fe80::1%eth0]:7'])(
    '%s is written as it was read',
    (text) => {
      expect(formatServerAddress(parseServerAddress(text))).toBe(text);
    },
  );

  it('knows the whole of 127.0.0.0/8 as loopback, also mapped into IPv6, and nothing beside it', () => {
    expect(
      ['127.0.0.1', '127.255.255.255', '::1', 'localhost', '::ffff:127.0.0.1', '::ffff:7fff:1'].map(
        isLoopback,
      ),
    ).toEqual(Array(6).fill(true));
    expect(
      ['126.255.255.255', '128.0.0.1', '::', '::ffff:7f:1', '::ffff:8000:1', 'localhost.example'].map(
        isLoopback,
      ),
    ).toEqual(Array(6).fill(false));
  });
});
