import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { ServerAddress } from '../client/address.ts';
import type { ClientCertificate } from '../client/connection.ts';
import { ChatError } from '../core/errors.ts';
import { stateDirectory } from './directories.ts';
import type { Host } from './host.ts';
import { readPrivateFile, replacePrivateFile, stateError } from './state-directory.ts';

/** A certificate that is kept here with its key, both PEM. */
export interface KeptCertificate extends ClientCertificate {
  /** The last moment of its validity, UTC milliseconds. */
  readonly expiresAt: number;
  /** True when a third of its life or less is left (security 2). */
  readonly isDue: boolean;
}

/** The key and the certificate of one account at one server, as files that other programs can use too. */
export interface CertificateFiles {
  readonly keyPath: string;
  readonly certificatePath: string;
  /** What is kept; undefined when either is missing. Throws `invalid` naming a file that is damaged, or does not go with the other. */
  load(): Promise<KeptCertificate | undefined>;
  /** The key that is kept; undefined when there is none. */
  key(): Promise<string | undefined>;
  saveKey(key: string): Promise<void>;
  /** Keeps a certificate that was signed; throws `untrusted` for one that is not over `key` and for this account. */
  save(certificate: string, key: string): Promise<void>;
}

/** Makes a key (P-256), PKCS#8 in PEM. */
export function makeKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Opens the files of an account, by its server and not by context: a key is worth keeping. Touches none yet. */
export function openCertificateFiles(host: Host, server: ServerAddress, username: string): CertificateFiles {
  const place = `${server.scheme}_${encodeURIComponent(server.host)}_${server.port}`;
  const directory = join(stateDirectory(host), 'certificates', place);
  const keyPath = join(directory, `${username}.key`);
  const certificatePath = join(directory, `${username}.crt`);
  const read = (path: string) => readPrivateFile(path, host.userId);
  const write = (path: string, text: string) => replacePrivateFile(path, text, host.userId);
  return {
    keyPath,
    certificatePath,
    async load() {
      const [key, certificate] = [await read(keyPath), await read(certificatePath)];
      if (key === undefined || certificate === undefined) return undefined;
      const parsed = parse(certificate);
      if (!parsed) throw stateError(certificatePath, 'is no certificate; move it away and log in again');
      if (!isOver(parsed, key)) {
        throw stateError(certificatePath, `does not go with ${keyPath}; move both away and log in again`);
      }
      const from = parsed.validFromDate.getTime();
      const to = parsed.validToDate.getTime();
      return { key, certificate, expiresAt: to, isDue: to - host.now() <= (to - from) / 3 };
    },
    key: () => read(keyPath),
    saveKey: (key) => write(keyPath, key),
    async save(certificate, key) {
      const parsed = parse(certificate);
      if (!parsed || !isOver(parsed, key) || parsed.subject !== `CN=${username}`) {
        throw new ChatError('untrusted', 'the server has signed another certificate than was asked for');
      }
      if ((await read(keyPath)) !== key) await write(keyPath, key);
      await write(certificatePath, certificate);
    },
  };
}

function parse(certificate: string): X509Certificate | undefined {
  try {
    return new X509Certificate(certificate);
  } catch {
    return undefined;
  }
}

function isOver(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.publicKey.equals(createPublicKey(key));
  } catch {
    return false;
  }
}
