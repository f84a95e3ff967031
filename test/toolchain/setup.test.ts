import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const version = '26.10.0';
let root: string;

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text, { mode });
}

/** A runtime that knows its version and "builds" by leaving a mark; and an npm that installs it. Both keep a log. */
const fakeNode = `#!/bin/sh
if [ "$1" = --version ]; then echo v${version}; exit; fi
echo "build $*" >> log
[ -f src/broken.ts ] && { echo "src/broken.ts: syntax error" >&2; exit 1; }
mkdir -p dist && echo > dist/chat.mjs
`;
const fakeNpm = `#!/bin/sh
echo "npm $1" >> log
[ -f npm-says ] && { cat npm-says >&2; exit 1; }
[ -f npm-takes ] && sleep "$(cat npm-takes)"
rm -rf node_modules && mkdir -p node_modules/.bin && cp runtime node_modules/.bin/node
`;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'chat-setup-')));
  chmodSync(root, 0o755);
  cpSync('scripts/setup.mjs', join(root, 'scripts/setup.mjs'));
  cpSync('scripts/setup', join(root, 'scripts/setup'), { recursive: true });
  const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  put('package.json', JSON.stringify({ type: 'module', optionalDependencies }));
  put('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/a': { version: '1' } } }));
  put('tsconfig.json', '{}');
  for (const input of [
    'LICENSE',
    'scripts/build.ts',
    'scripts/build/bundle.ts',
    'scripts/package/licenses.ts',
  ])
    put(input, '');
  put('scripts/package/texts/MIT.txt', '');
  put('src/cli/chat.ts', '');
  put('runtime', fakeNode, 0o755);
  put('bin/npm', fakeNpm, 0o755);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A change to what the machine seems to be, made before setup runs. */
const pretend = (code: string) => ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
const environment = () => ({ PATH: `${join(root, 'bin')}:/usr/bin:/bin` });

function setup(argv: string[] = [], nodeFlags: string[] = [], uid?: number) {
  const words = [...nodeFlags, join(root, 'scripts/setup.mjs'), ...argv];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    env: environment(),
    encoding: 'utf8',
    ...(uid === undefined ? {} : { uid }),
  });
  return { status, stdout, stderr };
}

function setupInBackground(): Promise<{ status: number | null; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, 'scripts/setup.mjs')], { env: environment() });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('close', (status) => resolve({ status, stderr }));
  });
}

/** What npm and the build were asked for so far. */
const log = () =>
  existsSync(join(root, 'log')) ? readFileSync(join(root, 'log'), 'utf8').trim().split('\n') : [];
const quiet = { status: 0, stdout: '', stderr: '' };

describe('the packages', () => {
  test('are installed once, and a second setup says and does nothing', () => {
    expect(setup()).toEqual({
      status: 0,
      stdout: '',
      stderr: expect.stringMatching(/^setup: installing packages .*\nsetup: packages installed in \d+ s\n$/),
    });
    expect(setup()).toEqual(quiet);
    expect(log()).toEqual(['npm ci']);
  });

  test('are installed again when the lock changed, or when the runtime is gone', () => {
    setup();
    put('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/a': { version: '2' } } }));
    setup();
    rmSync(join(root, 'node_modules/.bin/node'));
    setup();
    expect(log()).toEqual(['npm ci', 'npm ci', 'npm ci']);
  });

  test('are installed again when they were made on another platform', () => {
    setup();
    const stamp = readFileSync(join(root, 'node_modules/.chat-setup'), 'utf8');
    put('node_modules/.chat-setup', stamp.replace(/ .*/, ' beos-ppc'));
    setup();
    expect(log()).toEqual(['npm ci', 'npm ci']);
  });

  test('stay when npm put them there by hand just as the lock says', () => {
    const optional = { version: '9', optional: true };
    put(
      'package-lock.json',
      JSON.stringify({
        packages: { '': {}, 'node_modules/a': { version: '2' }, 'node_modules/mac': optional },
      }),
    );
    put('node_modules/.bin/node', fakeNode, 0o755);
    put(
      'node_modules/.package-lock.json',
      JSON.stringify({ packages: { 'node_modules/a': { version: '2' } } }),
    );
    expect(setup()).toEqual(quiet);
    expect(log()).toEqual([]);
  });

  test.each([
    ['a version', { 'node_modules/a': { version: '3' } }],
    ['a digest', { 'node_modules/a': { version: '1', integrity: 'sha512-x' } }],
    ['a package too few', {}],
    ['a package too many', { 'node_modules/a': { version: '1' }, 'node_modules/b': { version: '1' } }],
  ])('are installed when those put there by hand differ in %s', (_what, installed) => {
    put('node_modules/.bin/node', fakeNode, 0o755);
    put('node_modules/.package-lock.json', JSON.stringify({ packages: installed }));
    expect(setup().status).toBe(0);
    expect(log()).toEqual(['npm ci']);
  });
});

describe('two setups at once', () => {
  test('take turns, and the second finds the work done', async () => {
    put('npm-takes', '1');
    const both = await Promise.all([setupInBackground(), setupInBackground()]);
    expect(both.map(({ status }) => status)).toEqual([0, 0]);
    const waited = both.filter(({ stderr }) => /^setup: waiting for the setup/.test(stderr));
    expect(waited).toHaveLength(1);
    expect(log()).toEqual(['npm ci']);
  });

  test('do not wait for one whose process is gone', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    put('.cache/setup.lock', `${pid}@${hostname()}`);
    expect(setup().stderr).not.toMatch('waiting');
    expect(existsSync(join(root, '.cache/setup.lock'))).toBe(false);
  });

  test('leave no lock behind when the work fails', () => {
    put('npm-says', 'npm error boom');
    setup();
    expect(existsSync(join(root, '.cache/setup.lock'))).toBe(false);
  });
});

describe('the build', () => {
  test('is made when asked for, and again only when a source changed', () => {
    setup(['--build']);
    expect(setup(['--build'])).toEqual(quiet);
    put('src/cli/new.ts', '');
    setup(['--build']);
    put('src/cli/new.ts', 'changed');
    setup(['--build']);
    rmSync(join(root, 'src/cli/new.ts'));
    setup(['--build']);
    const build = 'build --import tsx scripts/build.ts';
    expect(log()).toEqual(['npm ci', build, build, build, build]);
  });

  test('is made in any case with --rebuild, and not at all without either', () => {
    setup();
    expect(log()).toEqual(['npm ci']);
    setup(['--rebuild']);
    setup(['--rebuild']);
    expect(log()).toHaveLength(3);
  });

  test('that fails ends setup with 1, shows why on stderr, and is tried again', () => {
    put('src/broken.ts', '');
    const { status, stdout, stderr } = setup(['--build']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /src\/broken\.ts: syntax error\nsetup: the build failed: see the lines above\.\n$/,
    );
    rmSync(join(root, 'src/broken.ts'));
    expect(setup(['--build']).status).toBe(0);
  });
});

describe('what stands in the way is said with what to do:', () => {
  test('an unsupported platform, before anything is installed', () => {
    expect(setup([], pretend("Object.defineProperty(process, 'arch', { value: 'riscv64' })"))).toEqual({
      status: 1,
      stdout: '',
      stderr: `setup: this machine is ${process.platform}-riscv64; chat brings its own Node for linux-x64, linux-arm64, darwin-x64, darwin-arm64, win32-x64 only.\n`,
    });
    expect(log()).toEqual([]);
  });

  test('a Node that is too old', () => {
    const old = pretend("Object.defineProperty(process.versions, 'node', { value: '18.20.0' })");
    expect(setup([], old).stderr).toBe(
      'setup: this is Node 18.20.0; install Node 20 or newer and start again.\n',
    );
  });

  test.each([
    [
      'no network',
      'npm error code ENOTFOUND',
      /the package registry cannot be reached[\s\S]*bring node_modules from another/,
    ],
    ['a full disk', 'npm error ENOSPC: no space left', /the disk is full/],
    [
      'a foreign node_modules',
      'npm error EACCES: permission denied',
      /cannot write in .*: run this as the user who owns it/,
    ],
    ['anything else, in npm\u2019s own words', 'npm error boom', /npm ci failed:\nnpm error boom/],
  ])('%s', (_name, words, said) => {
    put('npm-says', words);
    const { status, stderr } = setup();
    expect(status).toBe(1);
    expect(stderr).toMatch(said);
    expect(stderr).not.toMatch(/\n +at /);
  });

  test.each([
    ['of another version', '#!/bin/sh\necho v20.0.0\n', 'not usable (v20.0.0)'],
    ['that does not start', 'no program', 'not usable (it does not start'],
  ])('a runtime %s', (_name, runtime, said) => {
    put('runtime', runtime, 0o755);
    const { status, stderr } = setup();
    expect(status).toBe(1);
    expect(stderr).toContain(said);
    expect(existsSync(join(root, 'node_modules/.chat-setup'))).toBe(false);
  });

  // Root may write anywhere, so as root the test becomes nobody, where nobody can reach this Node at all.
  const nobody = process.getuid?.() === 0 ? 65_534 : undefined;
  const reachable = spawnSync(process.execPath, ['-e', '0'], nobody ? { uid: nobody } : {}).status === 0;
  test.skipIf(!reachable)('a checkout that is not writable, unless nothing is to do', () => {
    const makeReadOnly = () => chmodSync(root, 0o555);
    makeReadOnly();
    expect(setup([], [], nobody)).toEqual({
      status: 1,
      stdout: '',
      stderr: `setup: cannot write in ${root}: run this as the user who owns it.\n`,
    });
    chmodSync(root, 0o755);
    setup(['--build']);
    makeReadOnly();
    expect(setup(['--build'], [], nobody)).toEqual(quiet);
    chmodSync(root, 0o755);
  });
});
