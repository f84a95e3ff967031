import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';

const script = join(import.meta.dirname, '..', '..', 'scripts', 'install.sh');

/** Programs of the system that the script may call; what a test wants to be missing is left out of the PATH. */
const tools =
  'awk cat chmod curl cut env grep id ldd mkdir mktemp mv openssl rm rmdir sed sh sha256sum shasum wget'.split(
    ' ',
  );
const findTool = (name: string): string | undefined =>
  ['/usr/bin', '/bin', '/usr/sbin', '/sbin']
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));

const shells = [['dash'], ['bash'], ['busybox', 'sh']].filter(([name = '']) => findTool(name) !== undefined);
const [anyShell = ['sh']] = shells;

/** Who runs the script where the tests are root's: for root it would install for the whole machine. */
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

let top: string;
let home: string;
let release: string;

/** Makes a file, and the directories above it, which belong to who runs the script. */
function put(path: string, content: string, mode = 0o644): void {
  for (let folder = dirname(path); !existsSync(folder); folder = dirname(folder)) own(folder);
  writeFileSync(path, content);
  chmodSync(path, mode);
  if (nobody.uid !== undefined) chownSync(path, nobody.uid, nobody.gid);
}

function own(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (let path = folder; path !== top && path.startsWith(top); path = dirname(path))
    if (nobody.uid !== undefined) chownSync(path, nobody.uid, nobody.gid);
}

/** A chat as far as the script knows it. */
const program = (version: string) => `#!/bin/sh
case $1 in
  --version) echo ${version} ;;
  completion) echo "# $2 of ${version}" ;;
  man) echo '.TH chat' ;;
  serve) while read -r word; do echo "${version} hears $word"; done ;;
esac
`;

/** Puts a release into {@link release}, with its sums. */
function makeRelease(version: string, executable = program(version)): void {
  put(join(release, 'chat-linux-x64'), executable, 0o755);
  put(join(release, 'chat-darwin-arm64'), executable, 0o755);
  put(join(release, 'chat.service'), '[Service]\nUser=chat\n');
  copyFileSync(script, join(release, 'install.sh'));
  writeSums();
}

function writeSums(change: (lines: string[]) => string[] = (lines) => lines): void {
  const sum = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(release, name)))
      .digest('hex');
  const names = readdirSync(release).filter((name) => name !== 'SHA256SUMS');
  put(join(release, 'SHA256SUMS'), change(names.map((name) => `${sum(name)}  ${name}\n`)).join(''));
}

/** What a run finds on its PATH besides what the system has. */
interface Outside {
  readonly shell?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly without?: readonly string[];
  /** As `uname -s` and `uname -m` print it. */
  readonly machine?: readonly [kernel: string, processor: string];
  /** Programs that stand in for those of the system. */
  readonly standIns?: Readonly<Record<string, string>>;
  /** What else is on the PATH. */
  readonly path?: string;
  readonly stdin?: string;
  /** In place of the release's own, by its path. */
  readonly words?: readonly string[];
}

function begin(argv: readonly string[], outside: Outside = {}): ChildProcess {
  const bin = mkdtempSync(join(top, 'tools-'));
  chmodSync(bin, 0o755);
  const [kernel, processor] = outside.machine ?? ['Linux', 'x86_64'];
  const standIns = {
    uname: `#!/bin/sh\ncase $1 in -s) echo '${kernel}' ;; *) echo '${processor}' ;; esac\n`,
    ...outside.standIns,
  };
  for (const name of tools.filter((tool) => !(tool in standIns) && !outside.without?.includes(tool))) {
    const found = findTool(name);
    if (found !== undefined) symlinkSync(found, join(bin, name));
  }
  for (const [name, text] of Object.entries(standIns)) put(join(bin, name), text, 0o755);
  const [shell = 'sh', ...shellWords] = outside.shell ?? anyShell;
  const words = outside.words ?? [join(release, 'install.sh')];
  const child = spawn(findTool(shell) ?? shell, [...shellWords, ...words, ...argv], {
    cwd: home,
    env: {
      PATH: outside.path === undefined ? bin : `${bin}:${outside.path}`,
      HOME: home,
      TMPDIR: join(top, 'tmp'),
      ...outside.env,
    },
    detached: true,
    stdio: [outside.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...nobody,
  });
  // It may have found what is wrong before it has read all of it.
  child.stdin?.on('error', () => {}).end(outside.stdin);
  return child;
}

async function outcomeOf(child: ChildProcess) {
  if (child.stdout === null || child.stderr === null) throw new Error('both are pipes');
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

const install = async (argv: readonly string[] = [], outside: Outside = {}) =>
  await outcomeOf(begin(argv, outside));

/** What is at home, by path; what was left where temporary files are, too. */
function files(): string[] {
  const left = readdirSync(join(top, 'tmp'));
  const found = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter(
    (name) => !lstatSync(join(home, name)).isDirectory(),
  );
  return [...found, ...left.map((name) => `left over: ${name}`)].sort();
}

const installed = [
  '.config/fish/completions/chat.fish',
  '.local/bin/chat',
  '.local/share/bash-completion/completions/chat',
  '.local/share/chat-install/files',
  '.local/share/man/man1/chat.1',
  '.local/share/zsh/site-functions/_chat',
];
const runInstalled = (...words: string[]) =>
  spawnSync(join(home, '.local/bin/chat'), words, { encoding: 'utf8' }).stdout.trim();

/** Serves the release; `/cut/` ends in the middle of the executable, `/slow/` never comes to its end. */
async function serve(): Promise<string> {
  const server: Server = createServer(({ url = '' }, response) => {
    const [, folder, name = ''] = url.split('/');
    if (folder === 'gone' || !existsSync(join(release, name)))
      return response.writeHead(404).end('<h1>no</h1>');
    const content = readFileSync(join(release, name));
    response.writeHead(200, { 'content-length': content.length });
    if (folder === 'whole' || name === 'SHA256SUMS') return response.end(content);
    response.write(content.subarray(0, content.length / 2), () => {
      if (folder === 'cut') response.destroy();
      server.emit('half');
    });
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  halfSent = once(server, 'half');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
let halfSent: Promise<unknown>;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'chat-install-'));
  chmodSync(top, 0o755);
  home = join(top, 'ho me');
  release = join(top, "a release's");
  for (const folder of [home, release, join(top, 'tmp')]) own(folder);
  makeRelease('1.0.0');
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

it('is what shellcheck has nothing to say of', () => {
  const { error, stdout } = spawnSync('shellcheck', [script], { encoding: 'utf8' });
  if (error !== undefined) throw new Error('shellcheck is missing; install it: apt-get install shellcheck');
  expect(stdout).toBe('');
});

describe.each(shells.map((shell) => [shell.join(' '), shell] as const))('under %s', (_, shell) => {
  it('installs from the directory it lies in, upgrades, does nothing twice and takes all of it away', async () => {
    const zsh = join(home, '.local/share/zsh/site-functions');
    const writes = [
      `wrote ${home}/.local/share/bash-completion/completions/chat`,
      `wrote ${zsh}/_chat`,
      '  zsh finds it with this line in ~/.zshrc, before compinit:',
      `    fpath=('${zsh}' $fpath)`,
      `wrote ${home}/.config/fish/completions/chat.fish`,
      `wrote ${home}/.local/share/man/man1/chat.1`,
      `${home}/.local/bin is not on PATH; this line in ~/.profile (zsh: ~/.zprofile) puts it there:`,
      `  PATH='${home}/.local/bin':$PATH`,
      '',
    ];
    expect(await install([], { shell })).toEqual({
      code: 0,
      stdout: [
        'chat-linux-x64 is the one that SHA256SUMS tells of',
        `installed chat 1.0.0: ${home}/.local/bin/chat`,
        ...writes,
      ].join('\n'),
      stderr: '',
    });
    expect(files()).toEqual(installed);
    expect(runInstalled('--version')).toBe('1.0.0');
    expect(statSync(join(home, '.local/bin/chat')).mode & 0o777).toBe(0o755);
    expect(readFileSync(join(zsh, '_chat'), 'utf8')).toBe('# zsh of 1.0.0\n');

    expect((await install(['--no-completions'], { shell })).stdout.split('\n')[0]).toBe(
      `chat 1.0.0 is in ${home}/.local/bin/chat already`,
    );

    makeRelease('1.1.0');
    expect((await install([], { shell })).stdout).toContain(
      `\ninstalled chat 1.1.0: ${home}/.local/bin/chat, where 1.0.0 was\n`,
    );
    expect(files()).toEqual(installed);
    expect(readFileSync(join(zsh, '_chat'), 'utf8')).toBe('# zsh of 1.1.0\n');

    put(join(home, '.local/share/chat/chat.db'), 'data');
    expect(await install(['--uninstall'], { shell })).toEqual({
      code: 0,
      stdout: `${[
        `removed ${home}/.local/bin/chat`,
        `removed ${home}/.local/share/bash-completion/completions/chat`,
        `removed ${zsh}/_chat`,
        `removed ${home}/.config/fish/completions/chat.fish`,
        `removed ${home}/.local/share/man/man1/chat.1`,
        'data, settings and logins are left as they are',
      ].join('\n')}\n`,
      stderr: '',
    });
    expect(files()).toEqual(['.local/share/chat/chat.db']);
  });

  it('installs from a server, and nothing where its file is another, cut off or not there', async () => {
    const url = await serve();
    const from = (folder: string) => install(['--no-completions', '--from', `${url}/${folder}/`], { shell });
    expect(await from('gone')).toEqual({
      code: 3,
      stdout: `fetching ${url}/gone/SHA256SUMS\n`,
      stderr: expect.stringMatching(
        /^install\.sh: http:\S+\/gone\/SHA256SUMS cannot be fetched: curl ended with 22\. curl: .*404\n$/,
      ),
    });
    expect(await from('cut')).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(
        /^install\.sh: \S+\/cut\/chat-linux-x64 cannot be fetched: curl ended with 18\. .*\n$/,
      ),
    });
    expect(files()).toEqual([]);
    writeSums((lines) => lines.map((line) => line.replace(/^.{4}/, 'abcd')));
    expect(await from('whole')).toMatchObject({
      code: 9,
      stderr: expect.stringMatching(
        /^install\.sh: chat-linux-x64 is not the one that SHA256SUMS tells of .*nothing is installed/,
      ),
    });
    expect(files()).toEqual([]);
    writeSums();
    expect(await from('whole')).toMatchObject({ code: 0, stderr: '' });
    expect(runInstalled('--version')).toBe('1.0.0');
  });
});

it.runIf(findTool('wget') !== undefined)('wget does where there is no curl', async () => {
  const url = await serve();
  const from = (folder: string) => install(['--from', `${url}/${folder}`], { without: ['curl'] });
  expect(await from('gone')).toMatchObject({
    code: 3,
    stderr: `install.sh: ${url}/gone/SHA256SUMS cannot be fetched: wget ended with 8. the server has no such file, or refuses it\n`,
  });
  expect(await from('cut')).toMatchObject({ code: 3, stderr: expect.stringContaining('wget ended with 4.') });
  expect(files()).toEqual([]);
  expect(await from('whole')).toMatchObject({ code: 0, stderr: '' });
  expect(files()).toEqual(installed);
});

it.runIf(findTool('busybox') !== undefined)('so does the wget of BusyBox', async () => {
  const url = await serve();
  const wget = `#!/bin/sh\nexec ${findTool('busybox')} wget "$@"\n`;
  const from = (folder: string) =>
    install(['--from', `${url}/${folder}`], { without: ['curl'], standIns: { wget } });
  expect(await from('gone')).toMatchObject({ code: 3, stderr: expect.stringContaining('cannot be fetched') });
  expect(await from('cut')).toMatchObject({ code: expect.toBeOneOf([3, 9]) });
  expect(files()).toEqual([]);
  expect(await from('whole')).toMatchObject({ code: 0, stderr: '' });
  expect(files()).toEqual(installed);
});

it('a pipe from a server does as well as a file', async () => {
  const url = await serve();
  const outside = { words: ['-s', '--'], stdin: readFileSync(script, 'utf8') };
  expect(await install([], outside)).toMatchObject({
    code: 2,
    stderr:
      'install.sh: this script does not lie in a release: say where one is with --from DIR or --from URL\n',
  });
  expect(await install(['--from', `${url}/whole`], outside)).toMatchObject({ code: 0, stderr: '' });
  expect(runInstalled('--version')).toBe('1.0.0');
});

it('a script that was cut off does nothing', async () => {
  const whole = readFileSync(script, 'utf8');
  // Between lines and within them; what is after the last newline of all is the call.
  const ends = [...Array(60).keys()].map((n) => Math.floor((whole.length * n) / 60));
  const cuts = [...ends, whole.indexOf('\nmain "$@"'), whole.length - 2];
  for (const end of cuts) {
    put(join(release, 'install.sh'), whole.slice(0, end));
    const { stdout } = spawnSync(anyShell[0] ?? 'sh', [...anyShell.slice(1), join(release, 'install.sh')], {
      env: { PATH: '/usr/bin:/bin', HOME: home },
      encoding: 'utf8',
      ...nobody,
    });
    expect({ end, stdout, files: files() }).toEqual({ end, stdout: '', files: [] });
  }
});

it('who stops it half-way finds nothing', async () => {
  const url = await serve();
  const child = begin(['--from', `${url}/slow`]);
  const ended = outcomeOf(child);
  await halfSent;
  // To all of them, as Ctrl-C does.
  if (child.pid === undefined) throw new Error('it was not started');
  process.kill(-child.pid, 'SIGTERM');
  expect(await ended).toMatchObject({ code: 143 });
  expect(files()).toEqual([]);
});

it.each(shells.map((shell) => [shell.join(' '), shell] as const))(
  'whose reader has gone leaves nothing behind, under %s',
  async (_, shell) => {
    const child = begin([], { shell });
    // Destroyed before the script can have said anything.
    child.stdout?.destroy();
    await once(child, 'close');
    expect(files()).toEqual([]);
  },
);

it('a program that is running keeps its old file', async () => {
  await install(['--no-completions']);
  const running = spawn(join(home, '.local/bin/chat'), ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: running.stdout })[Symbol.asyncIterator]();
  const heard = async (word: string) => {
    running.stdin.write(`${word}\n`);
    return (await lines.next()).value;
  };
  expect(await heard('one')).toBe('1.0.0 hears one');
  const before = statSync(join(home, '.local/bin/chat')).ino;
  makeRelease('2.0.0');
  expect(await install(['--no-completions'])).toMatchObject({ code: 0, stderr: '' });
  expect(statSync(join(home, '.local/bin/chat')).ino).not.toBe(before);
  expect(await heard('two')).toBe('1.0.0 hears two');
  running.stdin.end();
  expect(await once(running, 'close')).toEqual([0, null]);
  expect(runInstalled('--version')).toBe('2.0.0');
});

describe('the file', () => {
  it.each<[string, (lines: string[]) => string[], string]>([
    [
      'has no sum',
      (lines) => lines.filter((line) => !line.includes('linux')),
      'has no sum of chat-linux-x64',
    ],
    ['has half a sum', (lines) => lines.map((line) => line.slice(32)), 'has no whole sum of chat-linux-x64'],
    ['has two sums', (lines) => [...lines, ...lines], 'has no sum of chat-linux-x64'],
    [
      'has another one’s',
      (lines) => lines.map((line) => line.replace('chat-linux-x64', 'my-chat-linux-x64')),
      'has no sum',
    ],
  ])('that %s is not installed, exit 9', async (_, change, told) => {
    writeSums(change);
    const { code, stdout, stderr } = await install();
    expect({ code, stdout }).toEqual({ code: 9, stdout: '' });
    expect(stderr).toContain(told);
    expect(stderr.split('\n')).toHaveLength(2);
    expect(files()).toEqual([]);
  });

  it('is not installed where there are no sums, or nothing to take them with', async () => {
    expect(await install([], { without: ['sha256sum', 'shasum', 'openssl'] })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^install\.sh: none of sha256sum, shasum and openssl is here/),
    });
    rmSync(join(release, 'SHA256SUMS'));
    expect(await install(['--from', release])).toMatchObject({
      code: 2,
      stderr: `install.sh: there is no SHA256SUMS in ${release}\n`,
    });
    expect(files()).toEqual([]);
  });

  const summers = ['sha256sum', 'shasum', 'openssl'];
  it.each(summers.filter((name) => findTool(name) !== undefined))(
    'is checked with %s alone',
    async (only) => {
      const without = summers.filter((name) => name !== only);
      const changed = (lines: string[]) => lines.map((line) => line.replace(/^.{4}/, 'abcd'));
      expect(await install(['--no-completions'], { without })).toMatchObject({ code: 0, stderr: '' });
      writeSums(changed);
      expect(await install(['--no-completions'], { without })).toMatchObject({ code: 9 });
    },
  );

  it('that does not start takes no other’s place', async () => {
    await install();
    makeRelease('2.0.0', '#!/bin/sh\necho "  GLIBC_2.99 not found" >&2\nexit 127\n');
    expect(await install()).toMatchObject({
      code: 2,
      stderr:
        'install.sh: the new chat does not start on this machine, so nothing is installed: GLIBC_2.99 not found\n',
    });
    makeRelease('3.0.0', '#!/bin/sh\necho "chat: libatomic.so.1: cannot open" >&2\nexit 127\n');
    expect((await install()).stderr).toMatch(
      /: chat: libatomic\.so\.1: cannot open\. Install it: apt-get install libatomic1, /,
    );
    expect(runInstalled('--version')).toBe('1.0.0');
    expect(files()).toEqual(installed);
  });

  it('that does not fit on the disk leaves nothing', async () => {
    makeRelease('1.0.0', program('1.0.0') + '#'.repeat(100_000));
    // Files of at most 32 blocks, as if no more were free.
    const [shell = '', ...shellWords] = anyShell;
    const command = [findTool(shell) ?? shell, ...shellWords, join(release, 'install.sh')];
    const words = ['-c', 'ulimit -f 32; exec "$@"', 'sh', ...command];
    expect(await install([], { words })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^install\.sh: chat-linux-x64 cannot be written to .*: is the disk full\?/m,
      ),
    });
    expect(files()).toEqual([]);
  });
});

describe('a place', () => {
  it('may have any name, and the rest stays where shells look', async () => {
    const { code, stdout } = await install(['--to', "it's here", '--no-completions']);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: [
        'chat-linux-x64 is the one that SHA256SUMS tells of',
        `installed chat 1.0.0: ${home}/it's here/chat`,
        `${home}/it's here is not on PATH; this line in ~/.profile (zsh: ~/.zprofile) puts it there:`,
        `  PATH='${home}/it'\\''s here':$PATH`,
        '',
      ].join('\n'),
    });
    expect(files()).toEqual(['.local/share/chat-install/files', "it's here/chat"]);
    expect(await install(['--uninstall'])).toMatchObject({ code: 0, stderr: '' });
    expect(files()).toEqual([]);
  });

  it('that cannot be written to or made is exit 5', async () => {
    own(join(home, 'bin'));
    chmodSync(join(home, 'bin'), 0o555);
    expect(await install(['--to', join(home, 'bin')])).toMatchObject({
      code: 5,
      stderr: `install.sh: ${home}/bin cannot be written to by this user: name another directory with --to, or use sudo\n`,
    });
    expect(await install(['--to', join(home, 'bin/deeper')])).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/^install\.sh: .*\/bin\/deeper cannot be made: mkdir: .*denied\n$/),
    });
    expect(files()).toEqual([]);
  });

  it('that has another’s chat keeps it, unless --force says otherwise', async () => {
    put(join(home, '.local/bin/chat'), 'another program', 0o755);
    put(join(home, '.config/fish/completions/chat.fish'), 'my own');
    expect(await install()).toMatchObject({
      code: 2,
      stderr: `install.sh: ${home}/.local/bin/chat is there already, and this script has not put it there: remove it, use --to, or replace it with --force\n`,
    });
    expect(readFileSync(join(home, '.local/bin/chat'), 'utf8')).toBe('another program');
    expect(await install(['--to', join(home, 'bin')])).toMatchObject({
      code: 0,
      stderr: `install.sh: ${home}/.config/fish/completions/chat.fish is there already, and this script has not put it there: left as it is (--force replaces it)\n`,
    });
    expect(await install(['--force'])).toMatchObject({ code: 0, stderr: '' });
    expect(runInstalled('--version')).toBe('1.0.0');
    expect(readFileSync(join(home, '.config/fish/completions/chat.fish'), 'utf8')).toBe('# fish of 1.0.0\n');
    expect(await install(['--uninstall'])).toMatchObject({ code: 0 });
    expect(files()).toEqual([]);
  });

  it('of completions that is a directory, or somebody’s link to what is not there, stays as it is', async () => {
    const [page, zsh] = ['.local/share/man/man1/chat.1', '.local/share/zsh/site-functions/_chat'];
    own(join(home, page));
    own(dirname(join(home, zsh)));
    symlinkSync(join(home, 'later'), join(home, zsh));
    expect(await install()).toMatchObject({
      code: 0,
      stderr:
        `install.sh: ${home}/${zsh} is there already, and this script has not put it there: left as it is (--force replaces it)\n` +
        `install.sh: ${home}/${page} is a directory: left as it is\n`,
    });
    expect(await install(['--force'])).toMatchObject({
      code: 0,
      stderr: `install.sh: ${home}/${page} is a directory: left as it is\n`,
    });
    expect(files()).toEqual(installed.filter((name) => name !== page));
    expect(lstatSync(join(home, zsh)).isSymbolicLink()).toBe(false);
    expect(await install(['--uninstall'])).toMatchObject({ code: 0, stderr: '' });
    expect(files()).toEqual([]);
  });

  it('of completions that cannot be written is told of, and chat is installed all the same', async () => {
    put(join(home, '.config/fish'), 'a file where a directory is to be');
    expect(await install()).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /^install\.sh: .*\/chat\.fish cannot be written, and is left out: mkdir: .*\n$/,
      ),
    });
    expect(files()).toEqual([...installed.filter((name) => !name.endsWith('.fish')), '.config/fish'].sort());
  });

  it('on PATH is not spoken of, but another chat that comes before it', async () => {
    const path = join(home, '.local/bin');
    expect(await install(['--no-completions'], { path })).toEqual({
      code: 0,
      stdout: expect.not.stringContaining('PATH'),
      stderr: '',
    });
    const standIns = { chat: '#!/bin/sh\n' };
    expect(await install(['--no-completions'], { path, standIns })).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /^install\.sh: what is called chat here is \S+\/chat, which comes before /,
      ),
    });
  });
});

describe('for the whole machine', () => {
  const image = () => ({ env: { DESTDIR: join(top, 'image') } });
  const inImage = () =>
    readdirSync(join(top, 'image'), { recursive: true, encoding: 'utf8' })
      .filter((name) => !statSync(join(top, 'image', name)).isDirectory())
      .sort();

  it('it takes root: exit 5', async () => {
    expect(await install(['--system'])).toMatchObject({
      code: 5,
      stderr: 'install.sh: --system needs root: run it with sudo\n',
    });
    expect(await install(['--service'])).toMatchObject({
      code: 5,
      stderr: 'install.sh: --service needs root: run it with sudo\n',
    });
    expect(files()).toEqual([]);
  });

  it('and into an image all lies where every user’s programs look, with the unit for systemd', async () => {
    own(join(top, 'image'));
    const { code, stdout, stderr } = await install(['--service', '--system'], image());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('DESTDIR: no user is made; the service runs as the system user chat\n');
    expect(stdout).not.toContain('PATH');
    expect(inImage()).toEqual([
      'usr/local/bin/chat',
      'usr/local/lib/systemd/system/chat.service',
      'usr/local/share/bash-completion/completions/chat',
      'usr/local/share/chat-install/files',
      'usr/local/share/fish/vendor_completions.d/chat.fish',
      'usr/local/share/man/man1/chat.1',
      'usr/local/share/zsh/site-functions/_chat',
    ]);
    expect(files()).toEqual([]);
    expect(await install(['--uninstall', '--system'], image())).toMatchObject({ code: 0, stderr: '' });
    expect(inImage()).toEqual([]);
  });

  it('a unit that is not the release’s own is not installed', async () => {
    own(join(top, 'image'));
    put(join(release, 'chat.service'), '[Service]\nUser=root\n');
    expect(await install(['--service'], image())).toMatchObject({
      code: 9,
      stderr: expect.stringMatching(/^install\.sh: chat\.service is not the one that SHA256SUMS tells of/),
    });
    expect(inImage()).toEqual([]);
    writeSums();
    expect(await install(['--service', '--to', '/opt/bin'], image())).toMatchObject({
      code: 2,
      stderr: 'install.sh: --service starts /usr/local/bin/chat: leave out --to\n',
    });
  });
});

describe('a platform', () => {
  it.each([
    ['Linux', 'riscv64', 'there is no release for Linux on riscv64: only for x86_64 and arm64'],
    ['FreeBSD', 'amd64', 'there is no release for FreeBSD: only for Linux, macOS and Windows'],
    [
      'MINGW64_NT-10.0',
      'x86_64',
      'on Windows there is nothing to install: download chat-win32-x64.exe, call it chat.exe and put it on the Path',
    ],
  ])('%s on %s without a release is exit 2', async (kernel, processor, told) => {
    expect(await install([], { machine: [kernel, processor] })).toEqual({
      code: 2,
      stdout: '',
      stderr: `install.sh: ${told}\n`,
    });
    expect(files()).toEqual([]);
  });

  it('with musl is told that Node wants glibc', async () => {
    const ldd = '#!/bin/sh\necho "musl libc (x86_64)" >&2\nexit 1\n';
    expect(await install([], { standIns: { ldd } })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^install\.sh: this Linux uses musl, and the executable needs glibc/),
    });
    expect(files()).toEqual([]);
  });

  it('without a file in this release says which is missing', async () => {
    expect(await install([], { machine: ['Linux', 'aarch64'] })).toMatchObject({
      code: 9,
      stderr: expect.stringContaining('has no sum of chat-linux-arm64'),
    });
  });

  it.each([
    ['arm64', ''],
    // A shell for Intel on a Mac with Apple's processor.
    ['x86_64', '#!/bin/sh\n[ "$*" = "-n sysctl.proc_translated" ] && echo 1\n'],
  ])(
    'macOS on Apple’s processor (%s) gets its file, signed before it is tried',
    async (processor, sysctl) => {
      const codesign = `#!/bin/sh\necho "$1 $2 $3" >> '${home}/signed'\n`;
      const outside: Outside = { machine: ['Darwin', processor], standIns: { codesign, sysctl } };
      const { code, stdout, stderr } = await install(['--no-completions'], outside);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(
        'chat-darwin-arm64 is the one that SHA256SUMS tells of\nsigning it for this machine: codesign --force --sign - ',
      );
      expect(readFileSync(join(home, 'signed'), 'utf8')).toBe('--force --sign -\n');
      makeRelease('2.0.0');
      const failing = { ...outside.standIns, codesign: '#!/bin/sh\necho "no identity" >&2\nexit 1\n' };
      expect(await install(['--no-completions'], { ...outside, standIns: failing })).toMatchObject({
        code: 2,
        stderr: 'install.sh: codesign has failed: no identity\n',
      });
      expect(runInstalled('--version')).toBe('1.0.0');
    },
  );
});

describe('what is typed', () => {
  it.each([
    [['--frm', 'x'], 'there is no argument --frm (see --help)'],
    [['--from'], '--from needs a value (see --help)'],
    [['--to', ''], '--to needs a value (see --help)'],
    [['--from', '/nowhere'], '--from /nowhere: there is no such directory'],
    [
      ['--from', 'http://chat.example.org/'],
      '--from http://chat.example.org/: only https is fetched; anybody on the way could change the rest',
    ],
    [
      ['--from', 'ftp://127.0.0.1/'],
      '--from ftp://127.0.0.1/: only https is fetched; anybody on the way could change the rest',
    ],
    [
      ['--from=http://127.0.0.1:1@chat.example.org/'],
      '--from http://127.0.0.1:1@chat.example.org/: a URL has no user, password or blank in it here',
    ],
  ])('%j is exit 2', async (argv, told) => {
    expect(await install(argv)).toEqual({ code: 2, stdout: '', stderr: `install.sh: ${told}\n` });
    expect(files()).toEqual([]);
  });

  it('--help tells of every flag, and does nothing', async () => {
    const { code, stdout, stderr } = await install(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const [, flag] of readFileSync(script, 'utf8').matchAll(/^ {6}(--[a-z-]+)\)/gm))
      expect(stdout).toContain(`  ${flag}`);
    expect(files()).toEqual([]);
  });

  it('without curl and wget a URL is exit 3, and with nobody listening too', async () => {
    expect(await install(['--from', 'https://127.0.0.1:1/'], { without: ['curl', 'wget'] })).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^install\.sh: neither curl nor wget is here/),
    });
    expect(await install(['--from', 'http://127.0.0.1:1'])).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/cannot be fetched: curl ended with 7\. curl: /),
    });
  });

  it('--uninstall of nothing is exit 2, and what the list should not have stays', async () => {
    expect(await install(['--uninstall'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^install\.sh: there is no .*\/files: nothing was installed by this script, or for everybody/,
      ),
    });
    await install(['--no-completions']);
    put(join(home, 'precious'), 'mine');
    put(
      join(home, '.local/share/chat-install/files'),
      `${join(home, 'precious')}\n${join(home, '.local/bin/chat')}\n`,
    );
    expect(await install(['--uninstall'])).toMatchObject({
      code: 0,
      stderr: `install.sh: ${home}/.local/share/chat-install/files names ${home}/precious, which this script never installs: left as it is\n`,
    });
    expect(files()).toEqual(['precious']);
  });
});
