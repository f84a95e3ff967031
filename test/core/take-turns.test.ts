import { describe, expect, it } from 'vitest';
import { createTurns } from '../../src/core/take-turns.ts';

/** Works that end when they are told to, in the order in which they began. */
function works() {
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  return {
    begun,
    work: (name: string) => () => {
      begun.push(name);
      const end = Promise.withResolvers<string>();
      ends.set(name, end);
      return end.promise;
    },
    async end(name: string) {
      ends.get(name)?.resolve(name);
      await new Promise(setImmediate);
    },
    async fail(name: string) {
      ends.get(name)?.reject(new Error(name));
      await new Promise(setImmediate);
    },
  };
}

describe('turns', () => {
  it('are taken two at a time under a key, in the order of the calls, also after one that failed', async () => {
    const turns = createTurns({ atOnce: 2, mostWaiting: 9 });
    const { begun, work, end, fail } = works();
    const all = Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((name) => turns.take('k', work(name))));
    await new Promise(setImmediate);
    expect(begun).toEqual(['a', 'b']);
    await fail('b');
    expect(begun).toEqual(['a', 'b', 'c']);
    await end('a');
    await end('c');
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e']);
    await end('e');
    await end('d');
    expect((await all).map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)))).toEqual([
      'a',
      'Error: b',
      'c',
      'd',
      'e',
    ]);
  });

  it('of one key do not hold up those of another', async () => {
    const turns = createTurns({ atOnce: 1, mostWaiting: 9 });
    const { begun, work } = works();
    for (const key of ['one', 'one', 'other']) void turns.take(key, work(key));
    await new Promise(setImmediate);
    expect(begun).toEqual(['one', 'other']);
  });

  it('are refused, with nothing run, when as many wait as may', async () => {
    const turns = createTurns({ atOnce: 1, mostWaiting: 1 });
    const { begun, work, end } = works();
    const first = turns.take('k', work('a'));
    const second = turns.take('k', work('b'));
    expect(turns.take('k', work('c'))).toBeUndefined();
    await new Promise(setImmediate);
    await end('a');
    await end('b');
    expect([await first, await second, begun]).toEqual(['a', 'b', ['a', 'b']]);
    void turns.take('k', work('d'));
    await new Promise(setImmediate);
    expect(begun).toEqual(['a', 'b', 'd']);
  });
});
