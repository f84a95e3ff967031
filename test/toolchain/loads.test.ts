import { expect, test } from 'vitest';
import { type Load, measureLoad } from '../../scripts/loads.ts';

type Kind = 'import-statement' | 'require-call' | 'dynamic-import';

/** A file of a build: its bytes, its only source, and what it imports. */
function output(bytes: number, source: string, imports: [string, Kind][] = [], entryPoint?: string) {
  return {
    bytes,
    inputs: { [source]: { bytesInOutput: bytes } },
    imports: imports.map(([path, kind]) => ({ path, kind })),
    exports: [],
    ...(entryPoint === undefined ? {} : { entryPoint }),
  };
}

const build = {
  inputs: {},
  outputs: {
    'dist/chat.mjs': output(
      1024,
      'src/chat.ts',
      [
        ['dist/a.mjs', 'import-statement'],
        ['dist/later.mjs', 'dynamic-import'],
        ['node:fs', 'import-statement'],
      ],
      'src/chat.ts',
    ),
    'dist/a.mjs': output(2048, 'src/a.ts', [['dist/b.mjs', 'require-call']]),
    'dist/b.mjs': output(4096, 'node_modules/b/index.js', [['dist/a.mjs', 'import-statement']]),
    'dist/later.mjs': output(8192, 'src/later.ts', [['dist/a.mjs', 'import-statement']], 'src/later.ts'),
  },
};

const load: Load = { name: 'chat', entries: ['src/chat.ts'], minKb: 7, maxKb: 7, never: /later/ };

test('a load is what is imported statically, directly or not, each file once', () => {
  expect(measureLoad(build, load)).toEqual({ name: 'chat', kb: 7, faults: [] });
});

test('several entries share what they have in common', () => {
  const both = { ...load, entries: ['src/chat.ts', 'src/later.ts'], maxKb: 15, never: /^$/ };
  expect(measureLoad(build, both)).toEqual({ name: 'chat', kb: 15, faults: [] });
});

test('a source that must not be loaded is named, however deep it is', () => {
  expect(measureLoad(build, { ...load, never: /node_modules\/b\// }).faults).toEqual([
    'node_modules/b/index.js is loaded, and must not be',
  ]);
});

test('a load above or below its limits is a fault', () => {
  expect(measureLoad(build, { ...load, maxKb: 6, minKb: 0 }).faults).toEqual(['7 KB is not within 0–6 KB']);
  expect(measureLoad(build, { ...load, maxKb: 9, minKb: 8 }).faults).toEqual(['7 KB is not within 8–9 KB']);
});

test('an entry that the build no longer has is a fault', () => {
  expect(measureLoad(build, { ...load, entries: ['src/chat.ts', 'src/gone.ts'] }).faults).toEqual([
    'src/gone.ts is no longer a file of its own',
  ]);
});
