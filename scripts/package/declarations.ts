import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A declaration's import of another one, as it is written in the sources. */
const imports = /(\bfrom |\bimport\()(['"])(\.[^'"]+)\.ts\2/g;
/** One of a package or of Node: whoever has the types alone has not got it. */
const foreignImport = /\b(?:from |import\()['"](?!\.)([^'"]+)['"]/;

/**
 * Writes the declarations of a module of `src/` into `out`, with those that they rest on and no others. Our own few lines: what bundles
 * declarations builds on the compiler's interface for programs, which TypeScript 7 does not have. Throws for a declaration that names a package.
 */
export async function writeDeclarations(root: string, entry: string, out: string): Promise<void> {
  const emitted = await mkdtemp(join(tmpdir(), 'chat-types-'));
  try {
    await emit(root, entry, emitted);
    const written = new Set<string>();
    const write = async (module: string): Promise<void> => {
      if (written.has(module)) return;
      written.add(module);
      const name = module.replace(/\.ts$/, '.d.ts');
      const text = await readFile(join(emitted, name), 'utf8');
      const [, foreign] = foreignImport.exec(text) ?? [];
      if (foreign !== undefined)
        throw new Error(`the types of the library name ${foreign}, in src/${module}`);
      await mkdir(dirname(join(out, name)), { recursive: true });
      await writeFile(join(out, name), text.replace(imports, '$1$2$3.js$2'));
      for (const [, , , path] of text.matchAll(imports)) await write(join(dirname(module), `${path}.ts`));
    };
    await write(entry);
  } finally {
    await rm(emitted, { recursive: true, force: true });
  }
}

async function emit(root: string, entry: string, outDir: string): Promise<void> {
  const project = join(outDir, 'tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    outDir,
    rootDir: join(root, 'src'),
    typeRoots: [join(root, 'node_modules/@types')],
  };
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions,
    include: [],
    files: [join(root, 'src', entry)],
  };
  await writeFile(project, JSON.stringify(config));
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--project', project]);
}
