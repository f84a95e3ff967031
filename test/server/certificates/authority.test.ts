import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { certificateAuthority, readShown } from '../../../src/server/certificates/authority.ts';
import { temporaryDirectory } from '../../cli/support/fake-host.ts';
import { newAuthority, signCertificate, TestKey } from '../../core/support/certificates.ts';

const now = Date.parse('2026-11-21T12:00:00.000Z');
const authority = await newAuthority();
const signing = certificateAuthority(() => authority);

/** A request as openssl makes it over a new key of this kind. */
function requestOver(...options: string[]): string {
  const args = ['req', '-new', '-nodes', '-keyout', '/dev/null', '-subj', '/CN=anybody', ...options];
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
}

async function refused(pem: string): Promise<string> {
  const error = await signing.readRequest(pem).catch((thrown: unknown) => thrown);
  if (!(error instanceof ChatError)) throw new Error('not refused');
  expect([error.code, error.details.field]).toEqual(['invalid', 'request']);
  return error.message;
}

describe('a request for a certificate', () => {
  it('is read whoever has made it, over every key that is strong enough', async () => {
    const key = new TestKey();
    expect((await signing.readRequest(await key.request())).keyHash).toEqual(key.hash);
    for (const kind of [
      ['-newkey', 'rsa:2048'],
      ['-newkey', 'ed25519'],
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
    ]) {
      expect((await signing.readRequest(requestOver(...kind))).keyHash).toHaveLength(32);
    }
  });

  it('is refused when it is none, is damaged, or was not signed with its own key', async () => {
    const pem = await new TestKey().request();
    expect(await refused('words')).toContain('it is not one in PEM');
    expect(await refused(await signCertificate(new TestKey()))).toContain('it is not one in PEM');
    expect(await refused(pem.replace(/.{20}\n-----END/, '\n-----END'))).toContain('damaged');
    const body = pem.replace(/-----[^\n]*-----|\n/g, '');
    const bytes = Buffer.from(body, 'base64');
    // In the signature, which stands at the end.
    bytes[bytes.length - 4] = (bytes[bytes.length - 4] ?? 0) ^ 1;
    const other = pem.replace(/(-----\n)[\s\S]*(\n-----END)/, `$1${bytes.toString('base64')}$2`);
    expect(await refused(other)).toContain('not signed with its own key');
  });

  it('is refused over a key that is too weak', async () => {
    expect(await refused(requestOver('-newkey', 'rsa:1024'))).toContain('RSA of 2048 to 8192 bits');
    expect(await refused(requestOver('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'))).toMatch(
      /P-256|damaged/,
    );
  });
});

describe('a certificate that was signed', () => {
  it('has one name, logs in and does nothing else, and ends when it was said to', async () => {
    const key = new TestKey();
    const request = await signing.readRequest(await key.request('root'));
    const username = parseUsername('alice');
    const issued = await signing.issue({ request, username, now, validMs: 5_000 });
    const parsed = new X509Certificate(issued.certificate);
    expect(parsed.subject).toBe('CN=alice');
    expect(parsed.ca).toBe(false);
    expect(parsed.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(parsed.validToDate.getTime()).toBe(now + 5_000);
    expect(issued.expiresAt).toBe(now + 5_000);
    expect(parsed.validFromDate.getTime()).toBeLessThan(now);
    expect(parsed.verify(new X509Certificate(issued.authority).publicKey)).toBe(true);
    expect(parsed.serialNumber).toHaveLength(32);
    expect(readShown(parsed, authority)).toEqual({
      keyHash: key.hash,
      notBefore: parsed.validFromDate.getTime(),
      notAfter: now + 5_000,
      isStrong: true,
      isForClients: true,
      issuedTo: 'alice',
    });
  });
});

describe('a certificate that was shown', () => {
  const shown = async (parts: Parameters<typeof signCertificate>[1]) =>
    readShown(new X509Certificate(await signCertificate(new TestKey(), parts)), authority);

  it('is ours by the authority’s key, and not by its name', async () => {
    const impostor = await newAuthority();
    expect(new X509Certificate(impostor.certificate).subject).toBe(
      new X509Certificate(authority.certificate).subject,
    );
    expect((await shown({ name: 'alice', by: authority })).issuedTo).toBe('alice');
    expect((await shown({ name: 'alice', by: impostor })).issuedTo).toBeUndefined();
    expect((await shown({ name: 'alice' })).issuedTo).toBeUndefined();
    // The authority's own key under another name.
    const renamed = { key: authority.key, certificate: (await newAuthority('two')).certificate };
    expect((await shown({ name: 'alice', by: renamed })).issuedTo).toBeUndefined();
  });

  it('is for clients when it says so or says nothing', async () => {
    expect((await shown({ use: 'client' })).isForClients).toBe(true);
    expect((await shown({ use: 'any' })).isForClients).toBe(true);
    expect((await shown({ use: 'server' })).isForClients).toBe(false);
  });

  it('of ours with a subject that is no name alone is nobody’s', async () => {
    expect((await shown({ name: 'alice,O=chat', by: authority })).issuedTo).toBe('');
    expect((await shown({ name: 'Alice', by: authority })).issuedTo).toBe('');
  });

  it('over a key that could be computed, or that costs much to check, is weak', async () => {
    const of = async (...options: string[]) => {
      const path = join(await temporaryDirectory(), 'key');
      const args = ['req', '-x509', '-nodes', '-newkey', ...options, '-subj', '/CN=x', '-keyout', path];
      const pem = execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
      return readShown(new X509Certificate(pem), authority).isStrong;
    };
    const curve = (name: string) => ['ec', '-pkeyopt', `ec_paramgen_curve:${name}`];
    expect([
      await of('rsa:1024'),
      await of('rsa:2048'),
      await of('rsa:2048', '-pkeyopt', `rsa_keygen_pubexp:${2n ** 64n + 13n}`),
      await of(...curve('secp224r1')),
      await of(...curve('secp256k1')),
      await of(...curve('P-256')),
      await of(...curve('P-521')),
      await of('ed25519'),
    ]).toEqual([false, true, false, false, false, true, true, true]);
  });

  it('over an RSA key is known by its key, too', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    expect(publicKey.asymmetricKeyType).toBe('rsa');
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const path = join(await temporaryDirectory(), 'rsa.key');
    await writeFile(path, key, { mode: 0o600 });
    const args = ['req', '-x509', '-new', '-key', path, '-subj', '/CN=rsa'];
    const pem = execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
    expect(readShown(new X509Certificate(pem), authority).keyHash).toEqual(new TestKey(key).hash);
  });
});
