import { withFileLock } from './file-lock.ts';
import type { Host } from './host.ts';
import { readSettingsText } from './settings-file.ts';
import { realPath, replaceSharedFile } from './state-directory.ts';

/**
 * Changes a file of settings whole, while no other process does: `change` gets its text, undefined when there is none, and
 * answers the new one, undefined to leave everything as it is. Two who change at once change one after the other, and neither's change is lost.
 */
export async function editFile(
  host: Host,
  path: string,
  change: (text: string | undefined) => string | undefined,
): Promise<void> {
  // Beside the file itself, so that two links to it share the lock.
  await withFileLock(`${await realPath(path)}.lock`, host, async () => {
    const changed = change(await readSettingsText(path));
    if (changed !== undefined) await replaceSharedFile(path, changed);
  });
}
