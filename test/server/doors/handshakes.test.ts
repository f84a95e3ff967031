import { afterEach, describe, expect, it, vi } from 'vitest';
import { handshakeBounds } from '../../../src/core/policy.ts';
import { createHandshakes } from '../../../src/server/doors/handshakes.ts';
import type { HandshakeEnd } from '../../../src/server/doors/tls.ts';
import { trustedProxies } from '../../../src/server/doors/trusted-proxies.ts';
import { signCertificate, TestKey } from '../../core/support/certificates.ts';
import { connectSecure } from '../support/client.ts';
import { listening } from '../support/listening.ts';
import { turn, until } from '../support/until.ts';

const echo = '{"jsonrpc":"2.0","id":1,"method":"echo","params":{}}\n';
const { atOncePerAddress, maxShownBytes, notAskedMs, maxNotAsked } = handshakeBounds;

afterEach(() => vi.useRealTimers());

/** A key and a certificate over it that has at least so many bytes. */
async function credential(commentBytes = 0) {
  const key = new TestKey();
  return { key: key.pem, cert: await signCertificate(key, { commentBytes }) };
}

async function asked(options: Parameters<typeof listening>[0] = {}) {
  const { port, calls } = await listening(options);
  /** Connects, says something in the same breath, and answers whether a certificate was taken. */
  return async (shown: object, said = echo): Promise<boolean> => {
    const client = await connectSecure(port, shown);
    client.write(said);
    await client.lineCount(1);
    client.socket.destroy();
    return [...calls.peers].at(-1)?.channel.certificate !== undefined;
  };
}

describe('who shows more than a chain of certificates has', () => {
  it('is asked for none for ten minutes, and then again', async () => {
    const isTaken = await asked();
    const [usual, huge] = [await credential(), await credential(maxShownBytes)];
    vi.useFakeTimers({ toFake: ['Date'] });
    expect([await isTaken(usual), await isTaken(huge), await isTaken(usual)]).toEqual([true, true, false]);
    vi.setSystemTime(Date.now() + notAskedMs - 1);
    expect(await isTaken(usual)).toBe(false);
    vi.setSystemTime(Date.now() + 1);
    expect(await isTaken(usual)).toBe(true);
  });

  it('is not who says much right after the handshake', async () => {
    const isTaken = await asked();
    const usual = await credential();
    const much = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'echo', params: { x: 'x'.repeat(3 * maxShownBytes) } })}\n`;
    expect([await isTaken(usual, much), await isTaken(usual)]).toEqual([true, true]);
  });

  it('is not a trusted proxy, behind which everybody is', async () => {
    const isTaken = await asked({ proxies: ['127.0.0.1/32'] });
    expect([await isTaken(await credential(maxShownBytes)), await isTaken(await credential())]).toEqual([
      true,
      true,
    ]);
  });
});

describe('handshakes', () => {
  /** Handshakes that end when the test says so. */
  function scripted(proxies: readonly string[] = []) {
    const begun: { readonly asks: boolean; readonly end: HandshakeEnd }[] = [];
    const handshakes = createHandshakes(
      { shakeHands: (_socket, { asks }, end) => void begun.push({ asks, end }) },
      trustedProxies(proxies),
    );
    const from = (address: string, bytesRead = 0, destroyed = false) => {
      const ended = vi.fn<HandshakeEnd>();
      handshakes.shakeHands({ bytesRead, destroyed } as never, address, ended);
      return ended;
    };
    return { begun, handshakes, from };
  }

  it('of one address wait for their turn when eight are under way; those of others and of proxies do not', async () => {
    const { begun, handshakes, from } = scripted(['10.0.0.9/32']);
    for (let i = 0; i < atOncePerAddress + 2; i++) from('10.0.0.1');
    for (let i = 0; i < atOncePerAddress + 1; i++) from('10.0.0.9');
    from('10.0.0.2');
    await turn();
    // Those that wait are no reason to refuse somebody else's.
    expect([begun.length, handshakes.underWay]).toEqual([2 * atOncePerAddress + 2, 2 * atOncePerAddress + 2]);
    // A proxy's begin at once: the last but one is of the first address.
    begun.at(-2)?.end(undefined);
    await until(() => begun.length === 2 * atOncePerAddress + 3);
    expect(handshakes.underWay).toBe(2 * atOncePerAddress + 2);
  });

  it('that wait give their turn up when their connection has gone', async () => {
    const { begun, handshakes, from } = scripted();
    for (let i = 0; i < atOncePerAddress; i++) from('10.0.0.1');
    const gone = from('10.0.0.1', 0, true);
    from('10.0.0.1');
    await turn();
    begun[0]?.end(undefined);
    await until(() => begun.length === atOncePerAddress + 1);
    expect([gone.mock.calls, handshakes.underWay]).toEqual([[[undefined]], atOncePerAddress]);
  });

  it('that come to nothing count by what was read: a byte more than a chain has, and the address is not asked', async () => {
    const { begun, from } = scripted();
    for (const [address, read] of [
      ['10.0.0.1', maxShownBytes],
      ['10.0.0.2', maxShownBytes + 1],
    ] as const) {
      from(address, read);
      await turn();
      begun.at(-1)?.end(undefined);
      from(address);
      await turn();
    }
    expect(begun.map(({ asks }) => asks)).toEqual([true, true, true, false]);
  });

  it('remember so many addresses that are not asked, and forget the oldest', async () => {
    const { begun, from } = scripted();
    const address = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    for (let i = 0; i <= maxNotAsked; i++) from(address(i), maxShownBytes + 1);
    await turn();
    for (const { end } of begun) end(undefined);
    for (const i of [0, 1, maxNotAsked]) from(address(i));
    await turn();
    expect(begun.slice(-3).map(({ asks }) => asks)).toEqual([true, false, false]);
  });
});
