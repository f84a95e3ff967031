import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let scratch: string;

beforeEach(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'chat-launcher-')));
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** A checkout whose runtime is a shell script that prints each argument in brackets, the program's path first. */
function checkout(name: string, { runtime = true, built = true } = {}): string {
  const root = join(scratch, name);
  mkdirSync(join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'node_modules/.bin'), { recursive: true });
  mkdirSync(join(root, 'dist'));
  copyFileSync('bin/chat', join(root, 'bin/chat'));
  const node = join(root, 'node_modules/.bin/node');
  if (runtime) {
    writeFileSync(node, '#!/bin/sh\nprintf "[%s]" "$@"\nexit 7\n');
    chmodSync(node, 0o755);
  }
  if (built) writeFileSync(join(root, 'dist/chat.mjs'), '');
  return root;
}

function start(path: string, argv: string[] = [], cwd = scratch) {
  const { status, stdout, stderr } = spawnSync(path, argv, { cwd, encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('bin/chat', () => {
  test('hands every argument on as it came and ends with the exit code of the program', () => {
    const root = checkout('plain');
    const argv = ['send', '', 'two words', '*', '$HOME', '"', '--', '-n', 'line\nbreak'];
    expect(start(join(root, 'bin/chat'), argv)).toEqual({
      status: 7,
      stdout: [join(root, 'dist/chat.mjs'), ...argv].map((word) => `[${word}]`).join(''),
      stderr: '',
    });
  });

  test('works where the path holds spaces, quotes and a leading dash', () => {
    const root = checkout(`-a place with 'quotes" and $signs`);
    expect(start(join(root, 'bin/chat')).stdout).toBe(`[${join(root, 'dist/chat.mjs')}]`);
  });

  test('works by a relative path from another directory', () => {
    const root = checkout('plain');
    expect(start('../../bin/chat', [], join(root, 'node_modules/.bin')).stdout).toBe(
      `[${join(root, 'dist/chat.mjs')}]`,
    );
  });

  test.each([
    ['an absolute symlink', (root: string, link: string) => symlinkSync(join(root, 'bin/chat'), link)],
    ['a relative symlink', (_root: string, link: string) => symlinkSync('../my checkout/bin/chat', link)],
    [
      'a chain of symlinks',
      (root: string, link: string) => {
        symlinkSync('../my checkout/bin/chat', join(scratch, 'on path/one'));
        symlinkSync('one', join(scratch, 'on path/two'));
        symlinkSync(join(root, '../on path/two'), link);
      },
    ],
    [
      'a symlinked directory',
      (root: string, link: string) => {
        symlinkSync(join(root, 'bin'), join(scratch, 'on path/bin'));
        symlinkSync('bin/chat', link);
      },
    ],
  ])('works through %s', (_name, makeLink) => {
    const root = checkout('my checkout');
    mkdirSync(join(scratch, 'on path'));
    const link = join(scratch, 'on path/chat');
    makeLink(root, link);
    expect(start(link, ['whoami'])).toEqual({
      status: 7,
      stdout: `[${join(root, 'dist/chat.mjs')}][whoami]`,
      stderr: '',
    });
  });

  test('is found on the PATH, whatever CDPATH says', () => {
    const root = checkout('my checkout');
    const { stdout } = spawnSync('chat', [], {
      cwd: scratch,
      encoding: 'utf8',
      env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, CDPATH: `${root}:/` },
    });
    expect(stdout).toBe(`[${join(root, 'dist/chat.mjs')}]`);
  });

  test.each([
    ['the runtime', { runtime: false }, 'its runtime is not installed yet'],
    ['the build', { built: false }, 'it is not built yet'],
  ])('says in one line what to do when %s is missing, and ends with 3', (_name, parts, what) => {
    const root = checkout('a checkout', parts);
    expect(start(join(root, 'bin/chat'), ['send', 'hello'])).toEqual({
      status: 3,
      stdout: '',
      stderr: `chat: ${what}; run: cd "${root}" && npm run build\n`,
    });
  });
});
