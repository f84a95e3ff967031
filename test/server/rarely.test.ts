import { afterEach, expect, it, vi } from 'vitest';
import { rarely } from '../../src/server/rarely.ts';

afterEach(() => void vi.restoreAllMocks());

it('tells of one error in a second, the first at once', () => {
  let now = 5_000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const told: unknown[] = [];
  const tell = rarely((error) => told.push(error));
  tell(1);
  tell(2);
  now += 999;
  tell(3);
  now += 1;
  tell(4);
  tell(5);
  expect(told).toEqual([1, 4]);
});
