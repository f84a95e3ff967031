import { type CertificateFiles, openCertificateFiles } from '../../../src/cli/certificate-files.ts';
import type { ConnectOptions } from '../../../src/client/connection.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { TestKey, testAuthority } from '../../core/support/certificates.ts';
import { type FakeServer, fakeClient, fakeServer } from './fake-client.ts';
import { type FakeHost, fakeHost, type Outside, runOn, testNow } from './fake-host.ts';

export const dayMs = 86_400_000;
export const address = { scheme: 'chat', host: '127.0.0.1', port: 8080 } as const;

/** Signs whatever it is asked to for alice, as a server would at `now`, for 90 days. */
export async function sign(pem: string, now = testNow, username = 'alice') {
  const authority = await testAuthority();
  const request = await authority.readRequest(pem);
  const issued = await authority.issue({
    request,
    username: parseUsername(username),
    now,
    validMs: 90 * dayMs,
  });
  const { certificate, expiresAt } = issued;
  return { id: 'certificate-1', certificate, authority: '', expires_at: new Date(expiresAt).toISOString() };
}

/** A machine, a scripted server that signs, and the certificates with which it was connected to. */
export interface CertificateWorld {
  readonly server: FakeServer;
  readonly host: FakeHost;
  readonly shown: Array<string | undefined>;
  readonly files: CertificateFiles;
}

/** Alice's machine at a server that answers so. */
export async function world(
  answers: Parameters<typeof fakeServer>[0] = {},
  { client: other, ...outside }: Outside = {},
): Promise<CertificateWorld> {
  const server: FakeServer = fakeServer({
    'account.register': async ({ certificate_request }) => await sign(String(certificate_request)),
    'certificate.issue': async ({ request }) => await sign(String(request)),
    'login.certificate': {},
    'account.me': { username: 'alice', second_factor: { on: false } },
    'session.list': { sessions: [] },
    'certificate.list': { certificates: [] },
    'session.end': {},
    ...answers,
  });
  const shown: Array<string | undefined> = [];
  const client = {
    ...fakeClient(server),
    connect: async (options: ConnectOptions) => {
      shown.push(options.certificate?.certificate);
      return await server.connect(options);
    },
    ...other,
  };
  const host = await fakeHost({ ...outside, client });
  return { server, host, shown, files: openCertificateFiles(host, address, 'alice') };
}

/** What was asked of the server by one name. */
export const called = (server: FakeServer, name: string) => server.calls.filter((call) => call.name === name);

/** What a server says to every certificate that does not log in. */
export const refused = () =>
  new ChatError('unauthenticated', 'this connection has shown no certificate that …');

/** Keeps a certificate of alice's that was signed so many days ago. */
export async function keepFrom(host: FakeHost, days: number): Promise<string> {
  const files = openCertificateFiles(host, address, 'alice');
  const key = new TestKey();
  const { certificate } = await sign(await key.request(), testNow - days * dayMs);
  await files.save(certificate, key.pem);
  return certificate;
}

/** Alice, logged in with a certificate that was signed so many days ago, and nothing counted yet. */
export async function loggedInByCertificate(
  days: number,
  ...parts: Parameters<typeof world>
): Promise<CertificateWorld> {
  const at = await world(...parts);
  await keepFrom(at.host, days);
  const { code, stderr } = await runOn(at.host, 'login', 'alice', '--certificate');
  if (code !== 0) throw new Error(stderr);
  at.server.calls.length = 0;
  at.shown.length = 0;
  return at;
}
