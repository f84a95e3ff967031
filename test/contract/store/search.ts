import { describe, expect, test, vi } from 'vitest';
import type { Account } from '../../../src/core/model/account.ts';
import type { ConversationRef } from '../../../src/core/model/conversation-name.ts';
import type { ConversationId, MessageId } from '../../../src/core/model/ids.ts';
import type { SentBody } from '../../../src/core/model/message.ts';
import { uuidV7 } from '../../../src/core/random.ts';
import { parseSearch } from '../../../src/core/search-terms.ts';
import type { Examined } from '../support/examined.ts';
import { inRoom, message, people, room, withUser } from '../support/people.ts';

/** Searching: what is found, by whom, in which order. Found is also what was stored a moment ago. */
export function examineSearch(on: Examined): void {
  async function send(from: Account, to: ConversationRef, body: string | SentBody, sentAt = 100) {
    const outcome = await on.store.appendMessage(
      message(from, to, { sentAt, body: typeof body === 'string' ? { text: body } : body }),
    );
    if (!('seq' in outcome)) throw new Error(`was refused: ${outcome.kind}`);
    return outcome;
  }
  /** The seqs of all matches, by as many steps as it takes. */
  async function found(user: Account, conversation: ConversationId, query: string, limit = 1_000) {
    const seqs: number[] = [];
    for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
      const [step] = await on.store.searchMessages({
        userId: user.id,
        conversations: [{ id: conversation, before }],
        terms: parseSearch(query),
        limit,
      });
      expect(step?.isWhole).toBe(true);
      expect(step?.found.length).toBeLessThanOrEqual(limit);
      seqs.push(...(step?.found ?? []).map(({ seq }) => seq));
      before = step?.next?.before;
    }
    return seqs;
  }

  describe('searching a conversation', () => {
    test('finds the messages that have all words, newest first, whatever their case and marks', async () => {
      const [alice] = await people(on.store, 'alice');
      const texts = ['The build is green', 'build: RED', 'Grëen tea', 'the green, the BUILD'];
      let last: Awaited<ReturnType<typeof send>> | undefined;
      for (const text of texts) last = await send(alice, inRoom('lobby'), text);
      if (!last) throw new Error('nothing was sent');
      const id = last.conversation;
      expect(await found(alice, id, 'green build')).toEqual([4, 1]);
      expect(await found(alice, id, 'GREEN')).toEqual([4, 3, 1]);
      expect(await found(alice, id, '"is green"')).toEqual([1]);
      expect(await found(alice, id, 'gre*')).toEqual([4, 3, 1]);
      expect(await found(alice, id, 'gre')).toEqual([]);
      const [step] = await on.store.searchMessages({
        userId: alice.id,
        conversations: [{ id, before: 4 }],
        terms: parseSearch('green'),
        limit: 1,
      });
      expect(step).toEqual({
        found: [
          expect.objectContaining({
            seq: 3,
            sender: 'alice',
            sentAt: 100,
            latestAt: 100,
            body: { text: 'Grëen tea' },
          }),
        ],
        next: { before: 3, latestAt: 100 },
        isWhole: true,
      });
    });

    test('goes on with the next conversation while the one before it has no more', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const places: Array<{ id: ConversationId; before: number }> = [];
      for (let index = 0; index < 20; index++) {
        const name = `room${index}`;
        await on.store.createRoom({ room: room(name), by: alice.id, now: 1 });
        const sent = await send(alice, inRoom(name), index % 10 === 3 ? 'green' : 'blue');
        places.push({ id: sent.conversation, before: 9 });
      }
      const ask = async (user: Account, query: string, limit: number, conversations = places) => {
        const asked = { userId: user.id, conversations, terms: parseSearch(query), limit };
        const steps = await on.store.searchMessages(asked);
        return steps.map(({ found: { length }, next, isWhole }) => [length, next, isWhole]);
      };
      const none = [0, undefined, true];
      const one = [1, undefined, true];
      // As many as one step looks into, and no more.
      const absent = await ask(alice, 'absent', 5);
      expect(absent.length).toBeGreaterThan(1);
      expect(absent.length).toBeLessThanOrEqual(16);
      expect(absent).toEqual(absent.map(() => none));
      // When enough was found the rest can wait.
      expect(await ask(alice, 'green', 1)).toEqual([none, none, none, one]);
      expect(await ask(alice, 'green', 2, places.slice(3, 6))).toEqual([one, none, none]);
      expect(await ask(bob, 'green', 2, places.slice(3, 6))).toEqual([none, none, none]);
      await send(alice, inRoom('room3'), 'green');
      const rest = [1, { before: 2, latestAt: expect.any(Number) }, true];
      expect(await ask(alice, 'green', 1, places.slice(3, 6))).toEqual([rest]);
    });

    test('finds no envelope', async () => {
      const [alice] = await people(on.store, 'alice');
      await send(alice, inRoom('lobby'), { envelope: 'c2VhbGVk' });
      const { conversation } = await send(alice, inRoom('lobby'), 'c2VhbGVk in clear');
      expect(await found(alice, conversation, 'c2VhbGVk')).toEqual([2]);
    });

    test('is for its members alone, and for them as long as they are', async () => {
      const [alice, bob, eve] = await people(on.store, 'alice', 'bob', 'eve');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      const dev = (await send(alice, inRoom('dev'), 'secret plan')).conversation;
      const direct = (await send(alice, withUser('bob'), 'secret plan')).conversation;
      expect(await found(alice, dev, 'secret')).toEqual([1]);
      expect(await found(bob, dev, 'secret')).toEqual([]);
      // As history does, a room shows who enters it what was there before.
      await on.store.joinRoom({ room: room('dev'), userId: bob.id, now: 2 });
      expect(await found(bob, dev, 'secret')).toEqual([1]);
      await on.store.leaveRoom({ room: room('dev'), userId: bob.id });
      expect(await found(bob, dev, 'secret')).toEqual([]);
      for (const [user, seqs] of [
        [alice, [1]],
        [bob, [1]],
        [eve, []],
      ] as const)
        expect(await found(user, direct, 'secret')).toEqual(seqs);
    });

    test('takes as many steps as it needs and misses none, from any place on', async () => {
      const [alice] = await people(on.store, 'alice');
      const outcomes = await Promise.all(
        Array.from({ length: 1_200 }, (_, i) =>
          send(alice, inRoom('lobby'), i % 100 ? `word${i % 7}` : 'needle'),
        ),
      );
      const id = outcomes[0]?.conversation as ConversationId;
      // What was stored first may have to be indexed before it is found.
      await vi.waitFor(async () => await found(alice, id, 'needle'), { timeout: 60_000 });
      const needles = Array.from({ length: 12 }, (_, i) => 1_101 - i * 100);
      for (const limit of [1, 5, 1_000]) expect(await found(alice, id, 'needle', limit)).toEqual(needles);
      expect(await found(alice, id, 'nothing')).toEqual([]);
      await on.reopen();
      expect(await found(alice, id, 'needle', 5)).toEqual(needles);
    });
  });

  describe('what can be searched', () => {
    test('are the own conversations that have messages', async () => {
      const [alice, bob, eve] = await people(on.store, 'alice', 'bob', 'eve');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      await on.store.createRoom({ room: room('empty'), by: alice.id, now: 1 });
      const dev = await send(alice, inRoom('dev'), 'one', 7);
      const direct = await send(bob, withUser('alice'), 'two', 9);
      await send(bob, withUser('eve'), 'three');
      const own = await on.store.searchable({ userId: alice.id });
      expect(own.sort((a, b) => a.latestAt - b.latestAt)).toEqual([
        { id: dev.conversation, ref: inRoom('dev'), lastSeq: 1, latestAt: 7 },
        { id: direct.conversation, ref: withUser('bob'), lastSeq: 1, latestAt: 9 },
      ]);
      expect((await on.store.searchable({ userId: eve.id })).map(({ ref }) => ref)).toEqual([
        withUser('bob'),
      ]);
    });

    test('a message is where its readers find it, and nowhere for others', async () => {
      const [alice, bob, eve] = await people(on.store, 'alice', 'bob', 'eve');
      const { id, conversation } = await send(alice, withUser('bob'), 'one', 7);
      for (const user of [alice, bob])
        expect(await on.store.messagePosition({ userId: user.id, id })).toEqual({
          conversation,
          seq: 1,
          latestAt: 7,
        });
      expect(await on.store.messagePosition({ userId: eve.id, id })).toBeUndefined();
      const none = uuidV7() as MessageId;
      expect(await on.store.messagePosition({ userId: alice.id, id: none })).toBeUndefined();
    });
  });
}
