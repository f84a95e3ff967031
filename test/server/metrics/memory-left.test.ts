import { expect, it } from 'vitest';
import { memoryLeft } from '../../../src/server/metrics/memory-left.ts';

it.each([
  ['what the machine has free where there is no limit', 0, 700, 100, 700],
  ['no more than the machine has free, however far its limit is', 2 ** 64, 700, 100, 700],
  ['what the process has not taken of its limit', 500, 700, 100, 400],
  ['none, and never less, beyond the limit', 500, 700, 501, 0],
])('the memory that is left is %s', (_, limitBytes, freeBytes, residentBytes, left) => {
  expect(memoryLeft({ limitBytes, freeBytes, residentBytes })).toBe(left);
});
