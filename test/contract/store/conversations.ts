import { describe, expect, test } from 'vitest';
import type { Account } from '../../../src/core/model/account.ts';
import type { ConversationRef } from '../../../src/core/model/conversation-name.ts';
import type { ConversationId, MessageId } from '../../../src/core/model/ids.ts';
import type { StartingPoint } from '../../../src/core/ports/store/conversations.ts';
import { uuidV7 } from '../../../src/core/random.ts';
import type { Examined } from '../support/examined.ts';
import { inRoom, message, people, room, withUser } from '../support/people.ts';

/** Conversations as their readers see them: opening, listing, where to begin, what was read. */
export function examineConversations(on: Examined): void {
  async function send(from: Account, to: ConversationRef, sentAt = 100) {
    const outcome = await on.store.appendMessage(message(from, to, { sentAt }));
    if (!('seq' in outcome)) throw new Error(`was refused: ${outcome.kind}`);
    return outcome;
  }
  const open = (user: Account, ref: ConversationRef) =>
    on.store.openConversation({ userId: user.id, ref, now: 5 });

  describe('where conversations end', () => {
    test('is told of as many as are asked for, and of none that there is not', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const rooms = Array.from({ length: 450 }, (_, index) => `r${index}`);
      for (const one of rooms) await on.store.createRoom({ room: room(one), by: alice.id, now: 1 });
      const views = await on.store.conversations({ userId: alice.id });
      const ids = views.map(({ id }) => id);
      await send(alice, inRoom('r7'));
      await send(alice, inRoom('r449'));
      await send(alice, inRoom('r449'));
      const direct = await send(bob, withUser('alice'));
      const none = (Math.max(...ids, direct.conversation) + 1) as ConversationId;
      const ends = await on.store.heads([...ids, none, direct.conversation]);
      const seqs = new Map(ends.map(({ conversation, lastSeq }) => [conversation, lastSeq]));
      expect(ends).toHaveLength(rooms.length + 2);
      const ofRoom = (name: string) => {
        const found = views.find(({ ref }) => ref.kind === 'room' && ref.room === name);
        return found && seqs.get(found.id);
      };
      expect([ofRoom('r7'), ofRoom('r449'), ofRoom('r8'), seqs.get(direct.conversation)]).toEqual([
        1, 2, 0, 1,
      ]);
      expect(await on.store.heads([])).toEqual([]);
      expect(await on.store.heads([none])).toEqual([]);
    });

    test('is as far as the last message that was acknowledged', async () => {
      const [alice] = await people(on.store, 'alice');
      const { conversation } = await send(alice, inRoom('lobby'));
      for (let seq = 2; seq < 10; seq++) {
        await send(alice, inRoom('lobby'));
        expect(await on.store.heads([conversation])).toEqual([{ conversation, lastSeq: seq }]);
      }
    });
  });

  describe('opening conversations', () => {
    test('a room is seen by its members only', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      const { conversation: id } = await send(alice, inRoom('dev'));
      expect(await open(alice, inRoom('dev'))).toEqual({ id, ref: inRoom('dev'), lastSeq: 1, readSeq: 0 });
      expect(await open(bob, inRoom('dev'))).toEqual({ kind: 'not-member' });
      expect(await open(bob, inRoom('nowhere'))).toEqual({ kind: 'no-room' });
    });

    test('a direct conversation is made when it is opened, once for both', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const hers = await open(alice, withUser('bob'));
      const his = await open(bob, withUser('alice'));
      if ('kind' in hers || 'kind' in his) throw new Error('was refused');
      expect(hers).toEqual({ id: hers.id, ref: withUser('bob'), lastSeq: 0, readSeq: 0 });
      expect(his).toEqual({ id: hers.id, ref: withUser('alice'), lastSeq: 0, readSeq: 0 });
      expect((await send(bob, withUser('alice'))).conversation).toBe(hers.id);
      expect(await open(alice, withUser('nobody'))).toEqual({ kind: 'no-user' });
    });

    test('a direct conversation is not made by looking for it, and is found by both once it is there', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const look = (user: Account, ref: ConversationRef) => on.store.conversation({ userId: user.id, ref });
      for (const [user, ref] of [
        [alice, withUser('bob')],
        [bob, withUser('alice')],
        [alice, withUser('alice')],
      ] as const)
        expect(await look(user, ref)).toEqual({ kind: 'unwritten' });
      expect((await on.store.conversations({ userId: bob.id })).map(({ ref }) => ref)).toEqual([
        inRoom('lobby'),
      ]);
      expect(await look(alice, withUser('nobody'))).toEqual({ kind: 'no-user' });
      const made = await open(alice, withUser('bob'));
      expect(await look(alice, withUser('bob'))).toEqual(made);
      expect(await look(bob, withUser('alice'))).toEqual({ ...made, ref: withUser('alice') });
      await send(bob, withUser('alice'));
      expect(await look(bob, withUser('alice'))).toMatchObject({ lastSeq: 1, readSeq: 0 });
    });

    test('a room is looked for as it is opened', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      const look = (user: Account, name: string) =>
        on.store.conversation({ userId: user.id, ref: inRoom(name) });
      expect(await look(alice, 'dev')).toEqual(await open(alice, inRoom('dev')));
      expect(await look(bob, 'dev')).toEqual({ kind: 'not-member' });
      expect(await look(bob, 'nowhere')).toEqual({ kind: 'no-room' });
    });

    test('everybody has a conversation with itself', async () => {
      const [alice] = await people(on.store, 'alice');
      const own = await open(alice, withUser('alice'));
      if ('kind' in own) throw new Error('was refused');
      expect(own).toEqual({ id: own.id, ref: withUser('alice'), lastSeq: 0, readSeq: 0 });
      expect((await send(alice, withUser('alice'))).conversation).toBe(own.id);
      expect(await on.store.conversations({ userId: alice.id })).toContainEqual({ ...own, lastSeq: 1 });
    });

    test('20 who open one at once open the same', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const views = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          i % 2 ? open(alice, withUser('bob')) : open(bob, withUser('alice')),
        ),
      );
      expect(new Set(views.map((view) => ('id' in view ? view.id : view.kind))).size).toBe(1);
    });
  });

  describe('listing conversations', () => {
    test('an account sees the rooms it is in and its direct ones, and nobody else’s', async () => {
      const [alice, bob, carol] = await people(on.store, 'alice', 'bob', 'carol');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      await on.store.createRoom({ room: room('ops'), by: bob.id, now: 1 });
      const dev = await send(alice, inRoom('dev'));
      await send(bob, withUser('alice'));
      const direct = await send(alice, withUser('bob'));
      await send(bob, withUser('carol'));
      await on.store.markRead({ conversation: direct.conversation, userId: alice.id, seq: 2 });
      const lobby = await open(alice, inRoom('lobby'));
      const views = await on.store.conversations({ userId: alice.id });
      expect(views.toSorted((one, other) => one.id - other.id)).toEqual([
        lobby,
        { id: dev.conversation, ref: inRoom('dev'), lastSeq: 1, readSeq: 0 },
        { id: direct.conversation, ref: withUser('bob'), lastSeq: 2, readSeq: 2 },
      ]);
      expect((await on.store.conversations({ userId: carol.id })).map(({ ref }) => ref)).toEqual([
        inRoom('lobby'),
        withUser('bob'),
      ]);
      await on.store.leaveRoom({ room: room('dev'), userId: alice.id });
      expect((await on.store.conversations({ userId: alice.id })).map(({ ref }) => ref)).toEqual([
        inRoom('lobby'),
        withUser('bob'),
      ]);
    });
  });

  describe('where reading starts', () => {
    async function sentAt(...times: number[]) {
      const [alice] = await people(on.store, 'alice', 'bob');
      const sent = [];
      for (const time of times) sent.push(await send(alice, inRoom('lobby'), time));
      const conversation = sent[0]?.conversation ?? (1 as ConversationId);
      const from = (point: StartingPoint) => on.store.startingSeq({ conversation, from: point });
      return { alice, sent, from };
    }

    test('after a message that is named, when it is in this conversation', async () => {
      const { alice, sent, from } = await sentAt(1, 2, 3);
      for (const { id, seq } of sent) expect(await from({ id })).toBe(seq);
      expect(await from({ id: uuidV7() as MessageId })).toBeUndefined();
      const { id } = await send(alice, withUser('bob'));
      expect(await from({ id })).toBeUndefined();
    });

    test('before the last so many', async () => {
      const { from } = await sentAt(1, 2, 3);
      expect(await from({ last: 0 })).toBe(3);
      expect(await from({ last: 1 })).toBe(2);
      expect(await from({ last: 3 })).toBe(0);
      expect(await from({ last: 4 })).toBe(0);
    });

    test('before the first that was sent at a time or after it, to the millisecond', async () => {
      const { from } = await sentAt(100, 200, 200, 300);
      expect(await from({ since: 0 })).toBe(0);
      expect(await from({ since: 100 })).toBe(0);
      expect(await from({ since: 101 })).toBe(1);
      expect(await from({ since: 200 })).toBe(1);
      expect(await from({ since: 201 })).toBe(3);
      expect(await from({ since: 300 })).toBe(3);
      expect(await from({ since: 301 })).toBe(4);
    });

    test('the first is meant also when the clock stepped back between messages', async () => {
      const times = [100, 500, 50, 60, 450, 500, 501, 20, 700];
      const { from } = await sentAt(...times);
      for (const since of [0, 50, 51, 60, 100, 101, 450, 451, 499, 500, 501, 502, 700, 701]) {
        const first = times.findIndex((time) => time >= since);
        expect([since, await from({ since })]).toEqual([since, first === -1 ? times.length : first]);
      }
    });

    test('in a conversation without messages everything starts at 0', async () => {
      const { from } = await sentAt();
      expect(await from({ last: 5 })).toBe(0);
      expect(await from({ since: 5 })).toBe(0);
      expect(await from({ id: uuidV7() as MessageId })).toBeUndefined();
    });
  });

  describe('read markers', () => {
    test('a marker moves forward, never back, and is each reader’s own', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const { conversation } = await send(alice, inRoom('lobby'));
      await send(alice, inRoom('lobby'));
      const mark = (user: Account, seq: number) => on.store.markRead({ conversation, userId: user.id, seq });
      expect(await mark(alice, 0)).toBe(0);
      expect(await mark(alice, 2)).toBe(2);
      expect(await mark(alice, 1)).toBe(2);
      expect(await mark(bob, 1)).toBe(1);
      await on.reopen();
      expect(await open(alice, inRoom('lobby'))).toMatchObject({ lastSeq: 2, readSeq: 2 });
      expect(await open(bob, inRoom('lobby'))).toMatchObject({ lastSeq: 2, readSeq: 1 });
    });
  });
}
