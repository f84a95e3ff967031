import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { type BundledThreads, digestOf, isCurrent, threadsVariable } from '../support/bundled-threads.ts';

it('the threads of servers that tests start are bundled, of the sources as they are', () => {
  const bundled: BundledThreads = JSON.parse(readFileSync(process.env[threadsVariable] ?? '', 'utf8'));
  const source = fileURLToPath(new URL('../../src/server/store/sqlite/worker.ts', import.meta.url));
  expect(readFileSync(bundled.bundleOf[source] ?? '', 'utf8')).toContain('import');
  expect(bundled.sources).toContain(source);
  expect(isCurrent(bundled)).toBe(true);
});

it('bundles count no more once a source has other text, and still do when it was only written again', () => {
  const directory = mkdtempSync(join(tmpdir(), 'chat-bundled-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const source = join(directory, 'worker.ts');
  writeFileSync(source, 'one');
  utimesSync(source, 1, 1);
  const bundled = { bundleOf: {}, sources: [source], digest: digestOf([source]), madeAtMs: 2_000 };
  expect(isCurrent(bundled)).toBe(true);
  writeFileSync(source, 'two');
  expect(isCurrent(bundled)).toBe(false);
  writeFileSync(source, 'one');
  expect(isCurrent(bundled)).toBe(true);
});
