import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { ChatError } from '../core/errors.ts';
import type { KeptCertificate, NamedFiles } from './kept-certificate.ts';
import { lineTime } from './message-text.ts';
import { type OptionTable, type OptionValues, usageError } from './options.ts';
import { decodeUtf8 } from './text-input.ts';

/** The flag for the key of a certificate that is named. */
export const keyFileOption = {
  'key-file': {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    describe: "the certificate's key, PEM without a passphrase; default: in the certificate's file",
  },
} as const satisfies OptionTable;

/** The flags by which a command takes a certificate that was not made here. */
export const elsewhereOptions = {
  'certificate-file': {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    describe:
      'with --certificate: one from elsewhere, PEM, which stays in this file and is read from it each time',
  },
  ...keyFileOption,
} as const satisfies OptionTable;

/** The files that the flags name; undefined without any. Throws `invalid` (exit 2) for a key alone, and without `--certificate`. */
export function namedFiles(
  values: OptionValues<typeof elsewhereOptions> & { readonly certificate: boolean },
): NamedFiles | undefined {
  const { 'certificate-file': file, 'key-file': key } = values;
  if (file === undefined && key !== undefined)
    throw usageError('--key-file needs --certificate-file: it is the key of that', '--key-file');
  if (file === undefined) return undefined;
  if (values.certificate) return filesAt(file, key);
  throw usageError('--certificate-file is for --certificate: it says with which', '--certificate-file');
}

/** A certificate's file, and its key's where that is another. */
export function filesAt(certificate: string, key = certificate): NamedFiles {
  return { certificate: resolve(certificate), key: resolve(key) };
}

/** Reads what stands for two files between commands; undefined for anything else. */
export function parseNames(text: string): NamedFiles | undefined {
  try {
    const { certificate, key } = JSON.parse(text);
    const isPath = (value: unknown): value is string => typeof value === 'string' && isAbsolute(value);
    return isPath(certificate) && isPath(key) ? { certificate, key } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads a certificate from elsewhere and its key. Throws `invalid` (exit 2) naming the file for what is missing, no PEM, encrypted, not of
 * one another, and with `now` for what could log nobody in then, whoever judges it.
 */
export async function readNamed(files: NamedFiles, now?: number): Promise<KeptCertificate> {
  const certificateText = await readText(theCertificate, files.certificate);
  const certificates = certificateText.match(certificateShape);
  const parsed = certificates && parse(certificates[0]);
  if (!parsed) throw refused(theCertificate, files.certificate, 'has no certificate in PEM');
  const keyText = await readText(theKey, files.key);
  const key = readKey(keyText, files);
  if (!parsed.checkPrivateKey(key)) {
    throw refused(theKey, files.key, `is not the key of the first certificate in ${files.certificate}`);
  }
  if (now !== undefined) checkUsable(parsed, files.certificate, now);
  const pem = {
    certificate: (certificates ?? []).join('\n'),
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
  checkShowable(pem, files.key);
  // Whoever has signed it sees to the next one.
  return {
    ...pem,
    validFrom: parsed.validFromDate.getTime(),
    expiresAt: parsed.validToDate.getTime(),
    isDue: false,
    path: files.certificate,
  };
}

function checkUsable(parsed: X509Certificate, path: string, now: number): void {
  const [from, to] = [parsed.validFromDate.getTime(), parsed.validToDate.getTime()];
  const at = (ms: number) => `${lineTime(new Date(ms).toISOString())} UTC`;
  if (now > to) throw refused(theCertificate, path, `has expired at ${at(to)}`);
  if (now < from) throw refused(theCertificate, path, `is not valid before ${at(from)}`);
  // Node's types do not say that there may be none.
  const uses = parsed.keyUsage as readonly string[] | undefined;
  if (uses && !uses.some((use) => clientUses.includes(use)))
    throw refused(theCertificate, path, 'is not for TLS clients (clientAuth)');
}

/** TLS refuses some keys before anybody is connected to, as one that is too small. */
function checkShowable(
  { certificate, key }: Pick<KeptCertificate, 'certificate' | 'key'>,
  path: string,
): void {
  try {
    createSecureContext({ cert: certificate, key });
  } catch (error) {
    const why =
      error instanceof Error && 'reason' in error ? String(error.reason) : 'for a reason it does not say';
    throw refused(theKey, path, `is refused by TLS here: ${why}`);
  }
}

/** True while both files exist. */
export async function isThere({ certificate, key }: NamedFiles): Promise<boolean> {
  return await Promise.all([stat(certificate), stat(key)]).then(
    () => true,
    () => false,
  );
}

/** True when others on this machine can read the key; never on Windows, which says that in another way. */
export async function isOpenKey({ key }: NamedFiles): Promise<boolean> {
  return process.platform !== 'win32' && ((await stat(key)).mode & 0o077) !== 0;
}

const theCertificate = 'the certificate';
const theKey = 'the key';
const certificateShape = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;
/** TLS clients, and any use (RFC 5280 4.2.1.12). */
const clientUses: readonly string[] = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];

async function readText(label: string, path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw usageError(`${label}: cannot read ${path} (${code})`);
  });
  try {
    return decodeUtf8(label, bytes);
  } catch {
    throw refused(label, path, `is not PEM; ${toPem}`);
  }
}

const toPem =
  'openssl pkcs12 -in FILE -nodes -out PEM makes that of a .p12 or .pfx, openssl x509 -inform DER -in FILE -out PEM of a certificate in DER';

function readKey(text: string, { key: path, certificate }: NamedFiles): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw refused(
      theKey,
      path,
      'has a passphrase, which chat does not ask for: (umask 077; openssl pkey -in FILE -out KEY) writes the key without one',
    );
  }
  try {
    return createPrivateKey(text);
  } catch {
    const how = path === certificate ? ': give --key-file' : '; a key on a card cannot be used here';
    throw refused(theKey, path, `has no private key in PEM${how}`);
  }
}

function parse(certificate: string): X509Certificate | undefined {
  try {
    return new X509Certificate(certificate);
  } catch {
    return undefined;
  }
}

function refused(label: string, path: string, why: string): ChatError {
  return usageError(`${label}: ${path} ${why}`);
}
