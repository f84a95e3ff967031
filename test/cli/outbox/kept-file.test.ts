import { appendFile, chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  inspectKept,
  type KeptHead,
  type KeptLine,
  KeptWriter,
  keyOf,
  readKept,
} from '../../../src/cli/outbox/kept-file.ts';
import { temporaryDirectory } from '../support/fake-host.ts';

const userId = process.getuid?.();
const head: KeptHead = {
  kind: 'lines',
  server: 'chat://127.0.0.1:8080',
  context: 'default',
  user_id: 'id-of-alice',
  username: 'alice',
  to: '#lobby',
  key: 'K',
  kept_at: '2026-11-21T06:00:00.000Z',
};
const one: KeptLine = { n: 7, text: 'one' };

async function written(lines: readonly KeptLine[], about: KeptHead = head): Promise<string> {
  const path = join(await temporaryDirectory(), 'kept');
  const writer = await KeptWriter.create(path, about);
  for (const line of lines) await writer.add(line);
  await writer.finish();
  return path;
}

async function linesOf(path: string, skip?: number): Promise<KeptLine[]> {
  const lines: KeptLine[] = [];
  for await (const line of readKept(path, userId, skip)) lines.push(line);
  return lines;
}

describe('a kept file', () => {
  it('is read as it was written, for its owner alone', async () => {
    const lines = [one, { n: 9, text: 'two\u2028\r\u0000"' }];
    const path = await written(lines);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await inspectKept(path, userId)).toEqual({ head: { ...head, format: 1 }, count: 2, first: one });
    expect(await linesOf(path)).toEqual(lines);
    expect(await linesOf(path, 1)).toEqual(lines.slice(1));
    expect(await linesOf(path, 2)).toEqual([]);
  });

  it('holds any text that a message can have', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 50 }), async (texts) => {
        const lines = texts.map((each, index) => ({ n: index + 1, text: each }));
        const path = await written(lines);
        expect(await inspectKept(path, userId)).toMatchObject({ count: texts.length, first: lines[0] });
        expect(await linesOf(path)).toEqual(lines);
      }),
      { numRuns: 20 },
    );
  });

  it('holds the longest texts, escaped in every byte', async () => {
    const lines = Array.from({ length: 20 }, (_, index) => ({ n: index, text: '\u0001'.repeat(16_384) }));
    const path = await written(lines);
    expect(await inspectKept(path, userId)).toMatchObject({ count: 20 });
    expect(await linesOf(path, 19)).toEqual(lines.slice(19));
  });

  it('that is not there is none', async () => {
    const path = join(await temporaryDirectory(), 'none');
    expect(await inspectKept(path, userId)).toBeUndefined();
    expect(await linesOf(path)).toEqual([]);
  });

  it('that was abandoned is gone', async () => {
    const path = join(await temporaryDirectory(), 'kept');
    const writer = await KeptWriter.create(path, head);
    await writer.add(one);
    await writer.abandon();
    expect(await inspectKept(path, userId)).toBeUndefined();
  });

  it('is not written over one that is there', async () => {
    const path = await written([one]);
    await expect(KeptWriter.create(path, head)).rejects.toMatchObject({
      code: 'invalid',
      message: `${path}: cannot write it (EEXIST)`,
    });
  });

  it.each<[string, (content: string) => string, string]>([
    ['is empty', () => '', 'is damaged (it has no end)'],
    ['was cut in the middle', (content) => content.slice(0, -20), 'is damaged (it has no end)'],
    [
      'was cut at a line',
      (content) => content.replace(/.*\n$/, ''),
      'is damaged (its end is not what it should be)',
    ],
    [
      'has one letter changed',
      (content) => content.replace('"one"', '"onf"'),
      'is damaged (its digest is another)',
    ],
    [
      'has a line less',
      (content) => content.replace(/\{"n":9.*\n/, ''),
      'is damaged (its digest is another)',
    ],
    ['is no JSON at its end', () => 'x\ny\n', 'is damaged (its end is not JSON)'],
    ['is something else', () => '{}\n', 'is damaged (its end is not what it should be)'],
  ])('that %s is refused with its name', async (_what, change, text) => {
    const path = await written([one, { n: 9, text: 'nine' }]);
    await writeFile(path, change(await readFile(path, 'utf8')));
    await expect(inspectKept(path, userId)).rejects.toMatchObject({
      code: 'invalid',
      message: `${path}: ${text}`,
    });
  });

  it.each<[string, Partial<Record<keyof KeptHead, unknown>>]>([
    ['a target that is none', { to: 'lobby' }],
    ['a target in another spelling', { to: '#Lobby' }],
    ['no time', { kept_at: 'yesterday' }],
    ['no account', { user_id: undefined }],
    ['another kind', { kind: 'letter' }],
  ])('whose head has %s is refused', async (_what, fields) => {
    const path = await written([one], { ...head, ...fields } as KeptHead);
    await expect(inspectKept(path, userId)).rejects.toMatchObject({
      message: `${path}: is damaged (its head is not what it should be)`,
    });
  });

  it('of no message is refused', async () => {
    const path = await written([]);
    await expect(inspectKept(path, userId)).rejects.toMatchObject({
      message: `${path}: is damaged (it is empty)`,
    });
  });

  it('that others can read, or that is a link, is refused', async () => {
    const path = await written([one]);
    const link = `${path}-link`;
    await symlink(path, link);
    await expect(inspectKept(link, userId)).rejects.toMatchObject({ code: 'invalid' });
    await chmod(path, 0o644);
    await expect(inspectKept(path, userId)).rejects.toMatchObject({ code: 'invalid' });
    await chmod(path, 0o600);
    await appendFile(path, '');
    expect(await inspectKept(path, userId)).toBeDefined();
  });
});

describe('the key of a message', () => {
  it('is the one it was given, and of lines one by number', () => {
    expect(keyOf(head, one)).toBe('K.7');
    expect(keyOf({ ...head, kind: 'message' }, one)).toBe('K');
  });
});
