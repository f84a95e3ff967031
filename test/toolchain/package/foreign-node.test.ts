import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { foreignNode } from '../../../scripts/package/foreign-node.ts';
import type { Target } from '../../../scripts/package/targets.ts';

const target: Target = { name: 'odd-x64', nodePackage: 'node-odd', node: 'bin/node', file: 'chat-odd-x64' };
let root: string;
let cache: string;
/** What the registry has. */
let offered: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'chat-foreign-'));
  cache = join(root, 'cache');
  offered = join(root, 'offered.tgz');
  const inside = join(root, 'package/bin');
  mkdirSync(inside, { recursive: true });
  writeFileSync(join(inside, 'node'), 'a Node for elsewhere');
  writeFileSync(join(inside, 'other'), 'of no use here');
  execFileSync('tar', ['-czf', offered, '-C', root, 'package']);
  const integrity = `sha512-${createHash('sha512').update(readFileSync(offered)).digest('base64')}`;
  const packages = { 'node_modules/node-odd': { version: '26.10.0', integrity } };
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages }));
  // An npm that has this one package, and says each time that it was asked.
  const programs = join(root, 'programs');
  mkdirSync(programs);
  const npm = `#!/bin/sh\necho "$*" >>'${root}/asked'\ncp '${offered}' "$5/node-odd-26.10.0-fetched.tgz" && echo node-odd-26.10.0-fetched.tgz\n`;
  writeFileSync(join(programs, 'npm'), npm, { mode: 0o755 });
  vi.stubEnv('PATH', [programs, process.env.PATH].join(delimiter));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

const asked = (): string[] =>
  existsSync(join(root, 'asked')) ? readFileSync(join(root, 'asked'), 'utf8').trim().split('\n') : [];

it('fetches the pinned Node of another platform once, and of it the program alone', async () => {
  const node = await foreignNode(root, cache, target);
  expect(readFileSync(node, 'utf8')).toBe('a Node for elsewhere');
  expect(statSync(node).mode & 0o777).toBe(0o755);
  expect(existsSync(join(node, '../other'))).toBe(false);
  expect(await foreignNode(root, cache, target)).toBe(node);
  expect(asked()).toEqual([`pack node-odd@26.10.0 --loglevel=error --pack-destination ${cache}`]);
});

it('fetches it again where the kept one is damaged', async () => {
  await foreignNode(root, cache, target);
  writeFileSync(join(cache, 'node-odd-26.10.0.tgz'), 'cut off');
  expect(readFileSync(await foreignNode(root, cache, target), 'utf8')).toBe('a Node for elsewhere');
  expect(asked()).toHaveLength(2);
});

it('says why it cannot be fetched', async () => {
  const npm = `#!/bin/sh\n[ "$3" = --loglevel=error ] && echo 'npm error code ENOTFOUND' >&2\nexit 1\n`;
  writeFileSync(join(root, 'programs/npm'), npm);
  await expect(foreignNode(root, cache, target)).rejects.toThrow(
    /npm pack node-odd@26\.10\.0.*npm error code ENOTFOUND/s,
  );
});

it('takes nothing that is not what the lock pins', async () => {
  writeFileSync(offered, Buffer.concat([readFileSync(offered), Buffer.of(0)]));
  await expect(foreignNode(root, cache, target)).rejects.toThrow(
    'node-odd@26.10.0 is not what package-lock.json pins',
  );
  expect(existsSync(join(cache, 'node-odd-26.10.0'))).toBe(false);
  await expect(foreignNode(root, cache, { ...target, nodePackage: 'node-none' })).rejects.toThrow(
    'package-lock.json pins no node-none',
  );
});
