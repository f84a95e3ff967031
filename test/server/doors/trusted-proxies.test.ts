import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNetwork, trustedProxies } from '../../../src/server/doors/trusted-proxies.ts';

describe('the client of a request (ASVS 4.1.3)', () => {
  const proxies = trustedProxies(['10.0.0.0/8', '192.0.2.1/32', '2001:db8:1::/48']);

  it.each([
    ['of a stranger is the stranger, whatever it says', '203.0.113.9', '198.51.100.7', '203.0.113.9'],
    ['of a neighbour of a proxy is the neighbour', '192.0.2.2', '198.51.100.7', '192.0.2.2'],
    ['of a proxy that says nothing is the proxy', '10.0.0.1', undefined, '10.0.0.1'],
    ['of a proxy is who it says', '10.0.0.1', '198.51.100.7', '198.51.100.7'],
    [
      'of a chain is the rightmost that is no proxy',
      '10.0.0.1',
      '1.2.3.4, 198.51.100.7, 192.0.2.1,10.9.9.9',
      '198.51.100.7',
    ],
    ['is not what a client has written before it', '10.0.0.1', '127.0.0.1, 198.51.100.7', '198.51.100.7'],
    ['is the leftmost when all are proxies', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['may have a port', '10.0.0.1', '198.51.100.7:4711', '198.51.100.7'],
    ['may be IPv6', '10.0.0.1', '2001:DB8:0:0::9', '2001:db8::9'],
    ['may be IPv6 with a port', '10.0.0.1', '[2001:db8::9]:4711', '2001:db8::9'],
    ['in IPv6’s spelling of IPv4 is IPv4', '10.0.0.1', '::ffff:198.51.100.7', '198.51.100.7'],
    ['behind a proxy in IPv6 is who that says', '2001:db8:1:2::3', '198.51.100.7', '198.51.100.7'],
    ['behind a proxy in IPv6’s spelling of IPv4 too', '::ffff:10.0.0.1', '198.51.100.7', '198.51.100.7'],
    ...[
      '',
      ' ',
      ',',
      'unknown',
      '_hidden',
      '198.51.100.7,',
      '198.51.100',
      '198.51.100.256',
      '0x7f.1',
      '017700000001',
      '10',
      'fe80::1%eth0',
      '[198.51.100.7]',
      '[::1',
      '198.51.100.7:',
      'client.example',
      '198.51.100.7 10.0.0.1',
      '198.51.100.7, nonsense, 10.0.0.2',
    ].map((header) => [
      `is the proxy when it says ${JSON.stringify(header)}`,
      '10.0.0.1',
      header,
      '10.0.0.1',
    ]),
    ['is nothing that stands behind who is no proxy', '10.0.0.1', 'nonsense, 198.51.100.7', '198.51.100.7'],
  ] as [string, string, string | undefined, string][])('%s', (_, peer, header, client) => {
    expect(proxies.clientOf(peer, header)).toBe(client);
  });

  it('is always the peer where no proxy is configured', () => {
    const nobody = trustedProxies([]);
    expect([nobody.clientOf('127.0.0.1', '198.51.100.7'), nobody.has('127.0.0.1')]).toEqual([
      '127.0.0.1',
      false,
    ]);
  });

  it('is an address whatever the header is, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(proxies.clientOf('10.0.0.1', header)).toMatch(/^[0-9a-f.:]+$/);
      }),
    );
  });
});

describe('a network', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['192.0.2.1', '192.0.2.1/32'],
    ['::1', '::1/128'],
    ['2001:DB8:1:2::3/48', '2001:db8:1::/48'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['0.0.0.0/1', '0.0.0.0/1'],
    ['0.0.0.0/0', undefined],
    ['::/0', undefined],
    ['::ffff:0.0.0.0/96', undefined],
    ['10/8', undefined],
    ['10.0.0.0/33', undefined],
    ['::1/129', undefined],
    ['fe80::1%eth0', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0/8/8', undefined],
    ['', undefined],
  ])('%s is read as %s', (text, network) => {
    expect(parseNetwork(text)).toBe(network);
  });
});
