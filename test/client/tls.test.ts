import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { formatServerAddress } from '../../src/client/address.ts';
import type { ServerIdentity } from '../../src/client/connection.ts';
import { ChatError } from '../../src/core/errors.ts';
import { makeCertificate, type TestCertificate } from './support/certificate.ts';
import { connectTo, refusal, turns, whole } from './support/connected.ts';
import { startLineServer } from './support/line-server.ts';

let certificate: TestCertificate;
let otherCertificate: TestCertificate;

beforeAll(async () => {
  certificate = await makeCertificate();
  otherCertificate = await makeCertificate();
});

const exported = (socket: Socket): Buffer =>
  (socket as TLSSocket).exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));

describe('over TLS', () => {
  it('the identity is the key of the certificate, and a certificate of its own is not trusted by the system', async () => {
    const server = await startLineServer({ tls: certificate });
    const seen: ServerIdentity[] = [];
    const connection = await connectTo(server, {
      checkIdentity: async (identity) => void seen.push(identity),
    });
    const digest = createHash('sha256').update(certificate.spki).digest('base64');
    expect(seen).toHaveLength(1);
    expect(Buffer.from(seen[0]?.spki ?? [])).toEqual(Buffer.from(certificate.spki));
    expect(seen[0]).toMatchObject({ fingerprint: `SHA256:${digest.slice(0, 43)}`, trustedBySystem: false });
    expect(connection.identity).toBe(seen[0]);
  });

  it('a certificate that a known root signed, for the host that was asked for, is trusted', async () => {
    const server = await startLineServer({ tls: certificate });
    const connection = await connectTo(server, { roots: [certificate.cert] });
    expect(connection.identity?.trustedBySystem).toBe(true);
    const byAddress = await connectTo(
      { ...server, address: { ...server.address, host: '127.0.0.1' } },
      { roots: [certificate.cert] },
    );
    expect(byAddress.identity?.trustedBySystem).toBe(true);
  });

  it('a certificate that a known root signed for another host is not', async () => {
    const elsewhere = await makeCertificate(['elsewhere.example']);
    const server = await startLineServer({ tls: elsewhere });
    const connection = await connectTo(server, { roots: [elsewhere.cert] });
    expect(connection.identity?.trustedBySystem).toBe(false);
  });

  it('a server that is refused never sees a byte of ours', async () => {
    const server = await startLineServer({ tls: certificate });
    const refused = new ChatError('untrusted', 'I do not know this server');
    const connecting = connectTo(server, {
      checkIdentity: async () => {
        await turns();
        throw refused;
      },
    });
    const peer = await server.peer();
    expect(await refusal(connecting)).toBe(refused);
    await peer.closed;
    expect(peer.received).toBe('');
  });

  it('both ends hold the same 32 bytes of TLS 1.3 to bind a login to', async () => {
    const server = await startLineServer({ tls: certificate });
    const connection = await connectTo(server);
    const peer = await server.peer();
    expect(connection.channelBinding).toEqual(exported(peer.socket));
    expect(connection.channelBinding).toHaveLength(32);
  });

  it('TLS 1.2 is spoken, and has nothing to bind to', async () => {
    const server = await startLineServer({ tls: { ...certificate, maxVersion: 'TLSv1.2' } });
    const connection = await connectTo(server);
    expect([connection.channelBinding, connection.identity?.trustedBySystem]).toEqual([undefined, false]);
  });

  it('TLS 1.1 is not', async () => {
    const server = await startLineServer({
      tls: { ...certificate, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    });
    expect((await refusal(connectTo(server))).code).toBe('unavailable');
  });

  it('a server of clear text is unavailable, and says that it does not speak TLS', async () => {
    const server = await startLineServer({
      onPeer: (peer) => {
        peer.socket.removeAllListeners('data');
        peer.socket.once('data', () => peer.socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
      },
    });
    const address = { ...server.address, scheme: 'chat' } as const;
    expect(whole(await refusal(connectTo({ ...server, address })))).toEqual({
      code: 'unavailable',
      text: `${formatServerAddress(address)}: cannot connect: it does not speak TLS`,
    });
  });

  it('a server that hung up while a person was asked is connected to again, without asking again', async () => {
    const server = await startLineServer({ tls: certificate });
    let asked = 0;
    const connection = await connectTo(server, {
      checkIdentity: async () => {
        asked += 1;
        const peer = await server.peer();
        peer.socket.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"too slow"}}\n');
        await vi.waitFor(() => expect(peer.socket.writableFinished).toBe(true), { timeout: 60_000 });
        await turns(20);
      },
    });
    const peer = await server.peer();
    const call = connection.call('ping', {});
    peer.result(await peer.next(), { fine: true });
    expect([await call, asked, server.connections]).toEqual([{ fine: true }, 1, 2]);
  });

  it('a server that comes back with another key is untrusted', async () => {
    const first = await startLineServer({ tls: certificate });
    const second = await startLineServer({ tls: otherCertificate });
    // The address object is read at each try: the second one leads elsewhere.
    let port = first.address.port;
    const address = {
      ...first.address,
      get port() {
        return port;
      },
    };
    const error = await refusal(
      connectTo(
        { ...first, address },
        {
          checkIdentity: async () => {
            const peer = await first.peer();
            peer.socket.destroy();
            await peer.closed;
            port = second.address.port;
            await turns(20);
          },
        },
      ),
    );
    expect(error.code).toBe('untrusted');
    expect(error.message).toMatch(/: it showed another key than a moment ago$/);
  });
});
