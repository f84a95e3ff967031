import 'reflect-metadata';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  webcrypto,
} from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { makeKey } from '../../../src/cli/certificate-files.ts';
import { makeRequest } from '../../../src/cli/certificate-request.ts';
import type { ShownCertificate } from '../../../src/core/model/certificate.ts';
import type { CertificateAuthority } from '../../../src/core/ports/certificate-authority.ts';
import {
  type AuthorityCredential,
  certificateAuthority,
} from '../../../src/server/certificates/authority.ts';
import { makeAuthority } from '../../../src/server/certificates/make.ts';
import { FakePeer, type FakePeerParts, serverKey } from './fake-peer.ts';

const dayMs = 86_400_000;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const uses = { client: x509.ExtendedKeyUsage.clientAuth, server: x509.ExtendedKeyUsage.serverAuth } as const;

/** A new authority with a key of its own; those of one `id` have one name. */
export async function newAuthority(id = 'one'): Promise<AuthorityCredential> {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { key, certificate: await makeAuthority(key, id, Date.now()) };
}

let made: Promise<AuthorityCredential> | undefined;

/** An authority that is made once for each file of tests. */
export async function testAuthority(): Promise<CertificateAuthority> {
  made ??= newAuthority();
  const credential = await made;
  return certificateAuthority(() => credential);
}

/** Somebody's key, the digest of its public half, and requests over it. */
export class TestKey {
  readonly pem: string;
  constructor(pem = makeKey()) {
    this.pem = pem;
  }
  get private(): KeyObject {
    return createPrivateKey(this.pem);
  }
  get hash(): Uint8Array {
    const spki = createPublicKey(this.pem).export({ type: 'spki', format: 'der' });
    return new Uint8Array(createHash('sha256').update(spki).digest());
  }
  request(username = 'anybody'): Promise<string> {
    return makeRequest(this.pem, username);
  }
}

/** A certificate over `key` as a connection has shown it: made out to `issuedTo`, and in its time, unless a test says otherwise. */
export function shown(key: TestKey, other: Partial<ShownCertificate> = {}): ShownCertificate {
  const now = Date.now();
  return {
    keyHash: key.hash,
    notBefore: now - dayMs,
    notAfter: now + dayMs,
    isStrong: true,
    isForClients: true,
    issuedTo: undefined,
    ...other,
  };
}

/** A connection that has shown a certificate. */
export function showing(certificate: ShownCertificate, parts: FakePeerParts = {}): FakePeer {
  return new FakePeer({ ...parts, channel: { serverKey, certificate: () => certificate } });
}

/** What a certificate of a test says of itself. */
export interface CertificateParts {
  readonly name?: string;
  readonly use?: 'client' | 'server' | 'any';
  /** Of who signs; left out: its own key, under its own name. */
  readonly by?: AuthorityCredential;
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** A comment in it, in bytes. */
  readonly commentBytes?: number;
}

/** A real certificate over `key`, PEM. */
export async function signCertificate(key: TestKey, parts: CertificateParts = {}): Promise<string> {
  const { name = 'anybody', use = 'client', by } = parts;
  const now = Date.now();
  const pair = await webKeys(key.private);
  const signer = by ? await webKeys(by.key) : pair;
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: '01',
    subject: `CN=${name}`,
    issuer: by ? new x509.X509Certificate(by.certificate).subject : `CN=${name}`,
    notBefore: new Date(parts.notBefore ?? now - dayMs),
    notAfter: new Date(parts.notAfter ?? now + dayMs),
    signingAlgorithm: algorithm,
    publicKey: pair.publicKey,
    signingKey: signer.privateKey,
    extensions: [
      ...(use === 'any' ? [] : [new x509.ExtendedKeyUsageExtension([uses[use]])]),
      ...(parts.commentBytes === undefined ? [] : [comment(parts.commentBytes)]),
    ],
  });
  return made.toString('pem');
}

/** Netscape's comment, an IA5String. */
function comment(bytes: number): x509.Extension {
  const header = Buffer.from([0x16, 0x82, bytes >> 8, bytes & 0xff]);
  return new x509.Extension(
    '2.16.840.1.113730.1.13',
    false,
    Buffer.concat([header, Buffer.alloc(bytes, 'x')]),
  );
}

async function webKeys(key: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const usable = { name: algorithm.name, namedCurve: algorithm.namedCurve };
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, usable, false, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', spki, usable, true, ['verify']),
  };
}
