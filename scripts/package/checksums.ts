import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rename, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** What the sums stand in, in the directory that they are of. */
export const sumsName = 'SHA256SUMS';

/**
 * Writes {@link sumsName} over every file below `directory`, by name, as `sha256sum -c` and `shasum -a 256 -c` read it. Answers how many
 * there are. Throws for a name that these would read otherwise, and for a directory without files.
 */
export async function writeChecksums(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => name !== sumsName)
    .sort();
  if (names.length === 0) throw new Error(`${directory} has no files to take sums of`);
  const odd = names.find((name) => !/^[\w.+/-]+$/.test(name));
  if (odd !== undefined)
    throw new Error(`${JSON.stringify(odd)} cannot stand in ${sumsName}: A-Z a-z 0-9 . _ + - alone`);
  const lines: string[] = [];
  for (const name of names) lines.push(`${await sumOf(join(directory, name))}  ${name}\n`);
  const whole = join(directory, `${sumsName}.${process.pid}`);
  await writeFile(whole, lines.join(''));
  await rename(whole, join(directory, sumsName));
  return names.length;
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
