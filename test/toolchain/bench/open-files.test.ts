import { expect, test } from 'vitest';
import { tooManyConnections } from '../../../scripts/bench/open-files.ts';

test('more connections than a process may open files, with some to spare, are not tried', () => {
  expect(tooManyConnections(800, 1_000)).toBeUndefined();
  expect(tooManyConnections(801, 1_000)).toBe(
    'a process may open 1000 files here, and needs 1001: raise the limit (ulimit -n, ulimit -Hn)',
  );
});
