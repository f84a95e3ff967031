import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeExtras } from '../../scripts/package/extras.ts';

const root = resolve(import.meta.dirname, '../..');
let release: string;
let build: string;
beforeEach(() => {
  release = mkdtempSync(join(tmpdir(), 'chat-extras-'));
  build = mkdtempSync(join(tmpdir(), 'chat-extras-'));
  writeFileSync(join(build, 'licenses.txt'), 'chat: MIT\n');
});
afterEach(() => {
  for (const path of [release, build]) rmSync(path, { recursive: true, force: true });
});

/** A chat that prints what it was asked for, and what it was told by the environment. */
function fakeChat(code = 0): string {
  const path = join(build, 'chat');
  writeFileSync(path, `#!/bin/sh\nprintf '%s ' "$@" "$CHAT_OUTPUT" "$CHAT_CONFIG"\nexit ${code}\n`);
  chmodSync(path, 0o755);
  return path;
}

it('a release has what chat prints of itself, the unit, the script and all licenses', async () => {
  process.env.CHAT_OUTPUT = 'json';
  const names = await writeExtras({ root, build, release, chat: fakeChat() }).finally(() => {
    delete process.env.CHAT_OUTPUT;
  });
  const found = readdirSync(release, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name !== 'completions',
  );
  expect(found.sort()).toEqual(names.toSorted());
  const textOf = (name: string) => readFileSync(join(release, name), 'utf8');
  expect(textOf('completions/_chat')).toBe('completion zsh  /dev/null ');
  expect(textOf('chat.1')).toBe('man  /dev/null ');
  expect(statSync(join(release, 'install.sh')).mode & 0o777).toBe(0o755);
  expect(textOf('LICENSES.txt')).toMatch(
    /^chat: MIT\n\n={80}\nNode\.js \d+\.\d+\.\d+\n={80}\n\nNode\.js is licensed for use as follows:/,
  );
});

it('a chat that does not print what it is asked for fails the release', async () => {
  await expect(writeExtras({ root, build, release, chat: fakeChat(3) })).rejects.toThrow(/completion bash/);
});

const unit = readFileSync(join(root, 'scripts/package/chat.service'), 'utf8');

it('the unit is the one that docs/confinement.md shows', () => {
  const page = readFileSync(join(root, 'docs/confinement.md'), 'utf8');
  expect(/```ini\n(# [\s\S]*?)```/.exec(page)?.[1]).toBe(unit);
});

it('the unit is one that systemd has nothing to say of but whether the program is there', () => {
  const path = join(release, 'chat.service');
  // Its own programs may lie elsewhere here, or be missing.
  writeFileSync(path, unit.replace('/usr/local/bin/chat', '/bin/sh'));
  if (!existsSync('/usr/bin/systemd-analyze'))
    throw new Error('systemd-analyze is missing; install it: apt-get install systemd');
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
});
