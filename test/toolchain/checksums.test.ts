import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeChecksums } from '../../scripts/package/checksums.ts';

let release: string;
beforeEach(() => {
  release = mkdtempSync(join(tmpdir(), 'chat-release-'));
  mkdirSync(join(release, 'completions'));
  writeFileSync(join(release, 'chat-linux-x64'), 'abc');
  writeFileSync(join(release, 'completions/chat.fish'), '');
  writeFileSync(join(release, 'SHA256SUMS'), 'an older one\n');
});
afterEach(() => rmSync(release, { recursive: true, force: true }));

it('the sums are those of every file, by name, and not of the sums', async () => {
  expect(await writeChecksums(release)).toBe(2);
  // FIPS 180-2, appendix B.1, and the sum of nothing.
  expect(readFileSync(join(release, 'SHA256SUMS'), 'utf8')).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  chat-linux-x64\n' +
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  completions/chat.fish\n',
  );
});

it.each([
  ['sha256sum', '-c'],
  ['shasum', '-a', '256', '-c'],
])('%s takes them, and finds what was changed', async (program, ...words) => {
  await writeChecksums(release);
  const check = () => spawnSync(program, [...words, 'SHA256SUMS'], { cwd: release, encoding: 'utf8' });
  expect(check()).toMatchObject({ status: 0, stderr: '' });
  appendFileSync(join(release, 'chat-linux-x64'), 'd');
  expect(check()).toMatchObject({ status: 1, stdout: expect.stringContaining('chat-linux-x64: FAILED') });
});

it('a name that a line cannot hold is refused, and so is nothing at all', async () => {
  writeFileSync(join(release, 'two\nlines'), '');
  await expect(writeChecksums(release)).rejects.toThrow(/^"two\\nlines" cannot stand in SHA256SUMS/);
  await expect(writeChecksums(join(release, 'completions'))).resolves.toBe(1);
  rmSync(join(release, 'completions/chat.fish'));
  await expect(writeChecksums(join(release, 'completions'))).rejects.toThrow(/completions has no files/);
});
