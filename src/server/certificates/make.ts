import 'reflect-metadata';
import type { KeyObject } from 'node:crypto';
import { createPublicKey, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { certificateBackdateMs } from '../../core/policy.ts';
import { randomBytes } from '../../core/random.ts';

const dayMs = 86_400_000;

/** How long certificates are valid, in milliseconds (the leaf: CA/Browser Forum's bound is 398 days). */
const validityMs = { authority: 3_652 * dayMs, leaf: 397 * dayMs } as const;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Signs a certificate of the server's own authority over its own key; `id` tells one server's authority from another's. */
export async function makeAuthority(key: KeyObject, id: string, now: number): Promise<string> {
  const keys = await webKeys(key);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=chat authority ${id}`,
    ...validFrom(now, validityMs.authority),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pem(certificate);
}

/** Signs the server's certificate: for TLS servers, and for these names and addresses alone. */
export async function makeLeaf(parts: {
  readonly key: KeyObject;
  readonly authorityKey: KeyObject;
  readonly authority: string;
  /** Host names and IP addresses, the first also as the subject's name. */
  readonly hosts: readonly string[];
  readonly now: number;
}): Promise<string> {
  const { key, authorityKey, authority, hosts, now } = parts;
  const keys = await webKeys(key);
  const signer = await webKeys(authorityKey);
  const issuer = new x509.X509Certificate(authority);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${hosts[0] ?? 'chat'}`,
    issuer: issuer.subject,
    ...validFrom(now, validityMs.leaf),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer.publicKey),
    ],
  });
  return pem(certificate);
}

/** Signs a certificate for a person: for TLS clients, over this public key (DER SPKI) and for this name alone. */
export async function makeClientCertificate(parts: {
  readonly publicKey: Uint8Array;
  readonly authorityKey: KeyObject;
  readonly authority: string;
  readonly username: string;
  readonly now: number;
  readonly validMs: number;
}): Promise<x509.X509Certificate> {
  const { publicKey, authorityKey, authority, username, now, validMs } = parts;
  const signer = await webKeys(authorityKey);
  const key = new x509.PublicKey(publicKey);
  const { notBefore } = validFrom(now, validMs);
  return await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    // Taken apart, so that no name is read as more than one.
    subject: [{ CN: [username] }],
    issuer: new x509.X509Certificate(authority).subject,
    notBefore,
    notAfter: new Date(now + validMs),
    signingAlgorithm: algorithm,
    publicKey: key,
    signingKey: signer.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      await x509.SubjectKeyIdentifierExtension.create(key),
      await x509.AuthorityKeyIdentifierExtension.create(signer.publicKey),
    ],
  });
}

/** Reads a PKCS#10 request in PEM and checks its own signature; answers the public key, DER SPKI, or undefined for anything else. */
export async function readSigningRequest(text: string): Promise<Uint8Array | undefined> {
  try {
    const request = new x509.Pkcs10CertificateRequest(text);
    return (await request.verify()) ? new Uint8Array(request.publicKey.rawData) : undefined;
  } catch {
    return undefined;
  }
}

function validFrom(now: number, ms: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - certificateBackdateMs), notAfter: new Date(now + ms) };
}

/** 16 random bytes with the top bit off and the next one on: positive, and always as long (RFC 5280 4.1.2.2). */
function serialNumber(): string {
  const bytes = Buffer.from(randomBytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
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

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
