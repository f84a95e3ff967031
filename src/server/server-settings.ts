import type { ServerSettings, SettingsStore } from '../core/ports/store/settings.ts';
import { randomBytes } from '../core/random.ts';

/** The settings of a store's server, made at its very first start. */
export async function serverSettings(store: Pick<SettingsStore, 'settings'>): Promise<ServerSettings> {
  return await store.settings({
    realm: Buffer.from(randomBytes(16)).toString('hex'),
    serverSecret: randomBytes(32),
  });
}
