import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { edited } from '../../scripts/mutants/copy.ts';
import { groupsOf, shareOf } from '../../scripts/mutants/group.ts';
import { mutants } from '../../scripts/mutants/list.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

it('each mutant edits what stands in its file, and another one than every other mutant', () => {
  const problems = mutants.flatMap((mutant) => {
    try {
      return edited(read(mutant.file), mutant) === read(mutant.file) ? [`${mutant.rule}: edits nothing`] : [];
    } catch (error) {
      return [String(error)];
    }
  });
  expect(problems).toEqual([]);
  const edits = mutants.map(({ file, find, replace }) => JSON.stringify([file, find, replace]));
  expect(edits.filter((edit, index) => edits.indexOf(edit) !== index)).toEqual([]);
});

it('each mutant has a rule of its own and a test file that is there', () => {
  const rules = mutants.map(({ rule }) => rule);
  expect(rules.filter((rule, index) => rules.indexOf(rule) !== index)).toEqual([]);
  expect(mutants.filter(({ test }) => !existsSync(join(root, test))).map(({ rule }) => rule)).toEqual([]);
});

it('shares of the mutants have each of them once, and about as many', () => {
  const groups = groupsOf(mutants);
  const shares = [1, 2, 3, 4].map((which) => shareOf(groups, which, 4).flatMap((group) => group.mutants));
  expect(new Set(shares.flat())).toEqual(new Set(mutants));
  const sizes = shares.map((share) => share.length);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(mutants.length);
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(2);
  expect(shareOf(groups, 1, 1)).toEqual(groups);
});
