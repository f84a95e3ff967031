import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { type BuildOptions, build, type OutputFile, type Plugin } from 'esbuild';

const root = process.cwd();
const dist = join(root, 'dist');

/** What has a file name of its own in dist/; all else lands in chunks that these share. */
const entryPoints = {
  chat: 'src/cli/chat.ts',
  'store-worker': 'src/server/store/sqlite/worker.ts',
  'copy-worker': 'src/server/backups/copy-worker.ts',
  'password-worker': 'src/server/workers/password-worker.ts',
};

/** Copied as they are: the debug build's imports have names, which the store's file hook needs. */
const assets = ['node_modules/sql.js/dist/sql-wasm-debug.wasm'];

function git(...words: string[]): string | undefined {
  try {
    return execFileSync('git', words, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined; // No git, or no repository: an unpacked archive builds too.
  }
}

/** `0.1.0+8c6a802`, with `.modified` when the sources are not the commit's; the bare version without git. */
function fullVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const commit = git('rev-parse', '--short=7', 'HEAD');
  if (commit === undefined) return version;
  const modified = git('status', '--porcelain', '--', 'src', 'package-lock.json') !== '';
  return `${version}+${commit}${modified ? '.modified' : ''}`;
}

/** Of package.json the built program carries its version only, with the commit it was built from. */
const manifest: Plugin = {
  name: 'manifest',
  setup({ onLoad }) {
    const contents = JSON.stringify({ version: fullVersion() });
    onLoad({ filter: /[\\/]package\.json$/ }, ({ path }) =>
      path === join(root, 'package.json') ? { contents, loader: 'json' } : undefined,
    );
  },
};

/**
 * yargs brings three copies of string-width, each of which makes an Intl.Segmenter as it loads: 8 ms of every start,
 * for widths that only a help text needs. Made at the first use instead.
 */
const lazySegmenter: Plugin = {
  name: 'lazy-segmenter',
  setup({ onLoad }) {
    const eager = 'const segmenter = new Intl.Segmenter();';
    const lazy =
      'let made; const segmenter = { segment: (text) => (made ??= new Intl.Segmenter()).segment(text) };';
    onLoad({ filter: /[\\/]node_modules[\\/]string-width[\\/]index\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes(eager)) return { errors: [{ text: `lazySegmenter no longer fits ${path}` }] };
      return { contents: source.replace(eager, lazy), loader: 'js' };
    });
  },
};

/**
 * An import of node:http makes Node read all that it exports, and so load a client (undici) for its `WebSocket`: 50 ms and 15 MB of a
 * server's start, for what the program does not use. Fetched as a value instead, of which only what is used is read.
 */
const leanHttp: Plugin = {
  name: 'lean-http',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^node:http$/ }, ({ path }) => ({ path, namespace: 'lean' }));
    onLoad({ filter: /.*/, namespace: 'lean' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}');`,
      loader: 'js',
    }));
  },
};

const options = {
  absWorkingDir: root,
  entryPoints,
  outdir: dist,
  // Every chunk beside the entries, so that `new URL('./store-worker.mjs', import.meta.url)` holds in all of them.
  chunkNames: '[name]-[hash]',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  // A quarter less to read and to pack, at the same start-up time; names stay, so that a stack trace can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  legalComments: 'external',
  // Packages in CommonJS ask for node's own modules by `require`, and for `__dirname`; an ES module has neither. It throws for all
  // else: ws goes on without the native helpers that it tries to load.
  banner: {
    js: 'const require=(name)=>{const found=process.getBuiltinModule(name);if(found)return found;throw Object.assign(new Error("no such module in the bundle: "+name),{code:"MODULE_NOT_FOUND"})};',
  },
  define: { __dirname: 'import.meta.dirname' },
  plugins: [manifest, lazySegmenter, leanHttp],
  metafile: true,
  write: false,
  logLevel: 'warning',
} satisfies BuildOptions;

/** Puts a file in its place at once and whole: a program that starts meanwhile reads the old one or the new one. */
function place(path: string, write: (temporary: string) => void): void {
  const temporary = `${path}.${process.pid}`;
  write(temporary);
  renameSync(temporary, path);
}

/** Entries last, since they name the chunks; then what no longer belongs to the build goes. */
function placeAll(files: readonly OutputFile[], metafile: object): void {
  mkdirSync(dist, { recursive: true });
  const isEntry = ({ path }: OutputFile): boolean => basename(path, '.mjs') in entryPoints;
  for (const file of files.toSorted((one, other) => Number(isEntry(one)) - Number(isEntry(other)))) {
    place(file.path, (temporary) => writeFileSync(temporary, file.contents));
  }
  for (const asset of assets)
    place(join(dist, basename(asset)), (temporary) => copyFileSync(asset, temporary));
  place(join(dist, 'meta.json'), (temporary) => writeFileSync(temporary, JSON.stringify(metafile)));
  const kept = new Set([
    'meta.json',
    ...[...assets, ...files.map(({ path }) => path)].map((path) => basename(path)),
  ]);
  for (const name of readdirSync(dist)) if (!kept.has(name)) rmSync(join(dist, name), { recursive: true });
}

const missing = Object.values(entryPoints).filter((path) => !existsSync(path));
if (missing.length > 0) {
  console.error(`no such entry point: ${missing.join(', ')}`);
  process.exit(1);
}

const started = performance.now();
// esbuild has said what is wrong, and where, before it throws.
const { outputFiles, metafile } = await build(options).catch(() => process.exit(1));
placeAll(outputFiles, metafile);
const bytes = outputFiles
  .filter(({ path }) => path.endsWith('.mjs'))
  .reduce((sum, file) => sum + file.contents.length, 0);
console.log(
  `built ${relative(root, dist)}/: ${Math.round(bytes / 1024)} KB of program in ${Math.round(performance.now() - started)} ms`,
);
