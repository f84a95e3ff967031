import { createHash, createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ChatError } from '../../core/errors.ts';
import type { AuthorityCredential } from './authority.ts';
import { closeToOthers, makePrivateDirectory, readIfPresent, replaceFile } from './files.ts';
import { newKey } from './new-key.ts';
import { doubtsAbout, type OperatorFiles, readOperatorCertificate, spkiOf } from './operator-certificate.ts';

/** What TLS shows to clients: PEM, and the key of the leaf as DER SPKI. */
export interface ServerIdentity {
  readonly key: string;
  /** The leaf, then the authority that signed it. */
  readonly chain: string;
  readonly spki: Uint8Array;
  /** Who signs the certificates of people. */
  readonly authority: AuthorityCredential;
}

/** The server's long-lived identity and what was done for it at this start. */
export interface Certificates extends ServerIdentity {
  /** `SHA256:` and the base64 of SHA-256(spki) without padding, as clients pin it. */
  readonly fingerprint: string;
  /** True when there was no authority before: what another one has signed is refused. */
  readonly isAuthorityNew: boolean;
  /** When the first of them is due to be renewed, in UTC milliseconds: a third of its time is left then. */
  readonly dueAt: number;
  /** Sentences for the log: made, renewed, closed to others. */
  readonly notes: readonly string[];
  /** Sentences for the log's warnings: what is wrong with an operator's certificate, which is shown all the same. */
  readonly doubts: readonly string[];
}

/** The authority's and the server's directories, by document 5's names. */
export const directories = { authority: 'ttpkeys', server: 'serverkeys' } as const;

/** A key and its certificate, as files and as objects. */
interface Credential {
  readonly key: KeyObject;
  readonly keyText: string;
  readonly certificate: string;
}

/**
 * The server's authority and certificate in `dataDirectory`: made at the first start, completed after an interrupted one, renewed when
 * a third of their time is left or the host has changed, always over the same keys, so that the fingerprint stays. With `files` the
 * server shows an operator's certificate instead of one of its own. Throws `unavailable` naming a file that is damaged or cannot be
 * used, or a key that is missing where `keys` are to be there, `invalid` for an operator's. The caller holds the directory's lock.
 */
export async function openCertificates(options: {
  readonly dataDirectory: string;
  readonly listenHost: string;
  readonly files?: OperatorFiles | undefined;
  /** UTC milliseconds. */
  readonly now: number;
  /** `there`: of a server that runs, which would be another one with new keys. Otherwise those that are missing are made. */
  readonly keys?: 'there' | undefined;
}): Promise<Certificates> {
  const { dataDirectory, listenHost, files, now, keys } = options;
  const notes: string[] = [];
  const doubts: string[] = [];
  try {
    const { isNew: isAuthorityNew, ...authority } = await openAuthority(
      join(dataDirectory, directories.authority),
      { now, notes, keys },
    );
    const { key, keyText, chain } = files
      ? await openOperators(files, now, doubts)
      : await openOwn(dataDirectory, { authority, listenHost, now, notes, keys });
    const spki = spkiOf(key);
    return {
      key: keyText,
      chain,
      spki,
      authority: { key: authority.key, certificate: authority.certificate },
      fingerprint: fingerprintOf(spki),
      isAuthorityNew,
      dueAt: Math.min(...[chain, authority.certificate].map((text) => dueAt(new X509Certificate(text)))),
      notes,
      doubts,
    };
  } catch (error) {
    if (error instanceof ChatError) throw error;
    const { code, path = dataDirectory } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new ChatError('unavailable', `cannot use ${path}: ${code}`, { cause: error });
  }
}

/** The fingerprint of a public key (DER SPKI), as it is shown, pinned and compared. */
export function fingerprintOf(spki: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(spki).digest('base64').replace(/=+$/, '')}`;
}

/** What TLS is to show, and with what key. */
interface Shown {
  readonly key: KeyObject;
  readonly keyText: string;
  readonly chain: string;
}

async function openOperators(files: OperatorFiles, now: number, doubts: string[]): Promise<Shown> {
  const found = await readOperatorCertificate(files);
  doubts.push(...(await doubtsAbout(found, files, now)));
  return { key: found.key, keyText: found.keyText, chain: found.certificate };
}

async function openOwn(
  dataDirectory: string,
  parts: {
    readonly authority: Credential;
    readonly listenHost: string;
  } & Making,
): Promise<Shown> {
  const { authority, listenHost, ...making } = parts;
  const directory = join(dataDirectory, directories.server);
  const { key, keyText, certificate } = await openLeaf(directory, authority, hostsOf(listenHost), making);
  return { key, keyText, chain: certificate + authority.certificate };
}

/** How what is missing or due is made. */
interface Making {
  readonly now: number;
  readonly notes: string[];
  readonly keys: 'there' | undefined;
}

async function openAuthority(
  directory: string,
  making: Making,
): Promise<Credential & { readonly isNew: boolean }> {
  const { now, notes } = making;
  const paths = { key: join(directory, 'ca.key'), certificate: join(directory, 'ca.crt') };
  const { key, keyText, isNew } = await openKey(paths, making);
  const found = await readCertificate(paths.certificate, key);
  if (found && !isDueFor(found.parsed, now)) return { key, keyText, isNew, certificate: found.text };
  const { makeAuthority } = await import('./make.ts');
  const id = createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .digest('hex');
  const certificate = await makeAuthority(key, id.slice(0, 8), now);
  await replaceFile(paths.certificate, certificate, 0o644);
  notes.push(`${found ? 'renewed' : 'made'} ${paths.certificate}`);
  return { key, keyText, isNew, certificate };
}

async function openLeaf(
  directory: string,
  authority: Credential,
  hosts: readonly string[],
  making: Making,
): Promise<Credential> {
  const { now, notes } = making;
  const paths = { key: join(directory, 'server.key'), certificate: join(directory, 'server.crt') };
  const { key, keyText } = await openKey(paths, making);
  const found = await readCertificate(paths.certificate, key);
  const isFit =
    found &&
    !isDueFor(found.parsed, now) &&
    found.parsed.checkIssued(new X509Certificate(authority.certificate)) &&
    found.parsed.verify(createPublicKey(authority.key)) &&
    hosts.every((host) => covers(found.parsed, host));
  if (isFit) return { key, keyText, certificate: found.text };
  const { makeLeaf } = await import('./make.ts');
  const certificate = await makeLeaf({
    key,
    authorityKey: authority.key,
    authority: authority.certificate,
    hosts,
    now,
  });
  await replaceFile(paths.certificate, certificate, 0o644);
  notes.push(`${found ? 'renewed' : 'made'} ${paths.certificate}`);
  return { key, keyText, certificate };
}

/** The key comes first and the certificate is made over it: an interrupted start leaves a key that the next one uses. */
async function openKey(
  paths: { readonly key: string; readonly certificate: string },
  { notes, keys }: Making,
): Promise<{ key: KeyObject; keyText: string; isNew: boolean }> {
  await makePrivateDirectory(dirname(paths.key));
  const found = await readIfPresent(paths.key);
  if (found !== undefined) {
    if (await closeToOthers(paths.key))
      notes.push(`others could read ${paths.key}: it is closed to them now`);
    return { key: parseKey(found, paths.key), keyText: found, isNew: false };
  }
  if ((await readIfPresent(paths.certificate)) !== undefined) {
    throw new ChatError(
      'unavailable',
      `${paths.key} is missing while ${basename(paths.certificate)} is there: restore it from a backup, or remove ${paths.certificate} too and every client will see a new server`,
    );
  }
  if (keys === 'there') {
    throw new ChatError(
      'unavailable',
      `${paths.key} is missing: bring it back from a backup while the server runs, or its next start makes another one`,
    );
  }
  const keyText = newKey();
  await replaceFile(paths.key, keyText, 0o600);
  notes.push(`made ${paths.key}`);
  return { key: parseKey(keyText, paths.key), keyText, isNew: true };
}

/** Reads a private key; throws `unavailable` for anything but one on P-256. */
export function parseKey(text: string, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch (cause) {
    throw damaged(path, 'it is no private key', cause);
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw damaged(path, 'it is no P-256 key');
  return key;
}

/** Reads the certificate over `key`; undefined when there is none, throws `unavailable` when it is damaged or over another key. */
export async function readCertificate(
  path: string,
  key: KeyObject,
): Promise<{ text: string; parsed: X509Certificate } | undefined> {
  const text = await readIfPresent(path);
  if (text === undefined) return undefined;
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(text);
  } catch (cause) {
    throw damaged(path, 'it is no certificate', cause);
  }
  if (!parsed.checkPrivateKey(key)) throw damaged(path, 'it is not over the key beside it');
  return { text, parsed };
}

/** True before a certificate's time, and when a third of it or less is left. */
export function isDueFor(certificate: X509Certificate, now: number): boolean {
  return now < certificate.validFromDate.getTime() || now >= dueAt(certificate);
}

/** When a third of its time is left, in UTC milliseconds. */
function dueAt(certificate: X509Certificate): number {
  const from = certificate.validFromDate.getTime();
  const to = certificate.validToDate.getTime();
  return to - (to - from) / 3;
}

function covers(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
}

/** Everything that a client may call this server; addresses that mean "all of mine" are no names. */
function hostsOf(listenHost: string): string[] {
  const candidates = [hostname(), listenHost, 'localhost', '127.0.0.1', '::1'].map((host) =>
    host.toLowerCase(),
  );
  const names = candidates.filter((host) => host !== '0.0.0.0' && host !== '::' && isNameOrAddress(host));
  return [...new Set(names)];
}

/** A machine's own name may be anything; a certificate takes host names of RFC 1123. */
function isNameOrAddress(host: string): boolean {
  return (
    isIP(host) !== 0 || /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9][a-z0-9-]{0,62})*$/.test(host)
  );
}

function damaged(path: string, why: string, cause?: unknown): ChatError {
  return new ChatError('unavailable', `${path} is damaged: ${why}; restore it from a backup`, { cause });
}
