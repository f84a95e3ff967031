import { describe, expect, it } from 'vitest';
import type { Item } from '../../../src/cli/interactive/pane.ts';
import { fillOf, keepAround, newestOf } from '../../../src/cli/interactive/scroll-back.ts';
import { message } from '../support/fake-client.ts';

const said = (from: number, to: number): Item[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ kind: 'message', message: message(from + index) }));
const notices = (count: number): Item[] =>
  Array.from({ length: count }, () => ({ kind: 'notice', text: 'n', isError: false }));
const gap = (after: number, before: number): Item => ({ kind: 'gap', after, before });
const spelled = (items: readonly Item[]) =>
  items.map((item) =>
    item.kind === 'message'
      ? item.message.seq
      : item.kind === 'gap'
        ? `${item.after}<${item.before}`
        : item.kind,
  );

describe('the newest', () => {
  it('are as many as asked for, none from before a gap', () => {
    expect(spelled(newestOf(said(1, 9), 3))).toEqual([7, 8, 9]);
    expect(spelled(newestOf([...said(1, 3), gap(3, 8), ...said(8, 9)], 4))).toEqual([8, 9]);
    expect(spelled(newestOf(said(1, 2), 5))).toEqual([1, 2]);
  });

  it('have the newest message with them, whatever was said since', () => {
    expect(spelled(newestOf([...said(1, 2), ...notices(4)], 2))).toEqual([2, 'notice', 'notice']);
  });
});

describe('what is kept around a place', () => {
  it('reaches as far on either side, then comes a gap and the newest', () => {
    expect(spelled(keepAround(said(1, 20), 9, 2))).toEqual([8, 9, 10, 11, 12, '12<19', 19, 20]);
    expect(spelled(keepAround(said(1, 20), 0, 2))).toEqual([1, 2, 3, '3<19', 19, 20]);
  });

  it('has no gap where nothing is left out', () => {
    expect(spelled(keepAround(said(1, 20), 15, 2))).toEqual([14, 15, 16, 17, 18, 19, 20]);
    expect(spelled(keepAround(said(1, 20), 18, 2))).toEqual([17, 18, 19, 20]);
  });

  it('has one gap at most, whatever gap there was', () => {
    const items = [...said(1, 5), gap(5, 50), ...said(50, 60)];
    expect(spelled(keepAround(items, 3, 3))).toEqual([1, 2, 3, 4, 5, '5<58', 58, 59, 60]);
    expect(spelled(keepAround(items, 8, 3))).toEqual([50, 51, 52, 53, 54, 55, '55<58', 58, 59, 60]);
  });

  it('has the newest message with it, whatever was said since', () => {
    const items = [...said(1, 20), ...notices(5)];
    expect(spelled(keepAround(items, 1, 2))).toEqual([1, 2, 3, 4, '4<20', 20, 'notice', 'notice']);
  });
});

describe('what stands in the place of a gap', () => {
  const fetched = (from: number, to: number) =>
    said(from, to).flatMap((item) => (item.kind === 'message' ? [item.message] : []));

  it('is what was fetched, and a gap on the side that is still missing', () => {
    const between = { kind: 'gap', after: 3, before: 10 } as const;
    expect(spelled(fillOf(between, fetched(4, 5)))).toEqual([4, 5, '5<10']);
    expect(spelled(fillOf(between, fetched(8, 9)))).toEqual(['3<8', 8, 9]);
    expect(spelled(fillOf(between, fetched(3, 10)))).toEqual([4, 5, 6, 7, 8, 9]);
    expect(fillOf(between, fetched(11, 12))).toEqual([]);
  });
});
