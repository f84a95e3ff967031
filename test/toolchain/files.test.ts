import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
/** What leaves a file, a directory or a mode other than it was; `open` may. */
const writing =
  /^(append|chmod|chown|copy|cp|createWriteStream|fchmod|ftruncate|futimes|lchmod|link|lutimes|mkdir|mkdtemp|open|rename|rm|symlink|truncate|unlink|utimes|write)/;
/** Begins like one that does. */
const notWriting = ['openAsBlob', 'opendir', 'opendirSync'];

/**
 * Every module that may write files, and by what. Where is for docs/confinement.md to say: whoever adds one here adds it there.
 */
const writers: Readonly<Record<string, string>> = {
  'src/cli/amid-line.ts': 'openSync',
  'src/cli/durable-cursor.ts': 'unlink',
  'src/cli/file-lock.ts': 'link mkdir open rename unlink',
  'src/cli/file-output.ts': 'writeSync',
  'src/cli/held-lock.ts': 'link unlink utimes writeFile',
  'src/cli/outbox/kept-file.ts': 'open unlink',
  'src/cli/outbox/kept-messages.ts': 'rename unlink',
  'src/cli/recovery-file.ts': 'open unlink',
  'src/cli/settings-file.ts': 'open',
  'src/cli/state-directory.ts': 'chmod mkdir open rename unlink',
  'src/cli/system-terminal.ts': 'writeSync',
  'src/cli/whole-file.ts': 'link open rename unlink unlinkSync',
  'src/server/backups/backups.ts': 'mkdir open rename rm',
  'src/server/backups/copy-worker.ts': 'openSync writeSync',
  'src/server/certificates/files.ts': 'chmod mkdir open rename rm',
  'src/server/data-directory/data-directory.ts': 'chmodSync mkdirSync',
  'src/server/data-directory/lock.ts': 'openSync renameSync rmSync writeFileSync',
  'src/server/moving/export-directory.ts': 'chmod mkdir open rename rm',
  // The whole of `fs`, on which SQLite's system calls are put.
  'src/server/store/sqlite/host-files.ts': '*',
  'src/server/store/sqlite/look-only.ts': '*',
};

/** By what a module writes, of what it imports of `node:fs`: names in order, `*` for all of it. */
function writesBy(text: string): string[] {
  const names: string[] = [];
  const imports = /import\s+(type\s+)?([^;'"]*?)\s+from\s+'(?:node:)?fs(?:\/promises)?'/g;
  for (const [, typeOnly, what = ''] of text.matchAll(imports)) {
    if (typeOnly !== undefined) continue;
    const [, outside = what, list = ''] = /^([^{]*)\{([^}]*)\}/.exec(what) ?? [];
    if (outside.replace(/[\s,]/g, '') !== '') names.push('*');
    for (const part of list.split(',')) {
      const name = part.trim().split(/\s+as\s+/)[0] ?? '';
      if (writing.test(name) && !notWriting.includes(name)) names.push(name);
    }
  }
  if (/(?:import|require|getBuiltinModule)\(\s*['"](?:node:)?fs\b/.test(text)) names.push('*');
  return [...new Set(names)].sort();
}

/** Whether a module imports more of `node:fs` than types and the numbers of its constants. */
function readsFiles(text: string): boolean {
  const imports = /import\s+(type\s+)?([^;'"]*?)\s+from\s+'(?:node:)?fs(?:\/promises)?'/g;
  return [...text.matchAll(imports)].some(
    ([, typeOnly, what = '']) =>
      typeOnly === undefined &&
      what
        .split(/[{},]/)
        .map((part) => part.trim())
        .some((part) => part !== '' && part !== 'constants' && !part.startsWith('type ')),
  );
}

it('files are written by the modules that are named for it, each by what it is named for (document 5)', () => {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const by = writesBy(readFileSync(join(root, 'src', name), 'utf8'));
    if (by.length > 0) found[`src/${name}`] = by.join(' ');
  }
  expect(found).toEqual(writers);
});

it('a module that writes is found however it asks for it', () => {
  const asks: readonly [string, string[]][] = [
    ["import { readFile, writeFile as put } from 'node:fs/promises';", ['writeFile']],
    ["import {\n  rmSync,\n  statSync,\n} from 'node:fs';", ['rmSync']],
    ["import fs from 'node:fs';", ['*']],
    ["import fs, { constants } from 'fs';", ['*']],
    ["import * as files from 'node:fs/promises';", ['*']],
    ["const { rm } = await import('node:fs/promises');", ['*']],
    ["process.getBuiltinModule('fs').rmSync('x');", ['*']],
    ["import type { Stats } from 'node:fs';", []],
    ["import { opendir, readdir, stat } from 'node:fs/promises';", []],
  ];
  for (const [text, by] of asks) expect([text, writesBy(text)]).toEqual([text, by]);
});

it('no module of ours makes code from text but its threads’, which travel in its own file, or reaches what the platform hides', () => {
  const ways =
    /\bnew Function\b|\beval\s*\(|\beval:\s*true|\bwriteReport\b|\bprocess\.binding\b|\bgetBuiltinModule\((?!'node:ffi')/;
  const found = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => ways.test(readFileSync(join(root, 'src', name), 'utf8')));
  expect(found).toEqual(['server/workers/program-parts.ts']);
  for (const text of ['new Function("x")', 'eval(x)', '{ eval: true }', 'process.report.writeReport(x)'])
    expect([text, ways.test(text)]).toEqual([text, true]);
});

it('every writer stands in docs/confinement.md', () => {
  const page = readFileSync(join(root, 'docs/confinement.md'), 'utf8');
  const missing = Object.keys(writers).filter((path) => !page.includes(path.replace(/^src\//, '')));
  expect(missing).toEqual([]);
});

it('every module that reads files stands in docs/confinement.md too', () => {
  const page = readFileSync(join(root, 'docs/confinement.md'), 'utf8');
  const readers = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => readsFiles(readFileSync(join(root, 'src', name), 'utf8')));
  expect(readers).toContain('server/cluster/cluster-secret.ts');
  expect(readers.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
