import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { chat, World } from './support/server.ts';

/** What a runtime, a loader of modules or a reader of command lines could look for. */
const taken = ['package.json', 'node.config.json', '.env', 'chat.mjs', 'store-worker.mjs', 'loader.cjs'];

it('reads nothing of the directory where it is started, nor of those above it', async () => {
  const world = new World();
  const below = world.path('above', 'below');
  mkdirSync(join(below, 'node_modules/bufferutil'), { recursive: true });
  writeFileSync(join(below, 'node_modules/bufferutil/index.js'), 'process.exit(99);');
  // Whoever opens a pipe that nobody writes to waits.
  for (const name of taken) execFileSync('mkfifo', [join(below, name), world.path('above', name)]);
  const env = { PATH: process.env.PATH, HOME: world.directory, CHAT_SYSTEM_CONFIG: '/dev/null' };
  const version = await world.start(['--version'], env, '', { cwd: below }).ended;
  expect(version).toEqual({ code: 0, out: expect.stringMatching(/^\d/), err: '' });
  const serve = ['serve', '--listen', '127.0.0.1:0', '--data', world.path('data'), '--quiet'];
  const server = world.start([...serve, '--bcrypt-cost', '10'], env, '', { cwd: below });
  expect(await server.line()).toMatch(/^127\.0\.0\.1:\d+ SHA256:/);
  expect((await server.kill('SIGTERM')).code).toBe(0);
});

it('starts where the current directory is gone', async () => {
  const world = new World();
  const gone = world.path('gone');
  const script = `mkdir '${gone}' && cd '${gone}' && rmdir '${gone}' && exec '${chat}' send --nope`;
  const env = { PATH: process.env.PATH, HOME: world.directory };
  const { code, out, err } = await world.start(['-c', script], env, '', { program: '/bin/sh' }).ended;
  expect({ code, out }).toEqual({ code: 2, out: '' });
  // The launcher's shell has a word of its own for it.
  expect(err.split('\n').filter((line) => !line.startsWith('sh: '))).toEqual([
    'chat: unknown flag --nope (see chat --help)',
    '',
  ]);
});
