import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { transform } from 'esbuild';
import { licensesName } from './licenses.ts';

/** What the loader lies under beside the modules, for the threads that it starts. */
export const loaderName = 'loader.cjs';
/** The list of modules that have something compiled beside them. */
export const compiledListName = 'compiled.txt';

/** Where code finds itself: nowhere. An absolute URL on every platform, as Node's own functions want one. */
const nowhere = JSON.stringify('file:///c:/chat/chat.mjs');

/**
 * Writes what travels in the executable into `archive`: each ES module of the build as a script of CommonJS, which alone can be
 * loaded from memory with what was compiled of it; the build's other files as they are, but the licenses, which are to be Node's too; the
 * loader. Answers the names of all of it.
 */
export async function writeArchive(build: string, archive: string, licenses: string): Promise<string[]> {
  await mkdir(archive, { recursive: true });
  const names = (await readdir(build)).filter(isPacked);
  await Promise.all(
    names.map(async (name) => {
      if (!name.endsWith('.mjs')) return await copyFile(join(build, name), join(archive, name));
      return await writeFile(
        join(archive, name),
        await scriptOf(name, await readFile(join(build, name), 'utf8')),
      );
    }),
  );
  await writeFile(join(archive, licensesName), licenses);
  await copyFile(join(import.meta.dirname, loaderName), join(archive, loaderName));
  await writeFile(join(archive, compiledListName), '');
  return [...names, loaderName, compiledListName];
}

/** What is for those who build and read the program only. */
const isPacked = (name: string): boolean =>
  !name.startsWith('.') && !name.endsWith('.map') && name !== 'meta.json' && !name.endsWith('.LEGAL.txt');

async function scriptOf(name: string, module: string): Promise<string> {
  const { code } = await transform(module, {
    format: 'cjs',
    platform: 'node',
    target: 'node26',
    minifySyntax: true,
    minifyWhitespace: true,
    // An `import()` would ask Node's own loader, which knows of no files in here.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': nowhere, 'import.meta.dirname': nowhere },
    banner: '(function(exports,require,module){"use strict";',
    footer: '})',
    sourcefile: name,
  });
  // One byte a character is how the loader reads it, and half the memory.
  if (/[^\0-\x7f]/.test(code)) throw new Error(`${name} has characters beyond ASCII`);
  return code;
}
