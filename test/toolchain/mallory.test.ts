import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** From where each sentence of document 5's list is attacked, at least. */
const positions: Readonly<Record<string, readonly string[]>> = {
  M1: ['network', 'another user', 'stolen data', 'server'],
  M2: ['network', 'another user', 'stolen data', 'server'],
  M3: ['network', 'another user', 'server'],
  M4: ['network', 'another user', 'stolen data', 'server'],
  M5: ['another user', 'server'],
  M6: ['network', 'another user', 'server'],
  M7: ['network', 'another user', 'server'],
  M8: ['another user', 'server'],
  M9: ['another user', 'server'],
};

/** The rows of docs/mallory.md: sentence, position, file and title. */
function rows(): string[][] {
  return [...read('docs/mallory.md').matchAll(/^\| (M\d) \| ([a-z ]+) \| `([^`]+)` \| (.+) \|$/gm)].map(
    (row) => row.slice(1),
  );
}

/** Whether a file has a test of that title: what begins a call's arguments and has more after it, with its quotes as they are spelled. */
function hasTest(file: string, title: string): boolean {
  const text = read(file).replaceAll("\\'", "'");
  return ["'", '"', '`'].some((quote) => {
    const [before = '', ...after] = text.split(`${quote}${title}${quote}`);
    return /\(\s*$/.test(before) && after.some((rest) => /^,\s/.test(rest));
  });
}

it('every sentence of the Mallory list has a test from every position that it implies', () => {
  const named = rows().map(([sentence, position]) => `${sentence} ${position}`);
  const wanted = Object.entries(positions).flatMap(([sentence, from]) =>
    from.map((position) => `${sentence} ${position}`),
  );
  expect(wanted.filter((one) => !named.includes(one))).toEqual([]);
});

it('every test that docs/mallory.md names is there', () => {
  expect(rows().length).toBeGreaterThan(40);
  expect(rows().filter(([, , file = '', title = '']) => !hasTest(file, title))).toEqual([]);
});
