import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** Assertions whose part of chat is not there yet, each with what it waits for. */
const waiting: Readonly<Record<string, string>> = {
  '3.2.2': 'a page of our own that shows text',
};

function filesUnder(directory: string, ending: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(directory, name));
}

const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** The numbers of a list like `3.4.3–3.4.6, 14.3.2`, each one of a range too. */
function numbersOf(list: string): string[] {
  return list.split(/,\s*/).flatMap((part) => {
    const [first = '', last = first] = part.split('–');
    const stem = first.slice(0, first.lastIndexOf('.') + 1);
    const [from, to] = [first, last].map((one) => Number(one.slice(one.lastIndexOf('.') + 1)));
    if (from === undefined || to === undefined) return [];
    return Array.from({ length: to - from + 1 }, (_, index) => `${stem}${from + index}`);
  });
}

/** The assertions of docs/spec.md, section A. */
function assertions(): string[] {
  const section = /^## A\. Assertions$(.*?)^## /ms.exec(read('docs/spec.md'))?.[1] ?? '';
  const ranges = section.replace(/\*\*A([\d.]+)\*\* to \*\*A([\d.]+)\*\*/g, '**A$1–$2**');
  return [...ranges.matchAll(/\*\*A([\d.–]+)\*\*/g)].flatMap(([, one = '']) =>
    one.split('.').length === 2 ? [one] : numbersOf(one),
  );
}

/** The numbers that titles of tests begin with, as in `'7.3.1, 7.3.2: …'`. */
function tested(): Set<string> {
  const texts = [...filesUnder('test', '.test.ts'), ...filesUnder('test/contract', '.ts')].map(read);
  // What begins the arguments of a call and has a function after it: no other text counts, and no comment.
  const title = /\(\s*(['"`])((?:\d+\.\d+\.\d+(?:–|,\s?)?)+): (?:(?!\1).)*\1,\s*(?:async )?\(/g;
  const lists = texts.flatMap((text) => [...text.matchAll(title)].map(([, , list = '']) => list));
  return new Set(lists.flatMap(numbersOf));
}

it('each assertion after OWASP ASVS in docs/spec.md has a test whose title begins with its number', () => {
  const numbers = assertions();
  expect(numbers.length).toBeGreaterThan(45);
  const all = [...tested()];
  const missing = numbers.filter(
    (number) => !(number in waiting) && !all.some((one) => one === number || one.startsWith(`${number}.`)),
  );
  expect(missing).toEqual([]);
  expect(Object.keys(waiting).filter((number) => !numbers.includes(number))).toEqual([]);
});

/** Comparisons of what is no secret: the server's public key, how limits count an address, and which terms were accepted. */
const ofPublicThings = [/\bserverKey !== /, /\baddressKey !== /, /\bdigest === sha256\b/];

it('11.2.4: no digest, key or proof is compared but by the one function that takes the same time for all', () => {
  const secret = /\w*(?:[hH]ash|[dD]igest|[kK]ey|[pP]roof|[sS]ignature|[sS]ecret|[sS]eal)/.source;
  // What is asked of the kind of a value, its length or its presence is no comparison of secrets.
  const compared = new RegExp(
    `\\b${secret}\\)? [!=]==? (?!undefined|null|'|true|false|\\d)|[!=]==? (?:\\w+\\.)*${secret}\\b(?![.(])|timingSafeEqual|Buffer\\.compare`,
  );
  const found = [...filesUnder('src/core', '.ts'), ...filesUnder('src/server', '.ts')].flatMap((file) =>
    read(file)
      .split('\n')
      .filter((line) => compared.test(line) && !/^\s*(?:\/\/|\*|\/\*)/.test(line))
      .filter((line) => !ofPublicThings.some((one) => one.test(line)))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});
