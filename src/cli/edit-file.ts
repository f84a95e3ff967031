import { withFileLock } from './file-lock.ts';
import type { Host } from './host.ts';
import { readSettingsText } from './settings-file.ts';

/** A file of settings, and how it is written. */
export interface EditableFile {
  readonly path: string;
  replace(content: string): Promise<void>;
}

/**
 * Changes a file of settings whole, while no other process does: `change` gets its text, undefined when there is none, and
 * answers the new one, undefined to leave everything as it is. Two who change at once do so one after the other, and
 * neither's change is lost.
 */
export async function editFile(
  host: Host,
  { path, replace }: EditableFile,
  change: (text: string | undefined) => string | undefined,
): Promise<void> {
  await withFileLock(`${path}.lock`, host, async () => {
    const changed = change(await readSettingsText(path));
    if (changed !== undefined) await replace(changed);
  });
}
