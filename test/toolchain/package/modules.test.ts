import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInThisContext, type Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiledListName, loaderName, writeArchive } from '../../../scripts/package/modules.ts';

let scratch: string;
let build: string;
let archive: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'chat-archive-'));
  [build, archive] = [join(scratch, 'build'), join(scratch, 'archive')];
  mkdirSync(build);
});
afterEach(() => rmSync(scratch, { recursive: true }));

function put(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(build, name), text);
}

type Load = (name: string) => Record<string, unknown>;
type LoaderOf = (
  asset: (name: string) => Uint8Array,
  onScript?: (name: string, script: Script) => void,
) => Load;

/** The loader as the executable has it, on an archive's files. */
function loader(onScript?: (name: string, script: Script) => void): Load {
  const text = readFileSync(join(archive, loaderName), 'utf8');
  const loaderOf = runInThisContext(`(() => { ${text}\nreturn loaderOf; })()`) as LoaderOf;
  return loaderOf((name) => readFileSync(join(archive, name)), onScript);
}

describe('what travels in the executable', () => {
  it('is the modules as scripts, the build’s other files as they are, and the loader; nothing for who builds', async () => {
    put({ 'chat.mjs': 'export const a = 1;', 'x.wasm': '\0asm ©', 'licenses.txt': 'of the packages' });
    put({ 'chat.mjs.map': '{}', 'meta.json': '{}', '.sources': 'x', 'chat.mjs.LEGAL.txt': 'x' });
    const names = await writeArchive(build, archive, 'of all that is inside');
    expect(names.toSorted()).toEqual(
      ['chat.mjs', compiledListName, 'licenses.txt', loaderName, 'x.wasm'].toSorted(),
    );
    expect(readdirSync(archive).toSorted()).toEqual(names.toSorted());
    expect(readFileSync(join(archive, 'x.wasm'), 'utf8')).toBe('\0asm ©');
    expect(readFileSync(join(archive, 'licenses.txt'), 'utf8')).toBe('of all that is inside');
  });

  it('has no module with characters that the loader would read as others', async () => {
    put({ 'chat.mjs': 'export const name = "Zoë";' });
    await writeArchive(build, archive, 'of all that is inside');
    expect(loader()('./chat.mjs').name).toBe('Zoë');
    put({ 'chat.mjs': '/*! © */ export const a = 1;' });
    await expect(writeArchive(build, archive, 'of all that is inside')).rejects.toThrow(
      'chat.mjs has characters beyond ASCII',
    );
  });
});

describe('the loader', () => {
  it('loads each module once, when it is asked for, and keeps what it exports alive', async () => {
    put({
      'chat.mjs': `import { count, more } from './counter.mjs'; import { sep } from 'node:path';
        export const before = count; more(); export { count, sep }; export const later = () => import('./later.mjs');`,
      'counter.mjs': 'export let count = 0; export function more() { count += 1; }',
      'later.mjs': `import { count } from './counter.mjs'; export const seen = count; export const self = import.meta.url;`,
    });
    await writeArchive(build, archive, 'of all that is inside');
    const loaded: string[] = [];
    const chat = loader((name) => loaded.push(name))('./chat.mjs');
    expect(chat).toMatchObject({ before: 0, count: 1, sep: '/' });
    expect(loaded).toEqual(['chat.mjs', 'counter.mjs']);
    const later = chat.later as () => Promise<unknown>;
    expect(await later()).toMatchObject({ seen: 1, self: expect.stringMatching(/^file:\/\/\/[a-z]:\//) });
    await later();
    expect(loaded).toEqual(['chat.mjs', 'counter.mjs', 'later.mjs']);
  });

  it('takes what was compiled, and goes on without where that does not fit', async () => {
    put({ 'chat.mjs': `import './other.mjs'; export const a = (() => 1)();`, 'other.mjs': 'export {};' });
    await writeArchive(build, archive, 'of all that is inside');
    expect(startedElsewhere(true)).toEqual({ a: 1, rejected: {} });
    writeFileSync(join(archive, 'other.mjs.compiled'), 'of another V8');
    writeFileSync(join(archive, compiledListName), 'chat.mjs\nother.mjs');
    expect(startedElsewhere(false)).toEqual({ a: 1, rejected: { 'chat.mjs': false, 'other.mjs': true } });
  });
});

/** Loads chat.mjs in a process of its own, since V8 remembers what it has compiled before; `keeps` what it compiles of that. */
function startedElsewhere(keeps: boolean): unknown {
  const text = `
    const { readFileSync, writeFileSync } = require('node:fs');
    ${readFileSync(join(archive, loaderName), 'utf8')}
    const scripts = new Map();
    const load = loaderOf((name) => readFileSync(name), (name, script) => scripts.set(name, script));
    const { a } = load('./chat.mjs');
    if (${keeps}) writeFileSync('chat.mjs.compiled', scripts.get('chat.mjs').createCachedData());
    const told = [...scripts].map(([name, { cachedDataRejected }]) => [name, cachedDataRejected]);
    console.log(JSON.stringify({ a, rejected: Object.fromEntries(told) }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', text], { cwd: archive, encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}
