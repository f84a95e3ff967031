import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/** What has a file name of its own in a build of the program; all else lands in chunks that these share. */
export const entryPoints = {
  chat: 'src/cli/chat.ts',
  'store-worker': 'src/server/store/sqlite/worker.ts',
  'copy-worker': 'src/server/backups/copy-worker.ts',
  'password-worker': 'src/server/workers/password-worker.ts',
};

/** Copied as they are: the debug build's imports have names, which the store's file hook needs. */
export const assets = ['node_modules/sql.js/dist/sql-wasm-debug.wasm'];

function git(root: string, ...words: string[]): string | undefined {
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

/** What is inside, and what makes it. */
const sources = ['src', 'scripts', 'package.json', 'package-lock.json', 'LICENSE'];

/** `0.1.0+8c6a802`, with `.modified` when the sources are not the commit's; the bare version without git. */
function fullVersion(root: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const commit = git(root, 'rev-parse', '--short=7', 'HEAD');
  if (commit === undefined) return version;
  const modified = git(root, 'status', '--porcelain', '--', ...sources) !== '';
  return `${version}+${commit}${modified ? '.modified' : ''}`;
}

/** Of package.json the built program carries its version only, with the commit it was built from. */
const manifest = (root: string): Plugin => ({
  name: 'manifest',
  setup({ onLoad }) {
    const contents = JSON.stringify({ version: fullVersion(root) });
    onLoad({ filter: /[\\/]package\.json$/ }, ({ path }) =>
      path === join(root, 'package.json') ? { contents, loader: 'json' } : undefined,
    );
  },
});

/**
 * yargs brings three copies of string-width, which make an Intl.Segmenter and take in Unicode's tables of emoji as they load: 20 ms of
 * every start, for widths that only a help text needs. Each is loaded at its first use instead.
 */
const lazyStringWidth: Plugin = {
  name: 'lazy-string-width',
  setup({ onLoad, onResolve, resolve }) {
    const namespace = 'lazy-string-width';
    onResolve({ filter: /^string-width$/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
      if (pluginData === namespace || !importer.includes('node_modules')) return undefined;
      const found = await resolve(path, { importer, kind, resolveDir, pluginData: namespace });
      return found.errors.length > 0 ? found : { path: found.path, namespace };
    });
    onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: `let width; export default (...words) => (width ??= require(${JSON.stringify(path)}).default)(...words);`,
      loader: 'js',
      resolveDir: dirname(path),
    }));
  },
};

/**
 * yargs looks for a package.json in every directory from the current one upwards, to guess a version, and for translations three
 * directories above the program. Neither is chat's, so nobody who puts such a file there has a say in it (a pipe of that name would keep
 * every command from starting); and a command starts where the current directory has been removed.
 */
const secludedYargs: Plugin = {
  name: 'secluded-yargs',
  setup({ onLoad }) {
    const namesNoFile = `export default () => undefined;`;
    const readsNoFile = `import { format } from 'node:util';
      const readFileSync = () => { throw Object.assign(new Error('no translations'), { code: 'ENOENT' }); };
      export default { fs: { readFileSync }, format, resolve: (...names) => names.join('/'), exists: () => false };`;
    onLoad({ filter: /node_modules[\\/]escalade[\\/]/ }, () => ({ contents: namesNoFile, loader: 'js' }));
    onLoad({ filter: /y18n[\\/].*[\\/]platform-shims[\\/]node\.js$/ }, () => ({
      contents: readsNoFile,
      loader: 'js',
    }));
    onLoad({ filter: /yargs[\\/].*[\\/]platform-shims[\\/]esm\.mjs$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace('mainFilename || process.cwd()', "'/'"),
      loader: 'js',
    }));
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

/** What is built, for which Node, and where it is to lie. */
export interface BundleRequest {
  readonly root: string;
  /** By the name of the file. */
  readonly entryPoints: Readonly<Record<string, string>>;
  readonly outdir: string;
  /** As esbuild names it: `node26`. */
  readonly target: string;
}

const options = {
  // Every chunk beside the entries, so that `new URL('./store-worker.mjs', import.meta.url)` holds in all of them.
  chunkNames: '[name]-[hash]',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
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
  metafile: true,
  write: false,
  logLevel: 'warning',
} satisfies BuildOptions;

/** Builds modules for Node with all packages inside, and writes nothing; esbuild has said what is wrong, and where, before it throws. */
export function bundle({ root, entryPoints, outdir, target }: BundleRequest) {
  const plugins = [manifest(root), lazyStringWidth, secludedYargs, leanHttp];
  return build({ ...options, absWorkingDir: root, entryPoints: { ...entryPoints }, outdir, target, plugins });
}
