import { expect, test } from 'vitest';
import type { Reader } from '../../src/core/followers.ts';
import { createMembershipNotes, type MembershipNote } from '../../src/core/membership-notes.ts';
import type { ConversationRef } from '../../src/core/model/conversation-name.ts';
import type { ConversationId, UserId } from '../../src/core/model/ids.ts';
import type { ConversationView } from '../../src/core/model/message.ts';
import type { Username } from '../../src/core/model/username.ts';
import { room } from '../contract/support/people.ts';

const dev: ConversationView = {
  id: 1 as ConversationId,
  ref: { kind: 'room', room: room('dev') } satisfies ConversationRef,
  lastSeq: 0,
  readSeq: 0,
};
const joinOf = (name: string): MembershipNote => ({
  kind: 'joined',
  userId: name as UserId,
  username: name as Username,
  conversation: dev,
});

/** A connection of alice that follows all that begins. */
const reader = {
  userId: 'alice' as UserId,
  username: 'alice' as Username,
  newOnes: 'followed',
  followers: new Map(),
  held: new Map(),
  unwanted: new Set(),
} as unknown as Reader;

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
