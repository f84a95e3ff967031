import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { ServerAddress } from '../client/address.ts';
import { ChatError } from '../core/errors.ts';
import { stateDirectory } from './directories.ts';
import type { Host } from './host.ts';
import type { KeptCertificate, NamedFiles } from './kept-certificate.ts';
import { readPrivateFile, removePrivateFile, replacePrivateFile, stateError } from './state-directory.ts';

/** The key and the certificate of one account at one server, as files that other programs can use too. */
export interface CertificateFiles {
  readonly keyPath: string;
  readonly certificatePath: string;
  /**
   * What is kept, or what the files have that are named in its place; undefined when either is missing. Throws `invalid` naming a file that
   * is damaged, or does not go with the other.
   */
  load(): Promise<KeptCertificate | undefined>;
  /** The key that is kept; undefined when there is none. */
  key(): Promise<string | undefined>;
  saveKey(key: string): Promise<void>;
  /** Sees that a key and its certificate can be kept, before a code is used up for them; what was kept stays. */
  checkRoom(): Promise<void>;
  /** Keeps a certificate that was signed, and goes by it from now on; throws `untrusted` for one that is not over `key` and for this account. */
  save(certificate: string, key: string): Promise<void>;
  /** The files of a certificate from elsewhere that are gone by; undefined where there are none. */
  named(): Promise<NamedFiles | undefined>;
  /** Goes by files from elsewhere from now on. */
  name(files: NamedFiles): Promise<void>;
}

/** More than a key and a certificate need, in bytes. */
const roomBytes = 8_192;

/** Makes a key (P-256), PKCS#8 in PEM. */
export function makeKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** True for a key of the kind that {@link makeKey} makes, over which another certificate can be asked for. */
export function isOurKind(key: string): boolean {
  return createPublicKey(key).asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

/** Opens the files of an account, by its server and not by context: a key is worth keeping. Touches none yet. */
export function openCertificateFiles(host: Host, server: ServerAddress, username: string): CertificateFiles {
  const place = `${server.scheme}_${encodeURIComponent(server.host)}_${server.port}`;
  const directory = join(stateDirectory(host), 'certificates', place);
  const keyPath = join(directory, `${username}.key`);
  const certificatePath = join(directory, `${username}.crt`);
  const namesPath = join(directory, `${username}.json`);
  const read = (path: string) => readPrivateFile(path, host.userId);
  const write = (path: string, text: string) => replacePrivateFile(path, text, host.userId);
  async function named(): Promise<NamedFiles | undefined> {
    const text = await read(namesPath);
    if (text === undefined) return undefined;
    const { parseNames } = await import('./certificate-elsewhere.ts');
    const files = parseNames(text);
    if (!files) throw stateError(namesPath, 'is damaged (no names of files); move it away and log in again');
    return files;
  }
  return {
    keyPath,
    certificatePath,
    async load() {
      const files = await named();
      if (files) return await loadNamed(files);
      const [key, certificate] = [await read(keyPath), await read(certificatePath)];
      if (key === undefined || certificate === undefined) return undefined;
      const parsed = parse(certificate);
      if (!parsed) throw stateError(certificatePath, 'is no certificate; move it away and log in again');
      if (!isOver(parsed, key)) {
        throw stateError(certificatePath, `does not go with ${keyPath}; move both away and log in again`);
      }
      const from = parsed.validFromDate.getTime();
      const to = parsed.validToDate.getTime();
      return {
        key,
        certificate,
        validFrom: from,
        expiresAt: to,
        isDue: to - host.now() <= (to - from) / 3,
        path: certificatePath,
      };
    },
    key: () => read(keyPath),
    saveKey: (key) => write(keyPath, key),
    async checkRoom() {
      await write(`${keyPath}.new`, 'x'.repeat(roomBytes));
      await removePrivateFile(`${keyPath}.new`);
    },
    async save(certificate, key) {
      const parsed = parse(certificate);
      if (!parsed || !isOver(parsed, key) || parsed.subject !== `CN=${username}`) {
        throw new ChatError('untrusted', 'the server has signed another certificate than was asked for');
      }
      if ((await read(keyPath)) !== key) await write(keyPath, key);
      await write(certificatePath, certificate);
      await removePrivateFile(namesPath);
    },
    named,
    name: (files) => write(namesPath, `${JSON.stringify(files, undefined, 2)}\n`),
  };
}

/** Files that are gone, on a stick that is not there for one, are no reason to stop a session that is alive. */
async function loadNamed(files: NamedFiles): Promise<KeptCertificate | undefined> {
  const { isThere, readNamed } = await import('./certificate-elsewhere.ts');
  return (await isThere(files)) ? await readNamed(files) : undefined;
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
