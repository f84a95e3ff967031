import { describe, expect, it } from 'vitest';
import { LineFeed } from '../../src/cli/line-feed.ts';

async function* bytesOf(...chunks: (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

describe('lines on their way', () => {
  it('are the same until they are taken, whoever asks', async () => {
    const feed = new LineFeed(bytesOf('a\nb\n'), 1);
    const [one, other] = [feed.peek(), feed.peek()];
    expect(await one).toEqual({ number: 1, text: 'a', endOffset: 2 });
    expect(await other).toBe(await one);
    expect(feed.firstUnread).toBe(1);
    feed.take((await one) ?? { number: 0, text: '', endOffset: 0 });
    expect([feed.firstUnread, (await feed.peek())?.text]).toEqual([2, 'b']);
  });

  it('are held only when that is asked for, and released in order', async () => {
    const feed = new LineFeed(bytesOf('a\nb\nc\n'), 1);
    for (let line = await feed.peek(); line !== undefined; line = await feed.peek()) {
      feed.take(line);
      if (line.text !== 'b') feed.hold(line);
    }
    expect(feed.held.map(({ text }) => text)).toEqual(['a', 'c']);
    expect([feed.firstUnstored, feed.release()?.text, feed.firstUnstored, feed.release()?.text]).toEqual([
      1,
      'a',
      3,
      'c',
    ]);
    expect([feed.firstUnstored, feed.release()]).toEqual([4, undefined]);
  });

  it('leave out empty ones with a count, and those before the first that is wanted without', async () => {
    const feed = new LineFeed(bytesOf('\n\nc\n\n\nf'), 2);
    expect([feed.firstUnread, (await feed.peek())?.number, feed.skipped]).toEqual([2, 3, 1]);
    feed.take({ number: 3, text: 'c', endOffset: 3 });
    expect([(await feed.peek())?.number, feed.skipped, feed.firstUnread]).toEqual([6, 3, 6]);
  });

  it('end at one that is bad, and say why', async () => {
    const feed = new LineFeed(bytesOf('a\n', Uint8Array.of(0xff), '\nc\n'), 1);
    feed.take((await feed.peek()) ?? { number: 0, text: '', endOffset: 0 });
    expect([await feed.peek(), await feed.peek()]).toEqual([undefined, undefined]);
    expect(feed.problem?.reason).toMatchObject({ code: 'invalid', message: 'line 2 is not UTF-8 text' });
    expect(feed.firstUnread).toBe(2);
  });
});
