import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connectClear, connectSecure } from '../support/client.ts';
import { testIdentity } from '../support/identity.ts';
import { listening } from '../support/listening.ts';
import { turn, until } from '../support/until.ts';

const echo = '{"jsonrpc":"2.0","id":1,"method":"echo","params":{}}\n';
/** Lets OpenSSL try versions that it has put away. */
const oldCiphers = { ciphers: 'ALL:@SECLEVEL=0' };

describe('TLS', () => {
  it('12.1.1: refuses 1.0 and 1.1 and speaks 1.2 and 1.3', async () => {
    const { port } = await listening();
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      await expect(
        connectSecure(port, { minVersion: version, maxVersion: version, ...oldCiphers }),
      ).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    }
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const client = await connectSecure(port, { minVersion: version, maxVersion: version });
      client.write(echo);
      await client.lineCount(1);
      expect(client.socket.getProtocol()).toBe(version);
    }
  });

  it('gives both ends the same 32 bytes to bind to on 1.3, other ones on each connection, and none on 1.2 or in clear', async () => {
    const { port, calls } = await listening();
    const bindings = new Set<string>();
    for (let i = 0; i < 2; i++) {
      const client = await connectSecure(port, { minVersion: 'TLSv1.3' });
      client.write(echo);
      await client.lineCount(1);
      const theirs = client.socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
      const ours = [...calls.peers].at(-1)?.channel.tlsExporter?.();
      expect(Buffer.from(ours ?? [])).toEqual(theirs);
      bindings.add(theirs.toString('hex'));
    }
    expect(bindings.size).toBe(2);
    for (const client of [await connectSecure(port, { maxVersion: 'TLSv1.2' }), await connectClear(port)]) {
      client.write(echo);
      await client.lineCount(1);
      expect([...calls.peers].at(-1)?.channel.tlsExporter).toBe(undefined);
    }
  });

  it('shows the key that logins are told', async () => {
    const { port, calls } = await listening();
    const { spki } = await testIdentity();
    const client = await connectSecure(port);
    client.write(echo);
    await client.lineCount(1);
    const { raw } = client.socket.getPeerCertificate();
    const shown = new X509Certificate(raw).publicKey.export({ type: 'spki', format: 'der' });
    const [peer] = calls.peers;
    expect([shown, Buffer.from(peer?.channel.serverKey ?? [])]).toEqual([spki, spki]);
  });

  it('is trusted by whoever trusts its authority, under each of its names', async () => {
    const { port } = await listening();
    const { chain } = await testIdentity();
    const authority = chain.slice(chain.lastIndexOf('-----BEGIN'));
    for (const servername of ['localhost', 'LOCALHOST']) {
      const client = await connectSecure(port, { ca: authority, rejectUnauthorized: true, servername });
      expect(client.socket.authorized).toBe(true);
    }
    await expect(
      connectSecure(port, { ca: authority, rejectUnauthorized: true, servername: 'elsewhere.example' }),
    ).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('never resumes a session of %s', async (version) => {
    const { port } = await listening();
    const first = await connectSecure(port, { minVersion: version, maxVersion: version });
    let ticket = first.socket.getSession();
    first.socket.on('session', (session) => {
      ticket = session;
    });
    first.write(echo);
    await first.lineCount(1);
    const options = ticket ? { session: ticket } : {};
    const second = await connectSecure(port, { minVersion: version, maxVersion: version, ...options });
    second.write(echo);
    await second.lineCount(1);
    expect([ticket !== undefined, second.socket.isSessionReused()]).toEqual([true, false]);
  });

  it('does not renegotiate', async () => {
    const { port } = await listening();
    const client = await connectSecure(port, { maxVersion: 'TLSv1.2' });
    client.write(echo);
    await client.lineCount(1);
    const outcomes: unknown[] = [];
    client.socket.renegotiate({}, (error) => outcomes.push(error));
    // Where it is allowed, it is done within five turns.
    for (let i = 0; i < 200; i++) await turn();
    expect(outcomes.filter((error) => error === null)).toEqual([]);
  });

  it.each([
    ['garbage in place of a handshake', Buffer.from('160301000568656c6c6f', 'hex')],
    ['SSL 2', Buffer.from('802e010002', 'hex')],
    ['a record that is too long', Buffer.concat([Buffer.from('160301ffff', 'hex'), Buffer.alloc(70_000)])],
  ])('closes on %s and serves on', async (_, bytes) => {
    const { port, listener, failures } = await listening({ clearText: 'never' });
    const client = await connectClear(port);
    client.write(Buffer.concat([bytes, Buffer.from('\n')]));
    await until(() => client.isClosed);
    await until(() => listener.connections === 0);
    const other = await connectSecure(port);
    other.write(echo);
    await other.lineCount(1);
    expect(failures).toEqual([]);
  });
});
