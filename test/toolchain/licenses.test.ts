import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { licensesOf, withNode } from '../../scripts/package/licenses.ts';

let root: string;

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** A package whose only module is `index.js`; answers how esbuild names that. */
function packed(directory: string, manifest: object, files: Readonly<Record<string, string>> = {}): string {
  const at = `node_modules/${directory}`;
  put(`${at}/package.json`, JSON.stringify({ version: '1.0.0', ...manifest }));
  for (const [name, text] of Object.entries(files)) put(`${at}/${name}`, text);
  return `${at}/index.js`;
}

const read = (...inputs: string[]) => ({
  inputs: Object.fromEntries(inputs.map((path) => [path, { bytes: 1, imports: [] }])),
});

const gathered = (...inputs: string[]) =>
  licensesOf({ root, metafile: read('src/chat.ts', ...inputs), outputFiles: [] });

/** The texts by their headings. */
function sections(text: string): Record<string, string> {
  const parts = text.split(/^={80}\n/m).slice(1);
  return Object.fromEntries(
    parts.flatMap((part, n) => (n % 2 === 0 ? [[part.trimEnd(), (parts[n + 1] ?? '').trim()]] : [])),
  );
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'chat-licenses-'));
  put('LICENSE', 'MIT License, ours\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the licenses', () => {
  it('are those of what was bundled, wherever npm has put it, and of nothing else', () => {
    packed('left-out', { name: 'left-out', license: 'MIT' }, { LICENSE: 'not this one' });
    const text = gathered(
      packed('one', { name: 'one', license: 'ISC' }, { 'LICENSE.md': 'ISC of one\r\n' }),
      packed('one/node_modules/two', { name: 'two', license: 'MIT' }, { license: 'MIT of the inner two' }),
      packed('two', { name: 'two', version: '2.0.0', license: 'MIT' }, { LICENSE: 'MIT of two' }),
      packed('@of/three', { name: '@of/three', license: '0BSD' }, { 'License-0BSD.txt': 'of three' }),
    );
    expect(sections(text)).toEqual({
      'chat: MIT': 'MIT License, ours',
      '@of/three 1.0.0: 0BSD': 'of three',
      'one 1.0.0: ISC': 'ISC of one',
      'two 1.0.0: MIT': 'MIT of the inner two',
      'two 2.0.0: MIT': 'MIT of two',
      'Comments about rights in the code of these packages': '',
    });
    expect(text.split('\n\n')[1]?.split('\n')).toEqual([
      'chat: MIT',
      '@of/three 1.0.0: 0BSD',
      'one 1.0.0: ISC',
      'two 1.0.0: MIT',
      'two 2.0.0: MIT',
    ]);
  });

  it('are the same text in whatever order the packages were read', () => {
    const inputs = ['c', 'a', 'b'].map((name) => packed(name, { name, license: 'MIT' }, { LICENSE: name }));
    expect(gathered(...inputs.toReversed())).toBe(gathered(...inputs));
  });

  it('come with notices, authors, and comments about rights', () => {
    const files = {
      LICENSE: 'see AUTHORS',
      AUTHORS: 'Ann',
      'NOTICE.txt': 'a notice',
      'README.md': 'read me',
    };
    const metafile = read(packed('one', { name: 'one', license: 'Apache-2.0' }, files));
    const outputFiles = ['b', 'a', 'b'].map((text, n) => ({
      path: `dist/${n}.LEGAL.txt`,
      text: `${text}\n`,
    }));
    const code = { path: 'dist/chat.mjs', text: 'code' };
    const found = sections(licensesOf({ root, metafile, outputFiles: [code, ...outputFiles] }));
    expect(found['one 1.0.0: Apache-2.0']).toBe('see AUTHORS\n\nAnn\n\na notice');
    expect(found['Comments about rights in the code of these packages']).toBe('a\n\nb');
  });

  it('come with what a package has copied from others, and says in its code alone', () => {
    const input = packed(
      'one',
      { name: 'one', license: 'MIT' },
      {
        LICENSE: 'MIT of one',
        'index.js': '// after work of others\n// Copyright Bob\nrun();\n/*\n * Copyright Eve */ // no more\n',
      },
    );
    expect(sections(gathered(input))['Comments about rights in the code of these packages']).toBe(
      'one/index.js:\n/*\n * Copyright Eve */\n\none/index.js:\n// after work of others\n// Copyright Bob',
    );
  });

  it('are the text that the identifier stands for where a package has no file of its own', () => {
    const input = packed('bare', { name: 'bare', license: 'MIT', author: 'Ann <ann@example.org>' });
    expect(sections(gathered(input))['bare 1.0.0: MIT']).toMatch(
      /^Copyright \(c\) Ann <ann@example\.org>\n\nPermission is hereby granted[\s\S]*OTHER DEALINGS IN THE\nSOFTWARE\.$/,
    );
  });

  it.each([
    [
      'GPL-3.0-only',
      /^made-up 1\.0\.0 \(node_modules\/made-up\) is under "GPL-3\.0-only", which is none of /,
    ],
    ['(MIT OR GPL-2.0)', /^made-up 1\.0\.0 .* is under "\(MIT OR GPL-2\.0\)"/],
    [undefined, /^made-up 1\.0\.0 .* is under no license/],
    [{ type: 'MIT' }, /^made-up 1\.0\.0 .* is under \{"type":"MIT"\}/],
    [
      'Apache-2.0',
      /^made-up 1\.0\.0 has no license file, and scripts\/package\/texts has no Apache-2\.0\.txt/,
    ],
  ])('are refused by the package’s name: %j', (license, told) => {
    const input = packed('made-up', { name: 'made-up', license });
    expect(() => gathered(input)).toThrow(told);
  });

  it('of an executable end with Node’s own', () => {
    const text = withNode(gathered(), '26.0.0', 'Node.js is licensed for use as follows:\n');
    expect(sections(text)['Node.js 26.0.0']).toBe('Node.js is licensed for use as follows:');
    expect(sections(text)['chat: MIT']).toBe('MIT License, ours');
  });
});

it('every package of the program is in them, SQLite inside of sql.js too', async () => {
  const { metafile } = await build({
    entryPoints: [
      'src/cli/chat.ts',
      'src/server/store/sqlite/worker.ts',
      'src/server/backups/copy-worker.ts',
    ],
    bundle: true,
    format: 'esm',
    platform: 'node',
    outdir: root,
    metafile: true,
    write: false,
  });
  const text = licensesOf({ root: process.cwd(), metafile, outputFiles: [] });
  const found = Object.keys(sections(text));
  const bundled = Object.keys(metafile.inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  const missing = [...new Set(bundled)].filter((directory) => {
    const { name, version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    return !found.some((heading) => heading.startsWith(`${name} ${version}: `));
  });
  expect(missing).toEqual([]);
  expect(found.length).toBeGreaterThan(50);
  expect(text).toMatch(/May you do good and not evil[\s\S]*Emscripten authors[\s\S]*Rich Felker/);
  for (const holder of ['James Halliday, Josh Duff', 'punycode', 'Electronic\nFrontier Foundation'])
    expect(text).toContain(holder);
});
