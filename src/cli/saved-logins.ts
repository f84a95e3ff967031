import { readdir } from 'node:fs/promises';
import { formatServerAddress, type ServerAddress } from '../client/address.ts';
import { ChatError } from '../core/errors.ts';
import type { Host } from './host.ts';
import { openProfile, type Profile, parseProfileName, profilesDirectory } from './profile.ts';
import { isMissing, stateError } from './state-directory.ts';

/** One saved login, whichever context and server it is for. */
export interface FoundLogin {
  readonly context: string;
  readonly address: ServerAddress;
  /** `chat://HOST:PORT`. */
  readonly server: string;
  /** Undefined for a file that cannot be used. */
  readonly username: string | undefined;
  readonly profile: Profile;
}

/** Every saved login of this user, by contexts and servers. */
export async function findLogins(host: Host): Promise<FoundLogin[]> {
  const directory = profilesDirectory(host);
  const names = await readdir(directory).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw stateError(directory, 'cannot be listed; check its permissions', error);
  });
  const found: FoundLogin[] = [];
  for (const name of names.sort()) {
    const parsed = parseProfileName(name);
    if (parsed === undefined) continue;
    const { context, server: address } = parsed;
    const profile = openProfile(host, address, context);
    const username = await usernameOf(profile);
    found.push({ context, address, server: formatServerAddress(address), username, profile });
  }
  return found;
}

async function usernameOf(profile: Profile): Promise<string | undefined> {
  try {
    return (await profile.load())?.username;
  } catch (error) {
    if (error instanceof ChatError) return undefined;
    throw error;
  }
}
