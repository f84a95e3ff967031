import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mutant } from './mutant.ts';

/** What the tests need of a checkout; the packages are shared. */
const copied = ['src', 'test', 'scripts', 'docs', 'package.json', 'vitest.config.ts', 'tsconfig.json'];

/** Makes a copy of the checkout at `root`, in which files may be edited. */
export async function copyOf(root: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const name of copied) await cp(join(root, name), join(directory, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
}

/** The text with the mutant's edit; throws when what it edits is not there exactly once. */
export function edited(text: string, { file, find, replace, rule }: Mutant): string {
  const count = text.split(find).length - 1;
  if (count !== 1) {
    throw new Error(`${rule}: ${file} has ${count} times, not once: ${JSON.stringify(find)}`);
  }
  return text.replace(find, () => replace);
}
