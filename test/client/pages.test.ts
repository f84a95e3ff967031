import { describe, expect, it } from 'vitest';
import { pages } from '../../src/client/pages.ts';
import { ChatError } from '../../src/core/errors.ts';

/** What is yielded of pages that a server shows one after the other, and what it was asked. */
async function walk(...nexts: readonly (string | null)[]) {
  const asked: unknown[] = [];
  const left = [...nexts];
  const fetch = async (cursor: object) => {
    asked.push(cursor);
    return { next: left.shift() ?? null };
  };
  const seen: (string | null)[] = [];
  const ended = await (async () => {
    for await (const { next } of pages(fetch)) seen.push(next);
  })().catch((error: unknown) => error);
  return { asked, seen, ended };
}

describe('pages', () => {
  it('are asked for until there is no next one', async () => {
    expect(await walk('a', 'b', null)).toEqual({
      asked: [{}, { after: 'a' }, { after: 'b' }],
      seen: ['a', 'b', null],
      ended: undefined,
    });
  });

  it('that never end, because each leads to itself, are the server’s fault', async () => {
    const { asked, seen, ended } = await walk('a', 'a', 'a');
    expect([asked.length, seen]).toEqual([2, ['a']]);
    expect(ended).toEqual(
      new ChatError('unavailable', 'the server answers with the same page again and again'),
    );
  });
});
