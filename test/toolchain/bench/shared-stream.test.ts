import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SharedStream, type StreamFollower } from '../../../scripts/bench/shared-stream.ts';
import { InOrder, stamped, stampIn } from '../../../scripts/bench/stamps.ts';

const ping = (n: number) => `{"jsonrpc":"2.0","id":"ping-${n}","method":"ping","params":{}}\n`;
const give = (follower: StreamFollower, text: string) => follower.take(Buffer.from(text), text.length);

function streamOf() {
  const read: string[] = [];
  return { read, stream: new SharedStream((line) => read.push(line)) };
}

test('a line is read once, when the first follower has it, and counted for each that has it whole', () => {
  const { read, stream } = streamOf();
  const [first, second] = [stream.follower(), stream.follower()];
  give(first, 'one\ntwo\nth');
  expect(read).toEqual(['one', 'two']);
  give(second, 'one\ntw');
  expect([first.lines, second.lines, stream.lines]).toEqual([2, 1, 2]);
  give(second, 'o\nthree\n');
  give(first, 'ree\n');
  expect(read).toEqual(['one', 'two', 'three']);
  expect([first.lines, second.lines, stream.lines]).toEqual([3, 3, 3]);
});

test.each([
  ['another line', 'one\ntwx\n'],
  ['a line left out', 'two\n'],
  ['a line twice', 'one\none\n'],
])('who gets %s is noticed', (_what, text) => {
  const { stream } = streamOf();
  const [first, second] = [stream.follower(), stream.follower()];
  give(first, 'one\ntwo\n');
  expect(() => give(second, text)).toThrow('a follower got what others did not');
});

test('bytes behind those that came are not looked at', () => {
  const { read, stream } = streamOf();
  const shared = Buffer.from('one\nof another connection\n');
  stream.follower().take(shared, 4);
  stream.follower().take(shared, 4);
  expect(read).toEqual(['one']);
});

test('pings are answered, and are no part of the stream, whoever gets them and however they are cut', () => {
  const { read, stream } = streamOf();
  const [first, second] = [stream.follower(), stream.follower()];
  expect(give(first, `${ping(1)}one\n${ping(2).slice(0, 9)}`)).toBe(
    '{"jsonrpc":"2.0","id":"ping-1","result":{}}\n',
  );
  expect(give(first, `${ping(2).slice(9)}two\n`)).toBe('{"jsonrpc":"2.0","id":"ping-2","result":{}}\n');
  expect(give(second, `one\n${ping(1)}`)).toBe('{"jsonrpc":"2.0","id":"ping-1","result":{}}\n');
  expect(give(second, 'two\n')).toBe('');
  expect(read).toEqual(['one', 'two']);
  expect([first.lines, second.lines]).toEqual([2, 2]);
});

test('however two followers get it in pieces, both have the same lines, over the ends of segments', () => {
  const long = `${'x'.repeat(400_000)}\n`;
  const text = `${long}${long}${long}short\n`;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 300_000 })), {
        minLength: 20,
        maxLength: 40,
      }),
      (pieces) => {
        const { read, stream } = streamOf();
        const followers = [stream.follower(), stream.follower()] as const;
        const at = [0, 0];
        const last = [
          [false, text.length],
          [true, text.length],
        ] as const;
        for (const [isSecond, length] of [...pieces, ...last]) {
          const who = isSecond ? 1 : 0;
          const piece = text.slice(at[who], (at[who] ?? 0) + length);
          at[who] = (at[who] ?? 0) + piece.length;
          give(followers[who], piece);
        }
        expect(followers.map(({ lines }) => lines)).toEqual([4, 4]);
        expect(read.map((line) => line.length)).toEqual([400_000, 400_000, 400_000, 5]);
      },
    ),
    { numRuns: 6 },
  );
});

test('a stamp is 100 characters, and says whose message it is', () => {
  expect(stamped(3, 12_345)).toHaveLength(100);
  expect(stampIn(`{"text":"${stamped(3, 12_345)}"}`)).toEqual({ sender: 3, n: 12_345 });
  expect(() => stampIn('{"text":"~3~"}')).toThrow('no message of ours: {"text":"~3~"}');
});

test.each([
  ['missing', [1, 3], 'message 3 of sender 0 came where 2 was due'],
  ['doubled', [1, 1], 'message 1 of sender 0 came where 2 was due'],
  ['not the first', [2], 'message 2 of sender 0 came where 1 was due'],
])('a message that is %s is noticed, and senders count for themselves', (_what, numbers, error) => {
  const order = new InOrder();
  order.take(stamped(1, 1));
  expect(() => {
    for (const n of numbers) order.take(stamped(0, n));
  }).toThrow(error);
});
