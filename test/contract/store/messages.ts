import { describe, expect, test } from 'vitest';
import type { Account } from '../../../src/core/model/account.ts';
import type { ConversationRef } from '../../../src/core/model/conversation-name.ts';
import type { ConversationId, MessageId } from '../../../src/core/model/ids.ts';
import type { StoredMessage } from '../../../src/core/model/message.ts';
import type { AppendOutcome, NewMessage } from '../../../src/core/ports/store/messages.ts';
import { uuidV7 } from '../../../src/core/random.ts';
import type { Examined } from '../support/examined.ts';
import { inRoom, message, people, person, room, withUser } from '../support/people.ts';

type Stored = Exclude<AppendOutcome, { kind: 'no-room' | 'no-user' | 'not-member' }>;

function stored(outcome: AppendOutcome): Stored {
  if (!('seq' in outcome)) throw new Error(`was refused: ${outcome.kind}`);
  return outcome;
}

/** What a reader is to see of a message. */
function shown({ id, sender, sentAt, body }: NewMessage, seq: number): StoredMessage {
  return { seq, id, sender, sentAt, body };
}

/** Sending and reading messages. */
export function examineMessages(on: Examined): void {
  const send = async (from: Account, to: ConversationRef, other: Partial<NewMessage> = {}) =>
    stored(await on.store.appendMessage(message(from, to, other)));
  const all = (conversation: ConversationId) => on.store.messages({ conversation, limit: 100_000 });

  describe('sending', () => {
    test('a message in a room is stored with every field, counted from 1, and is there after a restart', async () => {
      const [alice] = await people(on.store, 'alice');
      const first = message(alice, inRoom('lobby'), {
        sentAt: 1_795_245_036_215,
        body: { text: 'schöne Grüße 👋 \u0000 ok' },
      });
      const second = message(alice, inRoom('lobby'), { key: 'k', body: { envelope: 'eyJ9' } });
      const outcome = stored(await on.store.appendMessage(first));
      expect(outcome).toEqual({
        kind: 'stored',
        conversation: outcome.conversation,
        audience: { kind: 'room', room: 'lobby' },
        id: first.id,
        seq: 1,
        sentAt: first.sentAt,
      });
      expect(await on.store.appendMessage(second)).toEqual({
        ...outcome,
        id: second.id,
        seq: 2,
        sentAt: second.sentAt,
      });
      const kept = [shown(first, 1), shown(second, 2)];
      expect(await all(outcome.conversation)).toEqual(kept);
      await on.reopen();
      expect(await all(outcome.conversation)).toEqual(kept);
      expect((await send(alice, inRoom('lobby'))).seq).toBe(3);
    });

    test('the longest text and envelope are kept whole', async () => {
      const [alice] = await people(on.store, 'alice');
      const text = 'é'.repeat(8_192);
      const envelope = 'A'.repeat(65_536);
      const { conversation } = await send(alice, inRoom('lobby'), { body: { text } });
      await send(alice, inRoom('lobby'), { body: { envelope } });
      expect((await all(conversation)).map(({ body }) => body)).toEqual([{ text }, { envelope }]);
    });

    test('only members send in a room, and only in one that is there', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      expect(await on.store.appendMessage(message(bob, inRoom('dev')))).toEqual({ kind: 'not-member' });
      expect(await on.store.appendMessage(message(bob, inRoom('nowhere')))).toEqual({ kind: 'no-room' });
      expect(await on.store.appendMessage(message(bob, withUser('nobody')))).toEqual({ kind: 'no-user' });
      expect((await send(alice, inRoom('dev'))).seq).toBe(1);
    });

    test('who leaves a room sends no more, also in the same moment, and sends again after coming back', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      const his = { room: room('dev'), userId: bob.id, now: 1 };
      const toDev = () => on.store.appendMessage(message(bob, inRoom('dev')));
      const join = () => on.store.joinRoom(his);
      const leave = () => on.store.leaveRoom(his);
      const outcomes: Awaited<ReturnType<typeof toDev | typeof join | typeof leave>>[] = [];
      const calls = [toDev, join, toDev, toDev, leave, toDev, join, toDev];
      if (on.isInOrder) outcomes.push(...(await Promise.all(calls.map((call) => call()))));
      else for (const call of calls) outcomes.push(await call());
      expect(
        outcomes.map((one) => (typeof one === 'string' ? one : 'seq' in one ? one.seq : one.kind)),
      ).toEqual(['not-member', 'joined', 1, 2, 'left', 'not-member', 'joined', 3]);
      expect(await toDev()).toMatchObject({ seq: 4 });
    });

    test('two people have one conversation, whoever begins; it is made by the first message', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const hers = await send(alice, withUser('bob'));
      expect(hers.audience).toEqual({ kind: 'direct', users: ['alice', 'bob'] });
      const his = await send(bob, withUser('alice'));
      expect(his).toMatchObject({ conversation: hers.conversation, seq: 2 });
      const { audience } = his;
      expect(audience.kind === 'direct' && new Set(audience.users)).toEqual(new Set(['alice', 'bob']));
      expect((await all(hers.conversation)).map(({ seq, sender }) => [seq, sender])).toEqual([
        [1, 'alice'],
        [2, 'bob'],
      ]);
    });

    test('pairs of people have conversations of their own, and each one has one with itself', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob', 'carol');
      const sent = [
        await send(alice, withUser('bob')),
        await send(alice, withUser('carol')),
        await send(bob, withUser('carol')),
        await send(alice, withUser('alice')),
        await send(bob, withUser('bob')),
        await send(alice, inRoom('lobby')),
      ];
      expect(new Set(sent.map(({ conversation }) => conversation)).size).toBe(6);
      expect(sent.map(({ seq }) => seq)).toEqual([1, 1, 1, 1, 1, 1]);
      expect(sent[3]?.audience).toEqual({ kind: 'direct', users: ['alice', 'alice'] });
      expect((await send(alice, withUser('alice'))).seq).toBe(2);
    });

    test('a room and a person of one name are two conversations', async () => {
      const [alice] = await people(on.store, 'alice', 'dev');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      const inTheRoom = await send(alice, inRoom('dev'));
      const toThePerson = await send(alice, withUser('dev'));
      expect(inTheRoom.conversation).not.toBe(toThePerson.conversation);
    });
  });

  describe('sending with a key', () => {
    test('the same key gets the first answer again, whatever the rest of the message is', async () => {
      const [alice] = await people(on.store, 'alice', 'bob');
      const first = await send(alice, inRoom('lobby'), { key: 'k', sentAt: 100 });
      const repeated = { ...first, kind: 'repeated' };
      const again = (to: ConversationRef, other: Partial<NewMessage> = {}) =>
        on.store.appendMessage(
          message(alice, to, { key: 'k', sentAt: 999, body: { text: 'other' }, ...other }),
        );
      expect(await again(inRoom('lobby'))).toEqual(repeated);
      expect(await again(inRoom('lobby'), { body: { envelope: 'e' } })).toEqual(repeated);
      expect(await again(withUser('bob'))).toEqual(repeated);
      expect(await again(inRoom('nowhere'))).toEqual(repeated);
      expect(await again(withUser('nobody'))).toEqual(repeated);
      await on.reopen();
      expect(await again(inRoom('lobby'))).toEqual(repeated);
      expect(await all(first.conversation)).toHaveLength(1);
      expect((await send(alice, inRoom('lobby'))).seq).toBe(2);
    });

    test('a repeated message makes no conversation', async () => {
      const [alice] = await people(on.store, 'alice', 'bob');
      await send(alice, inRoom('lobby'), { key: 'k' });
      await on.store.appendMessage(message(alice, withUser('bob'), { key: 'k' }));
      expect((await on.store.conversations({ userId: alice.id })).map(({ ref }) => ref)).toEqual([
        inRoom('lobby'),
      ]);
    });

    test('a direct message is repeated with its two people', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await send(bob, withUser('alice'), { key: 'k' });
      await send(alice, withUser('bob'), { key: 'k' });
      const again = await send(alice, inRoom('lobby'), { key: 'k' });
      expect(again).toMatchObject({ kind: 'repeated', seq: 2 });
      expect(again.audience.kind === 'direct' && new Set(again.audience.users)).toEqual(
        new Set(['alice', 'bob']),
      );
      const self = await send(bob, withUser('bob'), { key: 'self' });
      expect(await send(bob, inRoom('lobby'), { key: 'self' })).toEqual({ ...self, kind: 'repeated' });
    });

    test('a key is its sender’s own', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      expect((await send(alice, inRoom('lobby'), { key: 'k' })).kind).toBe('stored');
      expect((await send(bob, inRoom('lobby'), { key: 'k' })).kind).toBe('stored');
      expect((await send(alice, inRoom('lobby'), { key: 'K' })).kind).toBe('stored');
      expect((await send(alice, inRoom('lobby'), { key: '' })).kind).toBe('stored');
      expect((await send(alice, inRoom('lobby'), { key: '' })).kind).toBe('repeated');
    });

    test('messages without a key are all stored', async () => {
      const [alice] = await people(on.store, 'alice');
      expect((await send(alice, inRoom('lobby'))).seq).toBe(1);
      expect((await send(alice, inRoom('lobby'))).seq).toBe(2);
    });

    test('a refused key is free', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      expect(await on.store.appendMessage(message(bob, inRoom('dev'), { key: 'k' }))).toEqual({
        kind: 'not-member',
      });
      expect((await send(bob, inRoom('lobby'), { key: 'k' })).kind).toBe('stored');
    });

    test('what was sent before leaving is repeated after it', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      await on.store.joinRoom({ room: room('dev'), userId: bob.id, now: 1 });
      const first = await send(bob, inRoom('dev'), { key: 'k' });
      await on.store.leaveRoom({ room: room('dev'), userId: bob.id });
      expect(await send(bob, inRoom('dev'), { key: 'k' })).toEqual({ ...first, kind: 'repeated' });
    });

    test('100 at once with one key store one message, and the numbers after it have no gap', async () => {
      const [alice] = await people(on.store, 'alice');
      const outcomes = await Promise.all([
        ...Array.from({ length: 100 }, () => send(alice, inRoom('lobby'), { key: 'k' })),
        send(alice, inRoom('lobby'), { key: 'other' }),
      ]);
      const [first] = outcomes;
      expect(outcomes.slice(1, 100)).toEqual(
        Array.from({ length: 99 }, () => ({ ...first, kind: 'repeated' })),
      );
      expect(outcomes[100]).toMatchObject({ kind: 'stored', seq: 2 });
    });
  });

  describe('order', () => {
    test('messages sent at once are numbered in the order of the calls, without a gap, and answered in it', async () => {
      const [alice, bob, carol] = await people(on.store, 'alice', 'bob', 'carol');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      await on.store.joinRoom({ room: room('dev'), userId: bob.id, now: 1 });
      await on.store.joinRoom({ room: room('dev'), userId: carol.id, now: 1 });
      const senders = [alice, bob, carol];
      const places = [inRoom('lobby'), inRoom('dev'), withUser('bob'), inRoom('nowhere')];
      const calls = Array.from({ length: 600 }, (_, i) => {
        const sender = senders[i % 3] ?? alice;
        return message(sender, places[(i >> 1) % 4] ?? inRoom('lobby'), { key: i % 5 ? `${i}` : undefined });
      });
      const answered: number[] = [];
      const outcomes = await Promise.all(
        calls.map((call, i) => on.store.appendMessage(call).finally(() => answered.push(i))),
      );
      // Whoever sends there, by the name that all of them have for it.
      const groups = Map.groupBy(
        calls.map((_, i) => i),
        (i) => (calls[i]?.to.kind === 'room' ? calls[i].to.room : calls[i]?.sender),
      );
      const expected = on.isInOrder ? [calls.map((_, i) => i)] : [...groups.values()];
      for (const group of expected) {
        const among = new Set(group);
        expect(answered.filter((i) => among.has(i))).toEqual(group);
      }
      const sent = new Map<ConversationId, { id: MessageId; seq: number }[]>();
      for (const outcome of outcomes) {
        if (!('seq' in outcome)) continue;
        const { conversation, id, seq } = outcome;
        sent.set(conversation, [...(sent.get(conversation) ?? []), { id, seq }]);
      }
      // Alice to Bob, Bob to himself, Carol to Bob: three direct conversations and two rooms.
      expect(sent.size).toBe(5);
      for (const [conversation, messages] of sent) {
        expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, i) => i + 1));
        expect((await all(conversation)).map(({ id, seq }) => ({ id, seq }))).toEqual(messages);
      }
      expect(outcomes.filter((outcome) => outcome.kind === 'no-room')).toHaveLength(150);
    });

    test('what is sent at once is kept to the character, in texts and keys', async () => {
      const [alice] = await people(on.store, 'alice');
      const texts = [
        'plain',
        '"quoted" \\ and \\n, {"a":[1]}, $1, %s, \u0000 and \u0001, \u2028',
        'line\nbreak\ttab\r',
        '😀 é e\u0301 שלום',
        "o'clock; DROP TABLE messages; --",
        '',
        'x'.repeat(10_000),
      ];
      const sent = () =>
        Promise.all(texts.map((text) => send(alice, inRoom('lobby'), { body: { text }, key: text })));
      const outcomes = await sent();
      expect(outcomes.map(({ kind }) => kind)).toEqual(texts.map(() => 'stored'));
      const kept = await all(outcomes[0]?.conversation as ConversationId);
      expect(kept.map(({ body }) => body)).toEqual(texts.map((text) => ({ text })));
      expect(await sent()).toEqual(outcomes.map((one) => ({ ...one, kind: 'repeated' })));
    });

    test('what is sent at once with a conversation that is made for it, a key that comes twice and a refusal stands where each was told', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const lobby = inRoom('lobby');
      // So much that it does not go into one statement.
      const text = 'x'.repeat(600_000);
      const tell = (from: Account, to: ConversationRef, other: Partial<NewMessage> = {}) =>
        on.store.appendMessage(message(from, to, other));
      const outcomes = await Promise.all([
        tell(alice, lobby, { key: 'a', body: { text }, sentAt: 500 }),
        tell(alice, lobby, { body: { text }, sentAt: 400 }),
        tell(alice, lobby, { body: { text }, sentAt: 300 }),
        tell(alice, withUser('bob'), { sentAt: 7 }),
        tell(bob, withUser('alice'), { sentAt: 6 }),
        tell(bob, inRoom('nowhere')),
        tell(bob, lobby, { key: 'a' }),
        tell(alice, lobby, { key: 'a', body: { text: 'again' }, sentAt: 900 }),
        tell(alice, withUser('alice'), { body: { envelope: 'QUFB' } }),
        tell(bob, lobby),
      ]);
      const [first] = outcomes;
      expect(outcomes.map((one) => ('seq' in one ? `${one.kind} ${one.seq}` : one.kind))).toEqual([
        ...['stored 1', 'stored 2', 'stored 3', 'stored 1', 'stored 2', 'no-room', 'stored 4'],
        ...['repeated 1', 'stored 1', 'stored 5'],
      ]);
      expect(outcomes[7]).toEqual({ ...first, kind: 'repeated' });
      for (const [to, seq] of [
        [lobby, 6],
        [withUser('bob'), 3],
        [withUser('alice'), 2],
      ] as const) {
        const next = await send(alice, to);
        expect(next).toMatchObject({ kind: 'stored', seq });
        const kept = await all(next.conversation);
        expect(kept.map((one) => one.seq)).toEqual(Array.from({ length: seq }, (_, n) => n + 1));
      }
    });

    test('calls of later turns are answered after those of earlier ones', async () => {
      const [alice] = await people(on.store, 'alice');
      const answered: number[] = [];
      const calls: Promise<unknown>[] = [];
      for (let turn = 0; turn < 20; turn++) {
        for (let i = 0; i < 5; i++) {
          const number = calls.length;
          // Where calls that nobody waited for have no order, those who send to one place have one.
          const call =
            i === 2 && on.isInOrder
              ? on.store.account(alice.username)
              : on.store.appendMessage(message(alice, inRoom('lobby')));
          calls.push(call.then(() => answered.push(number)));
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(calls);
      expect(answered).toEqual(calls.map((_, i) => i));
    });

    test('a call sees what the calls before it stored', async () => {
      const [alice] = await people(on.store, 'alice');
      const { conversation } = await send(alice, inRoom('lobby'));
      const before = send(alice, inRoom('lobby'));
      if (!on.isInOrder) await before;
      const [views, rooms, page] = await Promise.all([
        on.store.conversations({ userId: alice.id }),
        on.store.rooms({ userId: alice.id, after: '', limit: 1 }),
        on.store.messages({ conversation, limit: 10 }),
        on.isInOrder ? send(alice, inRoom('lobby')) : undefined,
      ]);
      await before;
      expect(views[0]?.lastSeq).toBe(2);
      expect(rooms[0]?.lastSeq).toBe(2);
      expect(page.map(({ seq }) => seq)).toEqual([1, 2]);
    });

    test('a call that fails undoes itself alone and takes no number', async () => {
      const [alice] = await people(on.store, 'alice', 'bob');
      const taken = uuidV7() as MessageId;
      const outcomes = await Promise.allSettled([
        send(alice, inRoom('lobby'), { id: taken }),
        // An id is stored once: the store's caller has a bug, and the store must not get one.
        send(alice, withUser('bob'), { id: taken }),
        send(alice, inRoom('lobby')),
        on.store.createAccount({ account: { ...person('carol'), id: alice.id }, verifier: alice as never }),
        send(alice, inRoom('lobby')),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect(
        outcomes.map((one) => (one.status === 'fulfilled' && 'seq' in one.value ? one.value.seq : 0)),
      ).toEqual([1, 0, 2, 0, 3]);
      expect((await on.store.conversations({ userId: alice.id })).map(({ ref }) => ref)).toEqual([
        inRoom('lobby'),
      ]);
      expect(await on.store.usernames({ after: '', limit: 10 })).toEqual(['alice', 'bob']);
    });
  });

  describe('reading', () => {
    test('a page is cut by both ends, a limit, and from which end', async () => {
      const [alice] = await people(on.store, 'alice');
      const { conversation } = await send(alice, inRoom('lobby'));
      for (let i = 2; i <= 10; i++) await send(alice, inRoom('lobby'));
      const page = async (query: { after?: number; before?: number; limit: number; newest?: boolean }) =>
        (await on.store.messages({ conversation, ...query })).map(({ seq }) => seq);
      expect(await page({ limit: 3 })).toEqual([1, 2, 3]);
      expect(await page({ limit: 3, newest: false })).toEqual([1, 2, 3]);
      expect(await page({ limit: 3, newest: true })).toEqual([8, 9, 10]);
      expect(await page({ after: 4, limit: 3 })).toEqual([5, 6, 7]);
      expect(await page({ before: 4, limit: 9 })).toEqual([1, 2, 3]);
      expect(await page({ before: 4, limit: 2, newest: true })).toEqual([2, 3]);
      expect(await page({ after: 2, before: 6, limit: 9 })).toEqual([3, 4, 5]);
      expect(await page({ after: 2, before: 6, limit: 2, newest: true })).toEqual([4, 5]);
      expect(await page({ after: 5, before: 6, limit: 9 })).toEqual([]);
      expect(await page({ after: 10, limit: 9 })).toEqual([]);
      expect(await page({ after: 9, limit: 9, newest: true })).toEqual([10]);
    });

    test('a page holds what fits into its characters, from the end it begins at, and one message at least', async () => {
      const [alice] = await people(on.store, 'alice');
      const bodies = [{ text: 'aaaa' }, { envelope: 'bbbb' }, { text: 'c'.repeat(20) }, { text: 'éé' }];
      const outcomes = [];
      for (const body of bodies) outcomes.push(await send(alice, inRoom('lobby'), { body }));
      const conversation = outcomes[0]?.conversation ?? (0 as ConversationId);
      const page = async (maxCharacters: number, other: { after?: number; newest?: boolean } = {}) =>
        (await on.store.messages({ conversation, limit: 10, maxCharacters, ...other })).map(({ seq }) => seq);
      expect(await page(8)).toEqual([1, 2]);
      expect(await page(7)).toEqual([1]);
      expect(await page(0)).toEqual([1]);
      expect(await page(28)).toEqual([1, 2, 3]);
      expect(await page(27)).toEqual([1, 2]);
      expect(await page(30)).toEqual([1, 2, 3, 4]);
      expect(await page(1, { after: 2 })).toEqual([3]);
      expect(await page(0, { after: 4 })).toEqual([]);
      expect(await page(22, { newest: true })).toEqual([3, 4]);
      expect(await page(21, { newest: true })).toEqual([4]);
    });

    test('a conversation that is not there has no messages', async () => {
      expect(await on.store.messages({ conversation: 99 as ConversationId, limit: 10 })).toEqual([]);
    });
  });
}
