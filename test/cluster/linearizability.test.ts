import { describe, expect, it } from 'vitest';
import {
  checkLinearizability,
  type Entry,
  type RoomHistory,
  type Try,
} from '../../scripts/campaigns/linearizability.ts';
import { pick, seeded, shuffled } from '../../scripts/campaigns/random.ts';
import { isLinearizable } from './support/search-order.ts';

const entry = (seq: number, name = `m${seq}`): Entry => ({ seq, id: `id-${name}`, key: name });
const log = (...names: string[]): Entry[] => names.map((name, index) => entry(index + 1, name));
/** Sent over a connection at a moment, and acknowledged at another as standing somewhere. */
const stored = (stream: string, key: string, [invokedAt, at]: [number, number], seq: number): Try => ({
  stream,
  key,
  invokedAt,
  outcome: { kind: 'stored', seq, id: `id-${key}`, at },
});
const lost = (
  stream: string,
  key: string,
  invokedAt: number,
  kind: 'unknown' | 'refused' = 'unknown',
): Try => ({
  stream,
  key,
  invokedAt,
  outcome: { kind },
});
const read = (
  [invokedAt, at]: [number, number],
  entries: readonly Entry[],
  last: number | undefined = undefined,
  isWhole = true,
) => ({ reader: 'bob', invokedAt, at, after: (entries[0]?.seq ?? 1) - 1, entries, isWhole, last });
const room = (history: Partial<RoomHistory>): RoomHistory => ({
  tries: [],
  reads: [],
  followings: [],
  log: [],
  ...history,
});

describe('the check of a history for linearizability', () => {
  const kept: [string, RoomHistory][] = [
    ['nothing at all', room({})],
    [
      'two messages that were under way at the same time, in either order',
      room({ tries: [stored('a', 'm1', [0, 10], 1), stored('b', 'm2', [1, 9], 2)], log: log('m1', 'm2') }),
    ],
    [
      'the later one of the two first',
      room({ tries: [stored('a', 'm2', [0, 10], 2), stored('b', 'm1', [1, 9], 1)], log: log('m1', 'm2') }),
    ],
    ['a message without an answer that is there', room({ tries: [lost('a', 'm1', 0)], log: log('m1') })],
    ['a message without an answer that is not there', room({ tries: [lost('a', 'm1', 0)] })],
    ['a message that was refused, and is not there', room({ tries: [lost('a', 'm1', 0, 'refused')] })],
    [
      'a read that was under way with the message that it did not find',
      room({
        tries: [stored('a', 'm1', [0, 10], 1)],
        reads: [read([5, 6], [], 0)],
        log: log('m1'),
      }),
    ],
    [
      'a message without an answer that stands behind what was sent later, over another connection',
      room({ tries: [lost('a', 'm2', 0), stored('b', 'm1', [5, 6], 1)], log: log('m1', 'm2') }),
    ],
    [
      'a message that was sent again over another connection, and stored there, behind what was sent after its first try',
      room({
        tries: [lost('a', 'm2', 0), stored('a', 'm1', [1, 2], 1), stored('b', 'm2', [5, 6], 2)],
        log: log('m1', 'm2'),
      }),
    ],
    [
      'a page that was cut, and a follower that comes late',
      room({
        tries: [stored('a', 'm1', [0, 1], 1), stored('a', 'm2', [2, 3], 2)],
        reads: [read([4, 5], [entry(1)], 2, false)],
        followings: [{ follower: 'carol', after: 0, deliveries: [{ at: 90, entry: entry(1) }] }],
        log: log('m1', 'm2'),
      }),
    ],
  ];

  it.each(kept)('takes %s', (_what, history) => {
    expect(checkLinearizability(history)).toEqual([]);
    expect(isLinearizable(history)).toBe(true);
  });

  const acknowledged = [stored('a', 'm1', [0, 1], 1), stored('a', 'm2', [2, 3], 2)];
  const both = log('m1', 'm2');
  const broken: [string, RoomHistory, string][] = [
    [
      'a gap',
      room({ tries: [lost('a', 'm1', 0), lost('a', 'm2', 0)], log: [entry(1), entry(3, 'm2')] }),
      'after 1 comes 3',
    ],
    [
      'an id that comes twice',
      room({
        tries: [lost('a', 'm1', 0), lost('b', 'm2', 0)],
        log: [entry(1), { ...entry(2), id: 'id-m1' }],
      }),
      'the id id-m1 stands at 1 and at 2',
    ],
    [
      'a message that was stored twice',
      room({
        tries: [lost('a', 'm1', 0), lost('b', 'm1', 0)],
        log: [entry(1), { ...entry(2, 'm1'), id: 'other' }],
      }),
      'm1 stands at 1 and at 2',
    ],
    ['a message that nobody sent', room({ log: log('m1') }), 'nobody sent m1, which stands at 1'],
    [
      'a message that was refused and is there',
      room({ tries: [lost('a', 'm1', 0, 'refused')], log: log('m1') }),
      'm1 was refused and stands at 1',
    ],
    [
      'a message that was acknowledged and is lost',
      room({ tries: acknowledged, log: log('m1') }),
      'm2 was acknowledged as 2 and is lost',
    ],
    [
      'a message that was acknowledged elsewhere than where it stands',
      room({ tries: [stored('a', 'm1', [0, 1], 2), stored('b', 'm2', [0, 1], 2)], log: both }),
      'm1 was acknowledged as 2 and stands at 1',
    ],
    [
      'a message that was sent again and acknowledged elsewhere',
      room({ tries: [...acknowledged, stored('b', 'm1', [4, 5], 2)], log: both }),
      'm1 was acknowledged as 1 and again as 2',
    ],
    [
      'a page that leaves a message out',
      room({
        tries: acknowledged,
        reads: [{ ...read([4, 5], [entry(2)]), after: 0 }],
        log: both,
      }),
      'bob reads after 0: after 0 comes 2',
    ],
    [
      'a page with a message that is lost later',
      room({
        tries: [...acknowledged, lost('b', 'm3', 0)],
        reads: [read([4, 5], [entry(1), entry(2), entry(3)])],
        log: both,
      }),
      'bob reads after 0: m3 came as 3, which is lost',
    ],
    [
      'a page that has another message at a seq',
      room({
        tries: [...acknowledged, lost('b', 'm3', 0)],
        reads: [read([4, 5], [entry(1), entry(2, 'm3')])],
        log: both,
      }),
      'bob reads after 0: 2 came as m3 (id-m3) and is m2 (id-m2)',
    ],
    [
      'a page that has less than there was just before',
      room({ tries: acknowledged, reads: [read([2, 5], [entry(1)], 2)], log: both }),
      'bob reads after 0 up to 1, where 2 was the last',
    ],
    [
      'a last message beyond all that there are',
      room({ tries: acknowledged, reads: [read([2, 5], [entry(1)], 3, false)], log: both }),
      'bob reads that 3 is the last, and 2 stand there',
    ],
    [
      'a follower that is told of one twice',
      room({
        tries: acknowledged,
        followings: [
          {
            follower: 'carol',
            after: 0,
            deliveries: [
              { at: 5, entry: entry(1) },
              { at: 6, entry: entry(1) },
            ],
          },
        ],
        log: both,
      }),
      'carol follows after 0: after 1 comes 1',
    ],
    [
      'a follower that misses one',
      room({
        tries: acknowledged,
        followings: [{ follower: 'carol', after: 0, deliveries: [{ at: 5, entry: entry(2) }] }],
        log: both,
      }),
      'carol follows after 0: after 0 comes 2',
    ],
    [
      'a connection whose messages changed places',
      room({ tries: [stored('a', 'm2', [0, 9], 2), stored('a', 'm1', [1, 9], 1)], log: both }),
      'm1 stands at 1, before m2 at 2, which a sent before it',
    ],
    [
      'a connection whose messages changed places, neither of which was answered',
      room({ tries: [lost('a', 'm2', 0), lost('a', 'm1', 1)], log: both }),
      'm1 stands at 1, before m2 at 2, which a sent before it',
    ],
    [
      'a message in front of one that was acknowledged before it was sent',
      room({ tries: [stored('a', 'm2', [0, 1], 2), stored('b', 'm1', [3, 4], 1)], log: both }),
      'm2 was acknowledged at 2, and 2.00 ms later m1, which stands at 1, was not sent yet',
    ],
    [
      'a message without an answer in front of one that was acknowledged before it was sent',
      room({ tries: [stored('a', 'm2', [0, 1], 2), lost('b', 'm1', 3)], log: both }),
      'm2 was acknowledged at 2, and 2.00 ms later m1, which stands at 1, was not sent yet',
    ],
    [
      'a read that does not find what was acknowledged before it began',
      room({ tries: acknowledged, reads: [read([5, 6], [entry(1)])], log: both }),
      'm2 was acknowledged at 2, and 2.00 ms later bob began to read, and did not find 2',
    ],
    [
      'a last message that was not the last any more when it was asked for',
      room({ tries: acknowledged, reads: [read([5, 6], [entry(1)], 1, false)], log: both }),
      'm2 was acknowledged at 2, and 2.00 ms later bob began to ask for the last, and it was 1',
    ],
    [
      'a read that does not find what another one had found before it began',
      room({
        tries: [lost('a', 'm1', 0)],
        reads: [read([1, 2], [entry(1)]), read([4, 5], [])],
        log: log('m1'),
      }),
      'bob has read 1, and 2.00 ms later bob began to read, and did not find 1',
    ],
    [
      'a read that finds what was not sent yet',
      room({
        tries: [stored('a', 'm1', [4, 5], 1)],
        reads: [read([1, 2], [entry(1)])],
        log: log('m1'),
      }),
      'bob has read 1, and 2.00 ms later m1, which stands at 1, was not sent yet',
    ],
    [
      'a follower that is told of one before it was sent',
      room({
        tries: [stored('a', 'm1', [4, 5], 1)],
        followings: [{ follower: 'carol', after: 0, deliveries: [{ at: 2, entry: entry(1) }] }],
        log: log('m1'),
      }),
      'carol was told 1, and 2.00 ms later m1, which stands at 1, was not sent yet',
    ],
    [
      'a read that does not find what its connection sent before something that was acknowledged',
      room({
        tries: [lost('a', 'm1', 0), stored('a', 'm2', [1, 2], 2)],
        reads: [read([4, 5], [])],
        log: both,
      }),
      'm1 was acknowledged at 1, and 2.00 ms later bob began to read, and did not find 1',
    ],
  ];

  it.each(broken)('finds %s', (_what, history, sentence) => {
    expect(checkLinearizability(history)).toContain(sentence);
    expect(isLinearizable(history)).toBe(false);
  });

  it('says the same as a search through all orders, of thousands of small histories by chance', () => {
    const random = seeded(20_261_122);
    const said = { kept: 0, broken: 0, missed: 0 };
    for (let n = 0; n < 20_000; n++) {
      const history = historyByChance(random);
      const found = checkLinearizability(history);
      const isKept = isLinearizable(history);
      if (isKept) expect({ history, found }).toEqual({ history, found: [] });
      if (isKept) said.kept += 1;
      else if (found.length > 0) said.broken += 1;
      else {
        // Only where more than one try may have stored a message.
        const tries = new Map<string, number>();
        for (const { key } of history.tries) tries.set(key, (tries.get(key) ?? 0) + 1);
        expect(Math.max(...tries.values()), JSON.stringify(history)).toBeGreaterThan(1);
        said.missed += 1;
      }
    }
    expect(said.kept).toBeGreaterThan(2_000);
    expect(said.broken).toBeGreaterThan(2_000);
    expect(said.missed).toBeLessThan(said.broken / 100);
  });
});

/** What could have been seen of a log, with a moment or a place in it changed now and then. */
function historyByChance(random: () => number): RoomHistory {
  const some = (most: number): number => Math.floor(random() * (most + 1));
  let clock = 0;
  const tick = (): number => {
    clock += 1 + random();
    return clock;
  };
  const names = ['m1', 'm2', 'm3', 'm4'].slice(0, 1 + some(3));
  const entries: Entry[] = [];
  const tries: Try[] = [];
  const reads: RoomHistory['reads'][number][] = [];
  const deliveries: { at: number; entry: Entry }[] = [];
  const underWay: { tried: Try; finish: () => Try }[] = [];
  const settle = (index: number): void => {
    const [one] = underWay.splice(index, 1);
    if (one) tries[tries.indexOf(one.tried)] = one.finish();
  };
  const todo = shuffled([...names, ...names.slice(0, some(1))], random);
  while (todo.length > 0 || underWay.length > 0) {
    const what = some(4);
    if (what <= 1 && todo.length > 0) {
      const key = todo.shift() ?? '';
      const tried = lost(pick(['a', 'b'], random), key, tick(), random() < 0.1 ? 'refused' : 'unknown');
      tries.push(tried);
      if (tried.outcome.kind === 'refused') continue;
      underWay.push({
        tried,
        finish() {
          const fate = random();
          if (fate < 0.15) return tried;
          let found = entries.find((each) => each.key === key);
          if (!found) {
            found = entry(entries.length + 1, key);
            entries.push(found);
          }
          if (fate < 0.3) return tried;
          const { seq, id } = found;
          return { ...tried, outcome: { kind: 'stored', seq, id, at: tick() } };
        },
      });
    } else if (what === 2 && reads.length < 2) {
      const invokedAt = tick();
      if (random() < 0.5 && underWay.length > 0) settle(some(underWay.length - 1));
      const after = some(entries.length);
      const isWhole = random() < 0.7;
      const page = entries.slice(after, isWhole ? undefined : after + 1);
      const last = random() < 0.5 ? entries.length : undefined;
      reads.push({ ...read([invokedAt, tick()], page, last, isWhole), after });
    } else if (what === 3 && deliveries.length < entries.length) {
      const next = entries[deliveries.length];
      if (next) deliveries.push({ at: tick(), entry: next });
    } else if (underWay.length > 0) settle(some(underWay.length - 1));
  }
  const moved = (at: number): number => (random() < 0.15 ? at + (random() - 0.5) * 12 : at);
  /** What one connection sent last: its tries come in the order of their moments. */
  const lastOf = new Map<string, number>();
  return {
    log: random() < 0.1 ? swapped(entries) : entries,
    tries: tries.map((tried) => {
      const { outcome, stream } = tried;
      const invokedAt = Math.max(moved(tried.invokedAt), (lastOf.get(stream) ?? 0) + 0.001);
      lastOf.set(stream, invokedAt);
      if (outcome.kind !== 'stored') return { ...tried, invokedAt };
      return { ...tried, invokedAt, outcome: { ...outcome, at: Math.max(invokedAt, moved(outcome.at)) } };
    }),
    reads: reads.map((one) => {
      const invokedAt = moved(one.invokedAt);
      return { ...one, invokedAt, at: Math.max(invokedAt, moved(one.at)) };
    }),
    followings: [
      { follower: 'carol', after: 0, deliveries: deliveries.map((one) => ({ ...one, at: moved(one.at) })) },
    ],
  };
}

/** With the first two messages in each other's place. */
function swapped(entries: readonly Entry[]): Entry[] {
  const [one, two, ...others] = entries;
  if (!one || !two) return [...entries];
  return [{ ...two, seq: 1 }, { ...one, seq: 2 }, ...others];
}
