import { passes } from '../backoff.ts';
import type { ShownKeys } from './fetch-record.ts';
import type { KeyFile, KeyStore } from './key-file.ts';

/**
 * Has a server told of new keys by `publish` when they are on this device's disk: neither an answer that is lost nor a key file that cannot be
 * changed then leaves published keys that nobody has. {@link adopt} makes them its own after that.
 */
export async function publishKept(
  store: KeyStore,
  file: KeyFile,
  publish: () => Promise<unknown>,
): Promise<void> {
  await store.keepPending(file);
  try {
    await publish();
  } catch (error) {
    // Where the answer alone was lost, they are the account's.
    if (!passes(error)) await store.keepPending(undefined);
    throw error;
  }
}

/** Makes the keys that were kept for {@link publishKept} this device's own when the server shows exactly their record; answers whether. */
export async function adoptPublished(store: KeyStore, { record }: ShownKeys): Promise<boolean> {
  const [pending, here] = [await store.loadPending(), await store.load()];
  if (!pending || !record || pending.record.text !== record.text) return false;
  // Of another backup alone it is not known here whether the server has it.
  if (here?.record.text === record.text) return false;
  await adopt(store, pending);
  return true;
}

/** Makes published keys this device's own, with what it knows of others; answers the key file. */
export async function adopt(store: KeyStore, file: KeyFile): Promise<KeyFile> {
  const { user, realm } = file.record;
  const kept = await store.update((before) => {
    const isOwn = before?.record.user === user && before.record.realm === realm;
    return isOwn ? { ...file, pins: before.pins } : file;
  });
  await store.keepPending(undefined);
  return kept;
}
