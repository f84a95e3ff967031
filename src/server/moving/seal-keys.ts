import { ChatError } from '../../core/errors.ts';
import type { SharedName } from '../../core/ports/store/settings.ts';
import { newKey } from '../certificates/new-key.ts';
import { readClusterSecret } from '../cluster/cluster-secret.ts';
import { sealUnder } from '../cluster/seal.ts';
import type { RunQuery } from '../store/postgres/moved-rows.ts';
import { share } from '../store/queries/shared.ts';
import type { ExportDirectory } from './export-directory.ts';
import type { Manifest, ManifestKey } from './manifest.ts';

/**
 * Answers what keeps the keys of an export in a store, sealed under the cluster secret, as its nodes look for them. Everything is read
 * before: throws `invalid` for a file that is no such secret, `unavailable` for a key that is missing or damaged.
 */
export async function keySealer(
  secretFile: string,
  directory: ExportDirectory,
  manifest: Manifest,
): Promise<(run: RunQuery) => Promise<void>> {
  const seal = sealUnder(await readClusterSecret(secretFile), manifest.realm);
  const texts = new Map<ManifestKey['file'], string>();
  for (const key of manifest.keys)
    texts.set(key.file, Buffer.from(await directory.key(key)).toString('utf8'));
  const authority = texts.get('ttpkeys/ca.key');
  if (authority === undefined) {
    throw new ChatError('unavailable', `there is no ttpkeys/ca.key in ${directory.path}: export again`);
  }
  // A server with an operator's certificate has none: the nodes make theirs of this one when they are started without it.
  const server = texts.get('serverkeys/server.key') ?? newKey();
  const certificate = texts.get('ttpkeys/ca.crt');
  return async (run) => {
    const keep = async (name: SharedName, text: string): Promise<void> => {
      const value = seal.seal(name, text);
      await run(share({ name, value, instead: undefined }));
    };
    await keep('keys', JSON.stringify({ server, authority }));
    if (certificate !== undefined) await keep('authority', certificate);
  };
}
