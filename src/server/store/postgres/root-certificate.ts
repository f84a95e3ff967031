import { readFileSync } from 'node:fs';
import { ChatError } from '../../../core/errors.ts';

/** The certificates that a database's own must lead to, in PEM, of the file `sslrootcert` names. Throws `invalid` when it cannot be read. */
export function readRootCertificate(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ChatError('invalid', `sslrootcert ${path} cannot be read (${why})`);
  }
  throw new ChatError('invalid', `sslrootcert ${path} holds no certificate in PEM`);
}
