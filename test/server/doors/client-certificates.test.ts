import { X509Certificate } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { connect, createServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { certificateAuthority } from '../../../src/server/certificates/authority.ts';
import { openCertificates } from '../../../src/server/certificates/certificates.ts';
import { secureChannel } from '../../../src/server/doors/tls.ts';
import { temporaryDirectory } from '../../cli/support/fake-host.ts';
import { type CertificateParts, signCertificate, TestKey } from '../../core/support/certificates.ts';
import { FakePeer } from '../../core/support/chat.ts';
import { connectSecure, type TestClient } from '../support/client.ts';
import { testIdentity } from '../support/identity.ts';
import { until } from '../support/until.ts';
import { type ChatAtPort, chatAtPort } from './support/real-chat.ts';

const badCertificate = 'this connection has shown no certificate that logs in to this account';

/** Somebody's certificate and key, as TLS takes them. */
interface Credential {
  readonly cert?: string;
  readonly key?: string;
}

/** A server with the account `alice`, which has a certificate of its authority and nothing else. */
async function withAlice(options: Parameters<typeof chatAtPort>[0] = {}) {
  const identity = await testIdentity();
  const at = await chatAtPort({ authority: certificateAuthority(() => identity.authority), ...options });
  const key = new TestKey();
  const made = await at.t.call(new FakePeer(), 'account.register', {
    username: 'alice',
    certificate_request: await key.request(),
  });
  const alice: Credential = { key: key.pem, cert: made.certificate?.certificate ?? '' };
  /** A certificate over her key, or another's. */
  const signed = async (parts: CertificateParts, of = key): Promise<Credential> => ({
    key: of.pem,
    cert: await signCertificate(of, parts),
  });
  return { at, identity, key, alice, signed, id: made.certificate?.id ?? '' };
}

async function answerTo(client: TestClient, line: string): Promise<string> {
  const before = client.text.split('\n').length;
  client.write(`${line}\n`);
  await client.lineCount(before);
  return client.text.split('\n')[before - 1] ?? '';
}

const rpc = (method: string, params: object): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });

async function line(at: ChatAtPort, credential: Credential, said: string): Promise<string> {
  const client = await connectSecure(at.port, credential);
  return await answerTo(client, said);
}

/** POSTs a body and answers the status with the text that came. */
function post(
  at: ChatAtPort,
  credential: Credential,
  path: string,
  body: string,
  headers: Record<string, string>,
): Promise<{ status: number; text: string; cookies: readonly string[] }> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        port: at.port,
        host: '127.0.0.1',
        path,
        method: 'POST',
        headers,
        rejectUnauthorized: false,
        agent: false,
        ...credential,
      },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text, cookies: response.headers['set-cookie'] ?? [] }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const json = { 'Content-Type': 'application/json' };
const form = { 'Content-Type': 'application/x-www-form-urlencoded' };

async function webSocket(at: ChatAtPort, credential: Credential, said: string): Promise<string> {
  const socket = new WebSocket(`wss://127.0.0.1:${at.port}/ws`, { rejectUnauthorized: false, ...credential });
  onTestFinished(() => socket.terminate());
  return await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => socket.send(said));
    socket.on('message', (data) => resolve(String(data)));
  });
}

/** How each door spells a login by certificate, its success and its refusal. */
const doors: Array<
  [
    name: string,
    login: (at: ChatAtPort, credential: Credential) => Promise<string>,
    opened: RegExp,
    refused: RegExp,
  ]
> = [
  [
    'JSON-RPC',
    (at, credential) => line(at, credential, rpc('login.certificate', { username: 'alice' })),
    /"session_token":"cs1_/,
    new RegExp(badCertificate),
  ],
  [
    'pipe',
    (at, credential) => line(at, credential, 'CERTIFICATE|alice'),
    /^CERTIFICATE\|SUCCESS\|cs1_/,
    /^CERTIFICATE\|FAILURE\|unauthenticated$/,
  ],
  [
    'slash',
    (at, credential) => line(at, credential, '/login alice'),
    /^Authentication Succeeded$/,
    /^error: invalid credentials$/,
  ],
  [
    'HTTP',
    async (at, credential) => {
      const body = JSON.stringify({ username: 'alice' });
      const { status, text } = await post(at, credential, '/api/auth/certificate', body, json);
      return `${status} ${text}`;
    },
    /^200 .*"session_token":"cs1_/,
    new RegExp(`^401 .*${badCertificate}`),
  ],
  [
    'cookies',
    async (at, credential) => {
      const body = 'username=alice&certificate=true';
      const { status, text, cookies } = await post(at, credential, '/login', body, form);
      return `${status} ${text} ${cookies.join(' ')}`;
    },
    /^200 .*"csrf_token".*__Host-session_token=cs1_/,
    new RegExp(`^401 .*${badCertificate}`),
  ],
  [
    'WebSocket',
    (at, credential) => webSocket(at, credential, rpc('login.certificate', { username: 'alice' })),
    /"session_token":"cs1_/,
    new RegExp(badCertificate),
  ],
];

describe('a login by certificate', () => {
  it.each(doors)(
    'works at the door %s, and is refused there without one',
    async (_name, login, opened, refused) => {
      const { at, alice } = await withAlice();
      expect(await login(at, alice)).toMatch(opened);
      expect(await login(at, {})).toMatch(refused);
    },
  );

  it.each(doors)(
    'is refused at the door %s alike for everything that is wrong with one',
    async (_name, login, _opened, refused) => {
      const { at, identity, alice, signed, id } = await withAlice();
      const by = identity.authority;
      const now = Date.now();
      const wrong: Credential[] = [
        {},
        // Of an unknown authority: her own key, and another's.
        await signed({ name: 'alice' }),
        await signed({ name: 'alice' }, new TestKey()),
        await signed({ name: 'alice', by, notAfter: now - 1_000 }),
        await signed({ name: 'alice', by, notBefore: now + 60_000 }),
        await signed({ name: 'alice', by, use: 'server' }),
        await signed({ name: 'bob', by }),
        // What the server shows itself, whoever has stolen that.
        { key: identity.key, cert: identity.chain },
      ];
      const answers = new Set<string>();
      for (const credential of wrong) answers.add(await login(at, credential));
      const userId = (await at.t.store.account('alice' as never))?.id;
      await at.t.store.revokeCertificate({ id: id as never, userId: userId as never, now });
      answers.add(await login(at, alice));
      expect(answers.size).toBe(1);
      expect([...answers][0]).toMatch(refused);
    },
  );

  it('takes a certificate from elsewhere at the slash door, which registers and logs in with it', async () => {
    const at = await chatAtPort();
    const key = new TestKey();
    const sam: Credential = { key: key.pem, cert: await signCertificate(key, { name: 'whoever' }) };
    const client = await connectSecure(at.port, sam);
    expect(await answerTo(client, '/register sam')).toBe('Registration Succeeded');
    expect(await answerTo(client, '/login sam')).toBe('Authentication Succeeded');
    expect(await answerTo(client, '/register tom')).toMatch(
      /^error: certificate: its key belongs to an account/,
    );
    expect(await line(at, sam, '/register sam')).toBe('error: user already exists');
    expect(await line(at, {}, '/register tim')).toBe('error: a password or a client certificate is needed');
    expect(await line(at, {}, '/login sam')).toBe('error: invalid credentials');
  });

  it('registers by a form, too, which says what stands there', async () => {
    const at = await chatAtPort();
    const key = new TestKey();
    const tim: Credential = { key: key.pem, cert: await signCertificate(key) };
    const wrong = await post(at, tim, '/register', 'username=tim&certificate=yes', form);
    expect([wrong.status, wrong.text]).toEqual([
      400,
      expect.stringContaining('certificate: true stands for'),
    ]);
    const none = await post(at, {}, '/register', 'username=tim&certificate=true', form);
    expect([none.status, none.text]).toEqual([
      400,
      expect.stringContaining('has shown none that could be taken'),
    ]);
    expect(await post(at, tim, '/register', 'username=tim&certificate=true', form)).toMatchObject({
      status: 201,
    });
    expect(await line(at, tim, '/login tim')).toBe('Authentication Succeeded');
  });

  it('over HTTP: signed for a password, listed, added and revoked', async () => {
    const { at } = await withAlice();
    await at.register('olga', 'words of olga');
    const key = new TestKey();
    const body = { username: 'olga', password: 'words of olga' };
    const opened = await post(at, {}, '/api/auth/login', JSON.stringify(body), json);
    const bearer = { ...json, Authorization: `Bearer ${JSON.parse(opened.text).session_token}` };
    const order = { request: await key.request(), label: 'curl' };
    const path = '/api/auth/certificates';
    const unproven = await post(at, {}, path, JSON.stringify(order), bearer);
    expect([unproven.status, unproven.text]).toEqual([403, expect.stringContaining('takes a fresh proof')]);
    const proof = { password: 'words of olga' };
    const issued = await post(at, {}, path, JSON.stringify({ ...order, proof }), bearer);
    expect(issued.status).toBe(201);
    const { id, certificate: cert } = JSON.parse(issued.text);
    const byCertificate = () =>
      post(at, { key: key.pem, cert }, '/api/auth/certificate', JSON.stringify({ username: 'olga' }), json);
    expect((await byCertificate()).status).toBe(200);

    const other = new TestKey();
    const foreign = { key: other.pem, cert: await signCertificate(other) };
    const added = await post(at, foreign, `${path}/shown`, JSON.stringify({ proof }), bearer);
    expect([added.status, JSON.parse(added.text)]).toMatchObject([201, { kind: 'foreign' }]);
    const peer = new FakePeer();
    await at.t.call(peer, 'login.password', body);
    await at.t.call(peer, 'certificate.revoke', { id });
    expect((await byCertificate()).status).toBe(401);
    const listed = await at.t.call(peer, 'certificate.list', {});
    expect(listed.certificates.map(({ kind, label }) => [kind, label])).toEqual([
      ['issued', 'curl'],
      ['foreign', ''],
    ]);
  });

  it('is not for the clients of a proxy that shows one of its own', async () => {
    const { at, alice } = await withAlice({ proxies: ['127.0.0.1/32'] });
    const body = JSON.stringify({ username: 'alice' });
    const answer = await post(at, alice, '/api/auth/certificate', body, json);
    expect([answer.status, answer.text]).toEqual([401, expect.stringContaining(badCertificate)]);
    expect(await webSocket(at, alice, rpc('login.certificate', { username: 'alice' }))).toContain(
      badCertificate,
    );
    // A proxy that passes TLS on unopened has none to show.
    expect(await line(at, alice, '/login alice')).toBe('Authentication Succeeded');
  });
});

describe('TLS', () => {
  it('asks for certificates of this server’s own authority alone', async () => {
    const { at, identity } = await withAlice();
    const { execFile } = await import('node:child_process');
    const said = await new Promise<string>((resolve) => {
      const child = execFile(
        'openssl',
        ['s_client', '-connect', `127.0.0.1:${at.port}`, '-tls1_2'],
        { timeout: 20_000 },
        (_error, stdout) => resolve(stdout),
      );
      child.stdin?.on('error', () => {}).end('Q\n');
    });
    const [, names = ''] =
      /Acceptable client certificate CA names\n([\s\S]*?)\n(?:Client|Requested)/.exec(said) ?? [];
    const { subject } = new X509Certificate(identity.authority.certificate);
    expect(names.split('\n').map((name) => name.replace(' = ', '='))).toEqual([subject]);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'resumes no session over %s, so that nobody comes back without the key',
    async (version) => {
      const { at, alice } = await withAlice();
      const sessions: Buffer[] = [];
      const only = { minVersion: version, maxVersion: version };
      const first = await connectSecure(at.port, { ...alice, ...only });
      first.socket.on('session', (session) => sessions.push(session));
      expect(await answerTo(first, '/login alice')).toBe('Authentication Succeeded');
      const session = sessions.at(-1) ?? first.socket.getSession();
      first.socket.destroy();
      const second = await connectSecure(at.port, { session, ...only });
      expect(second.socket.isSessionReused()).toBe(false);
      expect(await answerTo(second, '/login alice')).toBe('error: invalid credentials');
    },
  );

  it('takes what a resumed session remembers for no proof of a key', async () => {
    const identity = await testIdentity();
    const key = new TestKey();
    const cert = await signCertificate(key, { name: 'alice', by: identity.authority });
    const seen: Array<{ isReused: boolean; remembered: string | undefined; issuedTo: string | undefined }> =
      [];
    // Unlike ours, one that gives out tickets.
    const server = createServer(
      {
        key: identity.key,
        cert: identity.chain,
        ca: identity.authority.certificate,
        requestCert: true,
        rejectUnauthorized: false,
        maxVersion: 'TLSv1.2',
      },
      (socket) => {
        seen.push({
          isReused: socket.isSessionReused(),
          remembered: socket.getPeerX509Certificate()?.subject,
          issuedTo: secureChannel(socket, identity).certificate?.().issuedTo,
        });
        socket.on('error', () => {});
        socket.end('hi\n');
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const visit = (options: object): Promise<Buffer | undefined> =>
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
          socket.on('close', () => resolve(socket.getSession()));
          const session = socket.getSession();
          socket.on('data', () => {});
          socket.on('end', () => resolve(session));
        });
        socket.on('error', reject);
      });
    const session = await visit({ key: key.pem, cert });
    await visit({ session });
    expect(seen).toEqual([
      { isReused: false, remembered: 'CN=alice', issuedTo: 'alice' },
      // This is what makes it dangerous: TLS still names the one who was there before.
      { isReused: true, remembered: 'CN=alice', issuedTo: undefined },
    ]);
  });

  it('shows another certificate from one connection to the next, and drops nothing', async () => {
    const { at, identity, alice } = await withAlice();
    const before = await connectSecure(at.port, alice);
    expect(await answerTo(before, rpc('login.certificate', { username: 'alice' }))).toContain('cs1_');
    const dataDirectory = await temporaryDirectory();
    const next = await openCertificates({ dataDirectory, listenHost: '127.0.0.1', now: Date.now() });
    at.listener.replaceIdentity({ ...next, authority: identity.authority });
    const after = await connectSecure(at.port, alice);
    const { raw } = after.socket.getPeerCertificate();
    const spki = new X509Certificate(raw).publicKey.export({ type: 'spki', format: 'der' });
    expect(spki).toEqual(Buffer.from(next.spki));
    const begun = JSON.parse(await answerTo(after, rpc('account.begin-register', {})));
    expect(begun.result.server_key).toBe(Buffer.from(next.spki).toString('base64'));
    expect(await answerTo(before, rpc('account.me', {}))).toContain('"username":"alice"');
    const old = JSON.parse(await answerTo(before, rpc('account.begin-register', {})));
    expect(old.result.server_key).toBe(Buffer.from(identity.spki).toString('base64'));
    await until(() => at.listener.connections === 2);
  });
});
