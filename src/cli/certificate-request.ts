import 'reflect-metadata';
import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Makes a certificate request (PKCS#10, RFC 2986) for `username` over a key of ours, both in PEM. */
export async function makeRequest(key: string, username: string): Promise<string> {
  const pkcs8 = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const usable = { name: algorithm.name, namedCurve: algorithm.namedCurve };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [username] }],
    keys: {
      privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, usable, false, ['sign']),
      publicKey: await webcrypto.subtle.importKey('spki', spki, usable, true, ['verify']),
    },
    signingAlgorithm: algorithm,
  });
  return request.toString('pem');
}
