import { createPublicKey, type KeyObject } from 'node:crypto';
import { dirname, join } from 'node:path';
import { equalDigests } from '../../core/crypto/bytes.ts';
import { ChatError } from '../../core/errors.ts';
import type { SettingsStore, SharedName } from '../../core/ports/store/settings.ts';
import { type Certificates, directories, parseKey } from '../certificates/certificates.ts';
import { makePrivateDirectory, readIfPresent, replaceFile } from '../certificates/files.ts';
import { newKey } from '../certificates/new-key.ts';
import type { Seal } from './seal.ts';

/** What a node shares, and where. */
export interface SharedKeysOptions {
  /** The node's data directory, which it has locked. */
  readonly directory: string;
  readonly store: Pick<SettingsStore, 'shared' | 'share'>;
  readonly seal: Seal;
}

/** What was done with the keys of a node. */
export interface KeysTaken {
  /** Sentences for the log. */
  readonly notes: readonly string[];
  /** True when there was no authority before, here or elsewhere. */
  readonly isAuthorityNew: boolean;
}

/** Where a node's keys are, and the authority's certificate. */
const files = {
  server: [directories.server, 'server.key'],
  authority: [directories.authority, 'ca.key'],
  certificate: [directories.authority, 'ca.crt'],
} as const;

const keyNames = ['server', 'authority'] as const;

/** The keys of a server in PEM. */
type Keys = Readonly<Record<(typeof keyNames)[number], string>>;
type OwnKeys = { readonly [Name in keyof Keys]: Keys[Name] | undefined };

/**
 * Brings the server's key and the authority's into a node's data directory: those of the other nodes, or, of a first one, its own or new
 * ones, which the others take from then on. Throws `invalid` for another cluster secret, and for a directory with keys of another server.
 */
export async function takeSharedKeys(options: SharedKeysOptions): Promise<KeysTaken> {
  const { directory, store, seal } = options;
  const own = await readOwn(directory);
  const kept = await store.shared('keys');
  const proposed: Keys = { server: own.server ?? newKey(), authority: own.authority ?? newKey() };
  const value = kept ?? seal.seal('keys', JSON.stringify(proposed));
  const shared = keysOf(
    opened(seal, 'keys', kept ?? (await store.share({ name: 'keys', value, instead: kept }))),
  );
  refuseOthers(directory, own, shared);
  const notes: string[] = [];
  for (const name of keyNames) {
    if (own[name] !== undefined) continue;
    const path = join(directory, ...files[name]);
    await makePrivateDirectory(dirname(path));
    await replaceFile(path, shared[name], 0o600);
    notes.push(shared[name] === proposed[name] ? `made ${path}` : `took ${path} from the other nodes`);
  }
  return { notes, isAuthorityNew: own.authority === undefined && shared.authority === proposed.authority };
}

/** Throws `invalid` for another cluster secret than the one that the shared keys are sealed under; false while there are none. */
export async function checkSecret({
  store,
  seal,
}: Pick<SharedKeysOptions, 'seal'> & {
  readonly store: Pick<SettingsStore, 'shared'>;
}): Promise<boolean> {
  const kept = await store.shared('keys');
  if (kept === undefined) return false;
  opened(seal, 'keys', kept);
  return true;
}

/** Looks whether {@link takeSharedKeys} would be refused, and throws what it throws; false while no node has shared any. */
export async function checkSharedKeys({ directory, store, seal }: SharedKeysOptions): Promise<boolean> {
  const kept = await store.shared('keys');
  if (kept === undefined) return false;
  refuseOthers(directory, await readOwn(directory), keysOf(opened(seal, 'keys', kept)));
  return true;
}

/**
 * Opens the certificates with the authority's certificate that all nodes have: what `open` renews is kept for the others, who take it when
 * they start or read theirs again. Both are over the same key, so that nothing depends on when.
 */
export async function withSharedAuthority(
  { directory, store, seal }: SharedKeysOptions,
  open: () => Promise<Certificates>,
): Promise<Certificates> {
  const path = join(directory, ...files.certificate);
  for (;;) {
    const kept = await store.shared('authority');
    const shared = kept && opened(seal, 'authority', kept);
    if (shared !== undefined && shared !== (await readIfPresent(path))) {
      await makePrivateDirectory(dirname(path));
      await replaceFile(path, shared, 0o644);
    }
    const certificates = await open();
    const { certificate } = certificates.authority;
    if (certificate === shared) return certificates;
    const value = seal.seal('authority', certificate);
    // Another node may have renewed it at the same time: then its certificate is everybody's.
    if (equalDigests(await store.share({ name: 'authority', value, instead: kept }), value))
      return certificates;
  }
}

async function readOwn(directory: string): Promise<OwnKeys> {
  const [server, authority] = await Promise.all(
    keyNames.map((name) => readIfPresent(join(directory, ...files[name]))),
  );
  return { server, authority };
}

function refuseOthers(directory: string, own: OwnKeys, shared: Keys): void {
  for (const name of keyNames) {
    const text = own[name];
    const path = join(directory, ...files[name]);
    if (text === undefined || areSame(parseKey(text, path), parseKey(shared[name], 'the shared key')))
      continue;
    throw new ChatError(
      'invalid',
      `${path} is not the key that the nodes of this server share: give the --store that it belongs to, or an empty --data, into which the shared keys are put`,
      { field: 'store' },
    );
  }
}

function opened(seal: Seal, name: SharedName, sealed: Uint8Array): string {
  const text = seal.open(name, sealed);
  if (text !== undefined) return text;
  throw new ChatError(
    'invalid',
    '--cluster-secret is not the secret under which the keys of this server were sealed: give every node the same file',
    { field: 'cluster-secret' },
  );
}

/** What {@link takeSharedKeys} has sealed: nobody else can. */
const keysOf = (text: string): Keys => JSON.parse(text) as Keys;

function areSame(one: KeyObject, other: KeyObject): boolean {
  return createPublicKey(one).equals(createPublicKey(other));
}
