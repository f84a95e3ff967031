import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { assets, bundle, entryPoints } from '../build/bundle.ts';
import { writeDeclarations } from './declarations.ts';
import { licensesOf } from './licenses.ts';

const run = promisify(execFile);

/** The oldest Node that the program and the library were run on (docs/releasing.md); scripts/package/npm/chat.cjs has it too. */
const oldestNode = '22.19.0';

/** What is packed, and where the package goes. */
export interface NpmTarball {
  /** The project's directory, with its packages installed. */
  readonly root: string;
  /** The directory of the file, which is made. */
  readonly out: string;
  /** As package.json has it: `0.1.0`. */
  readonly version: string;
}

/**
 * Makes `chat-VERSION.tgz`: the program for a Node of the host project's own, the library with its types, and no dependency; it answers
 * the path of the file. Nothing is downloaded.
 */
export async function makeNpmTarball({ root, out, version }: NpmTarball): Promise<string> {
  const stage = await mkdtemp(join(tmpdir(), 'chat-npm-'));
  try {
    await Promise.all([
      writeProgram(root, stage),
      writeDeclarations(root, 'library/library.ts', join(stage, 'types')),
      writeFiles(root, stage),
      writeFile(join(stage, 'package.json'), manifestOf(await manifestIn(root), version)),
    ]);
    await mkdir(out, { recursive: true });
    const words = ['pack', stage, '--pack-destination', out, '--ignore-scripts', '--silent'];
    const { stdout } = await run('npm', words, { cwd: stage, shell: process.platform === 'win32' });
    return join(out, stdout.trim().split('\n').at(-1) ?? '');
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/** The modules of the program and the library, what they read, and their licenses; nothing for those who look into them. */
async function writeProgram(root: string, stage: string): Promise<void> {
  const outdir = join(stage, 'dist');
  const { outputFiles, metafile } = await bundle({
    root,
    entryPoints: { ...entryPoints, library: 'src/library/library.ts' },
    outdir,
    target: `node${oldestNode}`,
  });
  const licenses = licensesOf({ root, metafile, outputFiles });
  await mkdir(outdir, { recursive: true });
  const modules = outputFiles.filter(({ path }) => path.endsWith('.mjs'));
  await Promise.all([
    ...modules.map(({ path, text }) => writeFile(path, text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ''))),
    ...assets.map((path) => copyFile(join(root, path), join(outdir, basename(path)))),
    // Where `chat licenses` finds them.
    writeFile(join(outdir, 'licenses.txt'), licenses),
  ]);
}

async function writeFiles(root: string, stage: string): Promise<void> {
  const own = (name: string): string => join(root, 'scripts/package/npm', name);
  await mkdir(join(stage, 'bin'), { recursive: true });
  await Promise.all([
    copyFile(join(root, 'LICENSE'), join(stage, 'LICENSE')),
    copyFile(own('chat.cjs'), join(stage, 'bin/chat.cjs')),
    // What goes wrong there the program itself tells of.
    writeFile(join(stage, 'bin/start.cjs'), "void import('../dist/chat.mjs');\n"),
    copyFile(own('README.md'), join(stage, 'README.md')),
  ]);
}

/** What is the project's own is taken from its package.json. */
interface Manifest {
  readonly name: string;
  readonly description: string;
  readonly license: string;
}

async function manifestIn(root: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
}

function manifestOf({ name, description, license }: Manifest, version: string): string {
  const manifest = {
    name,
    version,
    description,
    license,
    type: 'module',
    bin: { chat: 'bin/chat.cjs' },
    exports: {
      '.': { types: './types/library/library.d.ts', default: './dist/library.mjs' },
      './package.json': './package.json',
    },
    engines: { node: `>=${oldestNode}` },
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = join(import.meta.dirname, '../..');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  console.log(await makeNpmTarball({ root, out: process.argv[2] ?? join(root, 'release'), version }));
}
