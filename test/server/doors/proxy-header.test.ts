import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseProxyHeader } from '../../../src/server/doors/proxy-header.ts';
import { connectClear, TestClient } from '../support/client.ts';
import { type Listening, listening } from '../support/listening.ts';
import { until } from '../support/until.ts';

afterEach(() => void vi.useRealTimers());

const echo = '{"jsonrpc":"2.0","id":1,"method":"echo","params":{}}\n';
const line = 'PROXY TCP4 198.51.100.7 192.0.2.1 40000 8080\r\n';

/** Version 2, as HAProxy's `send-proxy-v2` writes it. */
function binary(
  addresses: readonly number[],
  {
    command = 0x21,
    family = 0x11,
    more = [],
  }: { command?: number; family?: number; more?: readonly number[] } = {},
): Buffer {
  const rest = Buffer.from([...addresses, ...more]);
  const head = Buffer.from([...Buffer.from('\r\n\r\n\0\r\nQUIT\n'), command, family, 0, 0]);
  head.writeUInt16BE(rest.length, 14);
  return Buffer.concat([head, rest]);
}

const ofFour = [198, 51, 100, 7, 192, 0, 2, 1, 0x9c, 0x40, 0x1f, 0x90];
const ofSix = [0x20, 0x01, 0x0d, 0xb8, ...Array(11).fill(0), 9, ...Array(16).fill(1), 0, 1, 0, 2];

describe('a header of the PROXY protocol', () => {
  it.each([
    ['version 1', Buffer.from(line), '198.51.100.7'],
    ['version 1, IPv6', Buffer.from('PROXY TCP6 2001:DB8::9 ::1 1 2\r\n'), '2001:db8::9'],
    ['version 1, IPv4 in IPv6', Buffer.from('PROXY TCP6 ::ffff:198.51.100.7 ::1 1 2\r\n'), '198.51.100.7'],
    ['version 1, of nobody', Buffer.from('PROXY UNKNOWN\r\n'), undefined],
    ['version 2', binary(ofFour), '198.51.100.7'],
    ['version 2 with more', binary(ofFour, { more: [3, 0, 4, 1, 2, 3, 4] }), '198.51.100.7'],
    ['version 2, IPv6', binary(ofSix, { family: 0x21 }), '2001:db8::9'],
    ['version 2, of the balancer itself', binary([], { command: 0x20, family: 0 }), undefined],
  ])('is read whole, however it is cut: %s', (_, header, client) => {
    const bytes = Buffer.concat([header, Buffer.from(echo)]);
    for (let length = 1; length < header.length; length++) {
      expect(parseProxyHeader(bytes.subarray(0, length)), String(length)).toBeUndefined();
    }
    expect(parseProxyHeader(header)).toEqual({ client, length: header.length });
    expect(parseProxyHeader(bytes)).toEqual({ client, length: header.length });
  });

  it.each([
    ['a call', Buffer.from(echo)],
    ['TLS', Buffer.from([0x16, 3, 1])],
    ['another word', Buffer.from('PROXX ')],
    ['small letters', Buffer.from('proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n')],
    ['no address', Buffer.from('PROXY TCP4 nobody 192.0.2.1 1 2\r\n')],
    ['an address of the other kind', Buffer.from('PROXY TCP4 ::1 ::1 1 2\r\n')],
    ['a zone', Buffer.from('PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n')],
    ['a word too many', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n')],
    ['no port', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 x 2\r\n')],
    ['a line without an end', Buffer.from(`PROXY ${'x'.repeat(101)}`)],
    ['version 3', binary(ofFour, { command: 0x31 })],
    ['an unknown command', binary(ofFour, { command: 0x22 })],
    ['a datagram', binary(ofFour, { family: 0x12 })],
    ['fewer bytes than addresses', binary(ofFour.slice(1))],
    ['more than anybody adds', binary(ofFour, { more: Array(2_037).fill(0) })],
  ])('is nothing else: %s', (_, bytes) => {
    expect(parseProxyHeader(bytes)).toBe('none');
  });
});

describe('a listener that reads it', () => {
  const behind = { proxies: ['127.0.0.0/8'], readsProxyHeader: true };
  const addresses = ({ calls }: Listening) => [...calls.peers].map(({ address }) => address);

  it.each([
    ['in one piece', [line + echo]],
    ['before anything else', [line, echo]],
    ['in pieces', [line.slice(0, 9), line.slice(9) + echo.slice(0, 20), echo.slice(20)]],
  ])('takes the client’s address from it, sent %s', async (_, pieces) => {
    const at = await listening(behind);
    const client = await connectClear(at.port);
    for (const piece of pieces) {
      client.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => client.text !== '');
    expect(client.frames).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }]);
    expect(addresses(at)).toEqual(['198.51.100.7']);
    client.socket.destroy();
  });

  it('takes it before TLS', async () => {
    const at = await listening(behind);
    const clear = await connectClear(at.port);
    clear.socket.removeAllListeners('data');
    clear.write(binary(ofFour));
    const socket = connectTls({ socket: clear.socket, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const client = new TestClient(socket);
    client.write(echo);
    await until(() => client.text !== '');
    expect(addresses(at)).toEqual(['198.51.100.7']);
    clear.socket.destroy();
  });

  it('counts connections by the client’s address, and those of the balancer as its own', async () => {
    const at = await listening({ ...behind, limits: { maxConnectionsPerAddress: 1 } });
    const say = async (head: string | Buffer): Promise<string> => {
      const client = await connectClear(at.port);
      client.write(head);
      client.write(echo);
      await until(() => client.text !== '');
      return client.text.includes('"error"') ? 'refused' : 'served';
    };
    expect(await say(line)).toBe('served');
    expect(await say(line)).toBe('refused');
    expect(await say(binary(ofSix, { family: 0x21 }))).toBe('served');
    const own = binary([], { command: 0x20, family: 0 });
    expect([await say(own), await say(own)]).toEqual(['served', 'served']);
    expect(at.listener.figures().refused.address).toBe(1);
  });

  it('counts connections that wait for their header, and those of who is refused after it', async () => {
    const at = await listening({ ...behind, limits: { maxConnections: 2 } });
    const waiting = [await connectClear(at.port), await connectClear(at.port)];
    waiting[1]?.write('PROXY TCP4');
    await until(() => at.listener.connections === 2);
    const third = await connectClear(at.port);
    third.write(line + echo);
    await until(() => third.text !== '');
    expect(third.text).toContain('too many connections');
    expect(at.listener.figures().refused.server).toBe(1);
    await third.ended();
    // One of them goes, and the other’s place is its client’s then: there is one for one more.
    waiting[1]?.socket.destroy();
    await until(() => at.listener.connections === 1);
    waiting[0]?.write(line + echo);
    const fourth = await connectClear(at.port);
    fourth.write(line + echo);
    for (const client of [waiting[0], fourth]) {
      await until(() => client?.text !== '');
      expect(client?.frames).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }]);
    }
    expect(addresses(at)).toEqual(['198.51.100.7', '198.51.100.7']);
    expect(at.listener.figures().refused.server).toBe(1);
    waiting[0]?.socket.destroy();
    fourth.socket.destroy();
  });

  it('closes a connection of the balancer that has none, or does not finish it, and counts them', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const at = await listening({ ...behind, limits: { firstByteMs: 0 } });
    const without = await connectClear(at.port);
    without.write(echo);
    await without.ended();
    const ending = await connectClear(at.port);
    ending.socket.end('PROXY TCP4');
    await ending.ended();
    const slow = await connectClear(at.port);
    slow.write('PROXY TCP4');
    await until(() => at.listener.connections === 1);
    await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(4_999);
    expect(at.listener.connections).toBe(1);
    vi.advanceTimersByTime(1);
    await slow.ended();
    expect(without.text + ending.text + slow.text).toBe('');
    expect(at.listener.figures().refused['no-proxy-header']).toBe(3);
    expect(addresses(at)).toEqual([]);
  });

  it.each([
    ['from a stranger', { proxies: ['192.0.2.0/24'], readsProxyHeader: true }],
    ['where it is not expected', { proxies: ['127.0.0.0/8'] }],
  ])('believes none %s', async (_, options) => {
    const at = await listening(options);
    const client = await connectClear(at.port);
    client.write(line);
    client.write(echo);
    await until(() => at.calls.peers.size > 0);
    expect(addresses(at)).toEqual(['127.0.0.1']);
    client.socket.destroy();
  });
});
