import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeNpmTarball } from '../../scripts/package/npm-tarball.ts';
import { connect, type Message } from '../../src/library/library.ts';
import { Running } from '../e2e/support/server.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'chat-tarball-'));
const project = join(scratch, 'project');
const installed = join(project, 'node_modules/chat');
const path = [dirname(process.execPath), process.env.PATH].join(delimiter);

/** What platforms have got since the oldest Node that the package is for. */
const newer = `
  for (const name of ['fromBase64', 'fromHex']) delete Uint8Array[name];
  for (const name of ['toBase64', 'toHex', 'setFromBase64', 'setFromHex']) delete Uint8Array.prototype[name];
  for (const kind of [Map, WeakMap]) for (const name of ['getOrInsert', 'getOrInsertComputed']) delete kind.prototype[name];
  for (const name of ['Temporal', 'Float16Array', 'URLPattern']) delete globalThis[name];
  delete RegExp.escape; delete Promise.try; delete Error.isError; delete Math.sumPrecise; delete Iterator.concat; delete Atomics.pause;
`;

/** On a machine of somebody's own, with an older platform. */
function environment(name: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const home = join(scratch, name);
  return {
    PATH: path,
    HOME: home,
    XDG_STATE_HOME: home,
    XDG_CONFIG_HOME: home,
    CHAT_PASSWORD: 'as good as any other',
    NODE_OPTIONS: `--import=${join(scratch, 'older.mjs')}`,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
    ...more,
  };
}

let tarball: string;
/** As in the README of the package: whoever reads it gets what is tried here. */
let bot: string;

beforeAll(async () => {
  tarball = await makeNpmTarball({ root, out: join(scratch, 'release'), version: '1.2.3' });
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }');
  writeFileSync(join(scratch, 'older.mjs'), newer);
  // Nobody is there to ask, and nothing was kept before.
  const nowhere = ['--registry', 'http://127.0.0.1:1', '--cache', join(scratch, 'cache')];
  await run('npm', ['install', ...nowhere, '--no-audit', '--no-fund', tarball], {
    cwd: project,
    env: { ...process.env, PATH: path },
  });
  bot = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(installed, 'README.md'), 'utf8'))?.[1] ?? '';
  writeFileSync(join(project, 'bot.ts'), bot);
  expect(readFileSync(join(root, 'docs/library.md'), 'utf8')).toContain(`\`\`\`ts\n${bot}\`\`\``);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it('has the program, the library and its types, and nothing of those who make it', () => {
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(installed, name)).isFile(),
  );
  const modules = files.filter((name) => /^dist\/[\w-]+\.mjs$/.test(name));
  expect(files.filter((name) => !modules.includes(name)).sort()).toEqual([
    'LICENSE',
    'README.md',
    'bin/chat.cjs',
    'bin/start.cjs',
    'dist/licenses.txt',
    'dist/sql-wasm-debug.wasm',
    'package.json',
    'types/client/frames.d.ts',
    'types/core/errors.d.ts',
    'types/library/contract.d.ts',
    'types/library/library.d.ts',
    'types/library/open-chat.d.ts',
  ]);
  expect(modules).toEqual(
    expect.arrayContaining(
      ['chat', 'library', 'store-worker', 'copy-worker', 'password-worker'].map((name) => `dist/${name}.mjs`),
    ),
  );
  const telling = files.filter((name) => {
    const text = readFileSync(join(installed, name), 'latin1');
    return [root, scratch, process.env.HOME ?? root, 'sourceMappingURL', 'vitest'].some((word) =>
      text.includes(word),
    );
  });
  expect(telling).toEqual([]);
  const bytes = files.reduce((sum, name) => sum + statSync(join(installed, name)).size, 0);
  expect(bytes).toBeGreaterThan(4_000_000);
  expect(bytes).toBeLessThan(8_000_000);
  expect(statSync(tarball).size).toBeLessThan(2_200_000);
  expect(JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))).toEqual({
    name: 'chat',
    version: '1.2.3',
    description: expect.any(String),
    license: 'MIT',
    type: 'module',
    bin: { chat: 'bin/chat.cjs' },
    exports: {
      '.': { types: './types/library/library.d.ts', default: './dist/library.mjs' },
      './package.json': './package.json',
    },
    engines: { node: '>=22.19.0' },
  });
  expect(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
    'chat',
  ]);
});

it('tells a Node that is too old in one line what to do', () => {
  const tooOld = (version: string) => {
    const code = `Object.defineProperty(process.versions, 'node', { value: '${version}' });`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        '--import',
        `data:text/javascript,${encodeURIComponent(code)}`,
        join(installed, 'bin/chat.cjs'),
        '--version',
      ],
      { encoding: 'utf8', env: { PATH: path } },
    );
    return { status, stdout, stderr };
  };
  expect(tooOld('22.18.9')).toEqual({
    status: 3,
    stdout: '',
    stderr:
      'chat: this is Node 22.18.9, and chat needs 22.19 or newer: install one, or the executable for this platform, which brings its own\n',
  });
  expect(tooOld('20.19.0').status).toBe(3);
  expect(tooOld('22.19.0')).toMatchObject({ status: 0, stderr: '' });
  expect(tooOld('100.0.0').status).toBe(0);
});

it('its types serve strict programs, with the types of Node and without any', async () => {
  writeFileSync(
    join(project, 'use.ts'),
    `import { type Chat, ChatError, type ConnectOptions, connect, type Message } from 'chat';

const options: ConnectOptions = { server: 'h', username: 'a', password: 'b', onState: ({ kind }) => kind };
export const opened: Promise<Chat> = connect(options);
export async function use(chat: Chat): Promise<number> {
  const found: Message[] = [];
  const loop = chat.follow(['#a', '@b'], { since: new Date(0), cursors: { '#a': 1 } });
  for await (const message of loop) found.push(message);
  for await (const { text, unsealed } of chat.history('#a', { last: 5 })) {
    const shown: string | undefined = text ?? (unsealed?.kind === 'failed' ? unsealed.why : undefined);
    if (shown === undefined) loop.stop();
  }
  try {
    return (await chat.send('#a', 'x', { key: 'k' })).seq;
  } catch (error) {
    if (error instanceof ChatError && error.code === 'rate-limited') return error.details.retryAfterMs ?? 0;
    throw error;
  }
}
// @ts-expect-error There is no such option.
void connect({ server: 'h', token: 't', fingerprnt: 'SHA256:' });
// @ts-expect-error There is no such code.
export const wrong = (error: ChatError) => error.code === 'wrong';
`,
  );
  const check = async (name: string, files: readonly string[], more: object) => {
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
      module: 'NodeNext',
      target: 'ES2022',
      lib: ['ES2022'],
      ...more,
    };
    writeFileSync(join(project, name), JSON.stringify({ compilerOptions, files }));
    const words = [join(root, 'node_modules/typescript/bin/tsc'), '--project', join(project, name)];
    return await run(process.execPath, words).then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
  };
  const typeRoots = [join(root, 'node_modules/@types')];
  const said = await Promise.all([
    check('with.json', ['bot.ts'], { types: ['node'], typeRoots }),
    check('without.json', ['use.ts'], { types: [] }),
  ]);
  expect(said).toEqual(['', '']);
});

it('its command serves and sends, and the bot of its README answers', async () => {
  const chat = join(project, 'node_modules/.bin/chat');
  const running: Running[] = [];
  const start = (program: string, words: readonly string[], env: NodeJS.ProcessEnv): Running => {
    const one = new Running(words, env, undefined, { program, cwd: project });
    running.push(one);
    return one;
  };
  try {
    const serving = start(
      chat,
      ['serve', '--listen', '127.0.0.1:0', '--data', join(scratch, 'data'), '--bcrypt-cost', '10', '--quiet'],
      environment('server'),
    );
    const [server = '', fingerprint = ''] = ((await serving.line()) ?? serving.err).split(' ');
    const as = async (name: string, ...words: string[]) => {
      const { code, out, err } = await start(chat, words, environment(name, { CHAT_SERVER: server })).ended;
      expect([words[0], code, err.replace(/^trusting .*\n/, '')]).toEqual([words[0], 0, '']);
      return out.trim();
    };
    const [version] = await Promise.all([
      run('npx', ['--offline', 'chat', '--version'], { cwd: project, env: { ...process.env, PATH: path } }),
      as('alice', 'register', 'alice', '--quiet', '--recovery-file', join(scratch, 'alice.key')),
      as('bob', 'register', 'bob', '--quiet', '--recovery-file', join(scratch, 'bob.key')),
    ]);
    // What was built is what it says, whatever the package is called: a release makes them one.
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(version.stdout.trim().split('+')[0]).toBe(manifest.version);
    await as('alice', 'send', '@bob', 'private');
    expect(await as('bob', 'tail', '@alice', '--once')).toMatch(/ \[encrypted\] private$/);
    const token = await as('alice', 'token');
    const answering = start(
      process.execPath,
      ['bot.ts', server, fingerprint],
      environment('bot', { CHAT_TOKEN: token }),
    );
    const sam = await connect({ server, fingerprint, token: await as('bob', 'token') });
    try {
      const messages = sam.follow('#lobby')[Symbol.asyncIterator]();
      let heard: IteratorResult<Message> | undefined;
      void messages.next().then((result) => {
        heard = result;
      });
      // When it has begun nobody is told: it is asked until it answers.
      while (heard === undefined && answering.child.exitCode === null) {
        await as('bob', 'send', '#lobby', '!ping');
      }
      expect([heard?.value?.sender, heard?.value?.text, answering.err]).toEqual(['alice', 'pong, bob', '']);
    } finally {
      await sam.close();
    }
    expect((await serving.kill('SIGTERM')).code).toBe(0);
  } finally {
    await Promise.all(running.map((one) => one.kill('SIGKILL')));
  }
});
