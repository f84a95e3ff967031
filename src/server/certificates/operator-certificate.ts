import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ChatError } from '../../core/errors.ts';

/** The files of a certificate that somebody else has signed for this server. */
export interface OperatorFiles {
  /** The server's own certificate, then those of the authorities between, PEM. */
  readonly certificate: string;
  /** PEM, without a passphrase. */
  readonly key: string;
}

/** What TLS shows of it. */
export interface OperatorCertificate {
  readonly key: KeyObject;
  readonly keyText: string;
  /** The chain as it stands in the file. */
  readonly certificate: string;
  readonly parsed: X509Certificate;
}

/** The curves that every client knows. */
const curves: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1'];

/** Reads an operator's own certificate and its key; throws `invalid` naming the setting and the file for what cannot be shown. */
export async function readOperatorCertificate(files: OperatorFiles): Promise<OperatorCertificate> {
  const certificate = await read('--tls-cert', files.certificate);
  const keyText = await read('--tls-key', files.key);
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch (cause) {
    throw refused('--tls-cert', files.certificate, 'is no certificate in PEM', cause);
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(keyText);
  } catch (cause) {
    throw refused('--tls-key', files.key, 'is no private key in PEM, or has a passphrase', cause);
  }
  if (!parsed.checkPrivateKey(key)) {
    throw refused('--tls-key', files.key, `is not the key of the first certificate in ${files.certificate}`);
  }
  const { asymmetricKeyType: type = 'of no kind', asymmetricKeyDetails: details = {} } = key;
  const { namedCurve } = details;
  if (type !== 'rsa' && !(type === 'ec' && curves.includes(namedCurve ?? ''))) {
    throw refused(
      '--tls-key',
      files.key,
      `is ${namedCurve ?? type}: RSA, P-256, P-384 or P-521 is what clients take`,
    );
  }
  try {
    createSecureContext({ key: keyText, cert: certificate });
  } catch (cause) {
    // OpenSSL says why in words of its own: `…:SSL routines::ee key too small`.
    const why = String((cause as Error).message)
      .split(':')
      .at(-1);
    throw refused('--tls-cert', files.certificate, `cannot be shown with its key (${why})`, cause);
  }
  return { key, keyText, certificate, parsed };
}

/** What should be known of one that can be shown all the same: its time, and who can read its key. */
export async function doubtsAbout(
  { parsed }: OperatorCertificate,
  files: OperatorFiles,
  now: number,
): Promise<string[]> {
  const doubts: string[] = [];
  const day = (date: Date): string => date.toISOString().slice(0, 10);
  if (now > parsed.validToDate.getTime()) {
    doubts.push(`${files.certificate} has expired (${day(parsed.validToDate)})`);
  } else if (now < parsed.validFromDate.getTime()) {
    doubts.push(`${files.certificate} is not valid yet (${day(parsed.validFromDate)})`);
  }
  // Often a group may read it that the operator has made for that.
  const isOpen = process.platform !== 'win32' && ((await stat(files.key)).mode & 0o007) !== 0;
  if (isOpen) doubts.push(`everybody on this machine can read ${files.key}`);
  return doubts;
}

/** The public key, DER SPKI. */
export function spkiOf(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

async function read(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refused(setting, path, `cannot be read (${code ?? String(error)})`, error);
  }
}

function refused(setting: string, path: string, why: string, cause?: unknown): ChatError {
  return new ChatError('invalid', `${setting}: ${path} ${why}`, { field: setting, cause });
}
