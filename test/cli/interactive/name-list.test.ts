import { describe, expect, it } from 'vitest';
import { NameList } from '../../../src/cli/interactive/name-list.ts';

describe('a list of names', () => {
  it('has each name once, in order', () => {
    const names = new NameList(['carol', 'alice', 'carol']);
    names.add('bob');
    names.add('bob');
    expect([names.sorted, names.size, names.has('bob')]).toEqual([['alice', 'bob', 'carol'], 3, true]);
    names.delete('alice');
    expect([names.sorted, names.size, names.has('alice')]).toEqual([['bob', 'carol'], 2, false]);
  });

  it('is put in order again only when a name has come or gone', () => {
    const names = new NameList(['bob', 'alice']);
    const { sorted } = names;
    names.add('alice');
    names.delete('zoe');
    expect(names.sorted).toBe(sorted);
    names.add('zoe');
    expect(names.sorted).not.toBe(sorted);
    expect(sorted).toEqual(['alice', 'bob']);
  });
});
