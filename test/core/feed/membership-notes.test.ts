import { expect, onTestFinished, test } from 'vitest';
import type { Reader } from '../../../src/core/feed/followers.ts';
import {
  createMembershipNotes,
  type MembershipNote,
  type MembershipNotes,
} from '../../../src/core/feed/membership-notes.ts';
import type { ConversationRef } from '../../../src/core/model/conversation-name.ts';
import type { ConversationId, UserId } from '../../../src/core/model/ids.ts';
import type { ConversationView } from '../../../src/core/model/message.ts';
import type { Username } from '../../../src/core/model/username.ts';
import { room } from '../../contract/support/people.ts';

const dev: ConversationView = {
  id: 1 as ConversationId,
  ref: { kind: 'room', room: room('dev') } satisfies ConversationRef,
  lastSeq: 0,
  readSeq: 0,
};
const joinOf = (name: string, conversation = dev): MembershipNote => ({
  kind: 'joined',
  userId: name as UserId,
  username: name as Username,
  conversation,
});

/** A connection of somebody that follows all that begins. */
const readerOf = (name: string): Reader =>
  ({
    userId: name as UserId,
    username: name as Username,
    newOnes: 'followed',
    followers: new Map(),
    held: new Map(),
    unwanted: new Set(),
  }) as unknown as Reader;
const reader = readerOf('alice');

/** Notes of one node where only alice reads; each question to the store is answered after `meanwhile`. */
function notesOver(meanwhile: (asked: number) => void) {
  let asked = 0;
  const started = Promise.withResolvers<number>();
  const answer = async <T>(what: T): Promise<T> => {
    asked += 1;
    if (asked > 20) started.resolve(asked);
    else meanwhile(asked);
    return what;
  };
  const notes = createMembershipNotes({
    store: { conversation: () => answer(dev), conversations: () => answer([dev]) },
    readersOf: (user) => (user === reader.username ? [reader] : []),
    readers: () => [reader],
    start: () => started.resolve(asked),
    stop() {},
    onFailure: started.reject,
  });
  return { notes, started: started.promise };
}

test.each([
  ['an entry', (notes: ReturnType<typeof createMembershipNotes>) => notes.told(joinOf('alice'))],
  ['anything', (notes: ReturnType<typeof createMembershipNotes>) => notes.takeAnything()],
])('what is asked after %s is asked once however many others enter meanwhile', async (_, begin) => {
  const { notes, started } = notesOver(() => notes.told(joinOf('bob')));
  begin(notes);
  expect(await started).toBe(1);
  notes.stop();
});

test.each([
  ['an entry', (notes: ReturnType<typeof createMembershipNotes>) => notes.told(joinOf('alice'))],
  ['anything', (notes: ReturnType<typeof createMembershipNotes>) => notes.takeAnything()],
])('what is asked after %s is asked again when its user is told of meanwhile', async (_, begin) => {
  const { notes, started } = notesOver((asked) => {
    if (asked === 1) notes.told(joinOf('alice'));
  });
  begin(notes);
  expect(await started).toBe(2);
  notes.stop();
});

/** Notes of one node where alice, bob and carol read, over a store that says what is asked and may fail. */
function failingNotes(isFailing: (user: string, what: 'one' | 'all') => boolean) {
  const readers = ['alice', 'bob', 'carol'].map(readerOf);
  const asked: string[] = [];
  const started: string[] = [];
  const failures: unknown[] = [];
  const answer = async <T>(user: string, what: 'one' | 'all', view: T): Promise<T> => {
    asked.push(`${what} of ${user}`);
    if (isFailing(user, what)) throw new Error(`no answer about ${user}`);
    return view;
  };
  const notes = createMembershipNotes({
    store: {
      conversation: ({ userId }) => answer(userId, 'one', dev),
      conversations: ({ userId }) => answer(userId, 'all', [dev]),
    },
    readersOf: (user) => readers.filter(({ username }) => username === user),
    readers: () => readers,
    start: (user) => started.push(user),
    stop() {},
    onFailure: (error) => failures.push(error),
  });
  onTestFinished(() => notes.stop());
  return { notes, asked, started, failures };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test.each([
  ['entries', (notes: MembershipNotes) => notes.take(['alice', 'bob', 'carol'].map((name) => joinOf(name)))],
  ['anything', (notes: MembershipNotes) => notes.takeAnything()],
])(
  'what always fails keeps nothing else waiting, after %s, is told of once and asked again',
  async (_, begin) => {
    let isFailing = true;
    const { notes, asked, started, failures } = failingNotes((user) => isFailing && user === 'alice');
    begin(notes);
    await settled();
    expect(started).toEqual(['bob', 'carol']);
    for (let poll = 0; poll < 5; poll++) {
      notes.take([]);
      await settled();
    }
    expect(asked.map((question) => question.slice(7))).toEqual([
      'alice',
      'bob',
      'carol',
      ...Array(5).fill('alice'),
    ]);
    notes.told(joinOf('bob'));
    await settled();
    expect(started).toEqual(['bob', 'carol', 'bob']);
    expect(failures).toEqual([new Error('no answer about alice')]);
    isFailing = false;
    notes.take([]);
    await settled();
    expect(started).toEqual(['bob', 'carol', 'bob', 'alice']);
  },
);

test('a store that is away is asked three times for all that waits, and for all of it when it is back', async () => {
  let isAway = true;
  const { notes, asked, started, failures } = failingNotes(() => isAway);
  notes.take(Array.from({ length: 10 }, () => joinOf('alice')));
  await settled();
  expect([asked.length, failures.length]).toEqual([3, 1]);
  isAway = false;
  notes.take([]);
  await settled();
  expect([asked.length, started.length, failures.length]).toEqual([13, 10, 1]);
});

test('beyond 10,000 notes that wait all conversations of their users are asked about instead', async () => {
  let isAway = true;
  const { notes, asked, started } = failingNotes(() => isAway);
  for (let round = 0; round < 5; round++) {
    notes.take(Array.from({ length: 5_000 }, (_, n) => joinOf(n % 2 === 0 ? 'alice' : 'bob')));
    await settled();
  }
  isAway = false;
  asked.length = 0;
  notes.take([]);
  await settled();
  expect(asked.slice(0, 2).sort()).toEqual(['all of alice', 'all of bob']);
  expect(asked.length).toBeLessThanOrEqual(10_002);
  expect(new Set(started)).toEqual(new Set(['alice', 'bob']));
  started.length = 0;
  notes.take([]);
  await settled();
  expect(started).toEqual([]);
});
