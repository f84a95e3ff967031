import { configDirectory, type Place, pathsOf, systemDirectory } from './directories.ts';
import { readSettingsFile, type SettingsFile } from './settings-file.ts';
import type { FileKeys } from './settings-keys.ts';

/**
 * Where the server's settings file is looked for: where `--config` or CHAT_SERVE_CONFIG says, otherwise the person's own,
 * then the machine's, of which the first that is there counts alone.
 */
export function serverFiles(place: Place, named: string | undefined): string[] {
  const { join, resolve } = pathsOf(place.platform);
  if (named !== undefined) return [resolve(named)];
  return [configDirectory(place), systemDirectory(place)].map((directory) => join(directory, 'server.yaml'));
}

/** The files that were looked at; the last one is the one that counts, if it exists. */
export async function readServerFiles(
  place: Place,
  named: { readonly path: string; readonly label: string } | undefined,
  keys: FileKeys,
): Promise<SettingsFile[]> {
  const looked: SettingsFile[] = [];
  for (const path of serverFiles(place, named?.path)) {
    const file = await readSettingsFile(path, keys, named?.label);
    looked.push(file);
    if (file.exists) break;
  }
  return looked;
}
