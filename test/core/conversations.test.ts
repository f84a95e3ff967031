import { describe, expect, it } from 'vitest';
import { maxEnvelopeBytes, maxTextBytes } from '../../src/core/policy.ts';
import { loggedIn, openChat, peer, refusal, register, type TestChat } from './support/chat.ts';

const noRoom = { code: 'not-found', message: 'there is no room #none', field: 'to' };
const noUser = { code: 'not-found', message: 'there is no user @none', field: 'to' };
const notMember = { code: 'forbidden', message: 'you are not in #tea: join it first', field: 'to' };

/** Chat with connections of three people. */
async function three(): Promise<{
  t: TestChat;
  alice: Awaited<ReturnType<typeof loggedIn>>;
  bob: Awaited<ReturnType<typeof loggedIn>>;
  carol: Awaited<ReturnType<typeof loggedIn>>;
}> {
  const t = await openChat({ policy: { messagesPerSecond: 0 } });
  await register(t, 'alice', 'bob', 'carol');
  return {
    t,
    alice: await loggedIn(t, 'alice'),
    bob: await loggedIn(t, 'bob'),
    carol: await loggedIn(t, 'carol'),
  };
}

describe('message.send', () => {
  it('takes a text of 16,384 bytes and refuses 16,385 as too large, also when characters have many bytes', async () => {
    const { t, alice } = await three();
    const table: Array<[string, boolean]> = [
      ['x'.repeat(maxTextBytes), true],
      ['x'.repeat(maxTextBytes + 1), false],
      ['é'.repeat(maxTextBytes / 2), true],
      [`${'é'.repeat(maxTextBytes / 2)}x`, false],
      [`x${'€'.repeat((maxTextBytes - 1) / 3)}`, true],
      [`xx${'€'.repeat((maxTextBytes - 1) / 3)}`, false],
      ['😀'.repeat(maxTextBytes / 4), true],
      [`${'😀'.repeat(maxTextBytes / 4)}x`, false],
    ];
    for (const [text, fits] of table) {
      expect(new TextEncoder().encode(text).length).toBe(fits ? maxTextBytes : maxTextBytes + 1);
      const sending = t.call(alice, 'message.send', { to: '#lobby', text });
      if (fits) {
        const { seq } = await sending;
        const { messages } = await t.call(alice, 'message.history', { to: '#lobby', after: seq - 1 });
        expect(messages[0]?.text).toBe(text);
      } else {
        expect(await refusal(sending)).toEqual({
          code: 'too-large',
          message: 'text: a message has at most 16384 bytes',
          field: 'text',
        });
      }
    }
  });

  it('refuses an empty text and one that is not well-formed', async () => {
    const { t, alice } = await three();
    expect(await refusal(t.call(alice, 'message.send', { to: '#lobby', text: '' }))).toEqual({
      code: 'invalid',
      message: 'text: a message has at least one character',
      field: 'text',
    });
    for (const text of ['\ud800', 'a\udc00b', '\ud800x']) {
      expect(await refusal(t.call(alice, 'message.send', { to: '#lobby', text }))).toEqual({
        code: 'invalid',
        message: 'text: a message is well-formed Unicode',
        field: 'text',
      });
    }
  });

  it('takes an envelope of 65,536 characters of base64, and nothing longer or else', async () => {
    const { t, alice } = await three();
    await t.call(alice, 'message.send', { to: '@bob', envelope: 'A'.repeat(maxEnvelopeBytes) });
    expect(
      await refusal(
        t.call(alice, 'message.send', { to: '@bob', envelope: 'A'.repeat(maxEnvelopeBytes + 1) }),
      ),
    ).toMatchObject({ code: 'too-large', field: 'envelope' });
    for (const envelope of ['', 'not base64!', 'a\nb']) {
      expect(await refusal(t.call(alice, 'message.send', { to: '@bob', envelope }))).toMatchObject({
        code: 'invalid',
        field: 'envelope',
      });
    }
  });

  it('refuses a room or user that is not there, and a room that the sender is not in', async () => {
    const { t, alice, bob } = await three();
    await t.call(alice, 'room.create', { room: 'tea' });
    const send = (to: string) => t.call(bob, 'message.send', { to, text: 'x' });
    expect(await refusal(send('#none'))).toEqual(noRoom);
    expect(await refusal(send('@none'))).toEqual(noUser);
    expect(await refusal(send('#tea'))).toEqual(notMember);
    expect((await t.call(alice, 'message.history', { to: '#tea' })).last_seq).toBe(0);
  });

  it('gives the same answer for the same key, also for another body or place, and stores and tells nothing twice', async () => {
    const { t, alice, bob } = await three();
    await t.call(bob, 'conversation.follow', { to: '#lobby' });
    const first = await t.call(alice, 'message.send', { to: '#lobby', text: 'x', key: 'k' });
    for (const again of [
      { to: '#lobby', text: 'x', key: 'k' },
      { to: '#lobby', text: 'another', key: 'k' },
      { to: '#lobby', envelope: 'AAAA', key: 'k' },
      { to: '@bob', text: 'x', key: 'k' },
    ]) {
      expect(await t.call(alice, 'message.send', again)).toEqual(first);
    }
    // Keys are each sender's own.
    const bobs = await t.call(bob, 'message.send', { to: '#lobby', text: 'y', key: 'k' });
    expect(bobs.seq).toBe(2);
    await t.quiet();
    const { messages } = await t.call(bob, 'message.history', { to: '#lobby' });
    expect(messages.map(({ seq, text }) => [seq, text])).toEqual([
      [1, 'x'],
      [2, 'y'],
    ]);
    expect(bob.seqs('#lobby')).toEqual([1, 2]);
  });

  it('stores one message of many that are sent at once with one key', async () => {
    const { t, alice } = await three();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        t.call(alice, 'message.send', { to: '#lobby', text: `x${index}`, key: 'k' }),
      ),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect((await t.call(alice, 'message.history', { to: '#lobby' })).last_seq).toBe(1);
  });
});

describe('a direct conversation', () => {
  it('8.2.2: is seen by its two and by nobody else', async () => {
    const { t, alice, bob, carol } = await three();
    await t.call(carol, 'conversation.follow', {});
    const { id } = await t.call(alice, 'message.send', { to: '@bob', text: 'between us' });
    await t.call(bob, 'message.send', { to: '@ALICE', text: 'yes' });
    const texts = async (connection: typeof alice, to: string) =>
      (await t.call(connection, 'message.history', { to })).messages.map((one) => [
        one.to,
        one.sender,
        one.text,
      ]);
    expect(await texts(alice, '@bob')).toEqual([
      ['@bob', 'alice', 'between us'],
      ['@bob', 'bob', 'yes'],
    ]);
    expect(await texts(bob, '@alice')).toEqual([
      ['@alice', 'alice', 'between us'],
      ['@alice', 'bob', 'yes'],
    ]);
    expect(await texts(carol, '@alice')).toEqual([]);
    expect(await texts(carol, '@bob')).toEqual([]);
    expect(await texts(carol, '@carol')).toEqual([]);
    expect(await refusal(t.call(carol, 'conversation.follow', { to: '@alice', after_id: id }))).toMatchObject(
      { code: 'not-found', field: 'after_id' },
    );
    await t.quiet();
    expect(carol.told('message')).toEqual([]);
  });
});

describe('message.history', () => {
  it('answers the pages between after and before, from either end', async () => {
    const { t, alice } = await three();
    for (let one = 1; one <= 7; one++) await t.call(alice, 'message.send', { to: '#lobby', text: `${one}` });
    const table: Array<[object, number[]]> = [
      [{}, [1, 2, 3, 4, 5, 6, 7]],
      [{ limit: 3 }, [1, 2, 3]],
      [{ limit: 3, newest: true }, [5, 6, 7]],
      [{ after: 5 }, [6, 7]],
      [{ after: 7 }, []],
      [{ after: 0, limit: 1 }, [1]],
      [{ before: 3 }, [1, 2]],
      [{ before: 1 }, []],
      [{ before: 0 }, []],
      [{ after: 2, before: 6 }, [3, 4, 5]],
      [{ after: 2, before: 6, limit: 2, newest: true }, [4, 5]],
      [{ after: 6, before: 2 }, []],
      [{ after: Number.MAX_SAFE_INTEGER }, []],
    ];
    for (const [page, seqs] of table) {
      const answer = await t.call(alice, 'message.history', { to: '#lobby', ...page });
      expect([page, answer.messages.map(({ seq }) => seq), answer.last_seq]).toEqual([page, seqs, 7]);
    }
  });

  it('is refused to who is not in the room', async () => {
    const { t, alice, bob } = await three();
    await t.call(alice, 'room.create', { room: 'tea' });
    expect(await refusal(t.call(bob, 'message.history', { to: '#tea' }))).toEqual(notMember);
    expect(await refusal(t.call(bob, 'message.history', { to: '#none' }))).toEqual(noRoom);
    expect(await refusal(t.call(bob, 'message.history', { to: '@none' }))).toEqual(noUser);
    await t.call(bob, 'room.join', { room: 'tea' });
    expect(await t.call(bob, 'message.history', { to: '#tea' })).toEqual({
      to: '#tea',
      messages: [],
      last_seq: 0,
    });
  });
});

describe('two who have not written to each other', () => {
  const lobbyAlone = [{ to: '#lobby', last_seq: 0, read_seq: 0 }];

  it('have no conversation by looking for one, and one from the first message on, which a follower hears', async () => {
    const { t, alice, bob } = await three();
    const looking = [
      ['message.history', { to: '@bob' }, { to: '@bob', messages: [], last_seq: 0 }],
      ['message.search', { q: 'hello', to: '@bob' }, { messages: [], next: null, complete: true }],
      ['conversation.mark-read', { to: '@bob', seq: 0 }, { to: '@bob', read_seq: 0 }],
      ['conversation.unfollow', { to: '@bob' }, {}],
      ['message.history', { to: '@alice' }, { to: '@alice', messages: [], last_seq: 0 }],
    ] as const;
    for (const [name, params, answer] of looking) expect(await t.send(alice, name, params)).toEqual(answer);
    for (const connection of [alice, bob])
      expect((await t.call(connection, 'conversation.list', {})).conversations).toEqual(lobbyAlone);
    const mark = t.call(alice, 'conversation.mark-read', { to: '@bob', seq: 1 });
    expect(await refusal(mark)).toEqual({
      code: 'invalid',
      message: 'seq: the last message is number 0',
      field: 'seq',
    });
    // A cursor of a conversation that is none yet stands at its beginning.
    const following = await t.call(alice, 'conversation.follow', { cursors: { '@bob': 0 } });
    expect(following.following).toEqual([{ to: '#lobby', after: 0 }]);
    await t.call(bob, 'message.send', { to: '@alice', text: 'hello' });
    await t.quiet();
    expect(alice.told('message')).toMatchObject([{ to: '@bob', seq: 1, text: 'hello' }]);
    expect((await t.call(alice, 'message.history', { to: '@bob' })).last_seq).toBe(1);
    expect((await t.call(alice, 'conversation.list', {})).conversations).toHaveLength(2);
  });

  it('hear the first message where one of them follows the other', async () => {
    const { t, alice, bob } = await three();
    expect((await t.call(alice, 'conversation.follow', { to: '@bob' })).following).toEqual([
      { to: '@bob', after: 0 },
    ]);
    await t.call(bob, 'message.send', { to: '@alice', text: 'hello' });
    await t.quiet();
    expect(alice.told('message')).toMatchObject([{ to: '@bob', seq: 1, text: 'hello' }]);
  });
});

describe('the read marker', () => {
  it('moves forward, never back, and not beyond the last message', async () => {
    const { t, alice, bob } = await three();
    for (let one = 0; one < 5; one++) await t.call(alice, 'message.send', { to: '#lobby', text: 'x' });
    const mark = (seq: number) => t.call(bob, 'conversation.mark-read', { to: '#lobby', seq });
    expect(await mark(0)).toEqual({ to: '#lobby', read_seq: 0 });
    expect(await mark(3)).toEqual({ to: '#lobby', read_seq: 3 });
    expect(await mark(2)).toEqual({ to: '#lobby', read_seq: 3 });
    expect(await mark(5)).toEqual({ to: '#lobby', read_seq: 5 });
    expect(await refusal(mark(6))).toEqual({
      code: 'invalid',
      message: 'seq: the last message is number 5',
      field: 'seq',
    });
    const list = async (connection: typeof alice) =>
      (await t.call(connection, 'conversation.list', {})).conversations;
    expect(await list(bob)).toEqual([{ to: '#lobby', last_seq: 5, read_seq: 5 }]);
    expect(await list(alice)).toEqual([{ to: '#lobby', last_seq: 5, read_seq: 0 }]);
  });
});

describe('a room', () => {
  it('is made with its maker in it; a second one of the name, in any spelling, is a conflict', async () => {
    const { t, alice, bob } = await three();
    expect(await t.call(alice, 'room.create', { room: '#Tea' })).toEqual({ room: '#tea' });
    for (const room of ['tea', '#TEA']) {
      expect(await refusal(t.call(bob, 'room.create', { room }))).toEqual({
        code: 'conflict',
        message: 'there is a room #tea already',
        field: 'room',
      });
    }
    expect(await refusal(t.call(bob, 'room.create', { room: 'lobby' }))).toMatchObject({ code: 'conflict' });
    expect(await t.call(bob, 'room.members', { room: 'tea' })).toEqual({
      members: [{ username: 'alice', online: true }],
      next: null,
    });
  });

  it('is joined once and left once', async () => {
    const { t, alice, bob } = await three();
    await t.call(alice, 'room.create', { room: 'tea' });
    expect(await t.call(bob, 'room.join', { room: '#tea' })).toEqual({ room: '#tea', joined: true });
    expect(await t.call(bob, 'room.join', { room: 'tea' })).toEqual({ room: '#tea', joined: false });
    await t.call(bob, 'message.send', { to: '#tea', text: 'x' });
    expect(await t.call(bob, 'room.leave', { room: 'tea' })).toEqual({ room: '#tea' });
    expect(await refusal(t.call(bob, 'room.leave', { room: 'tea' }))).toEqual({
      code: 'conflict',
      message: 'you are not in #tea',
      field: 'room',
    });
    expect(await refusal(t.call(bob, 'message.send', { to: '#tea', text: 'x' }))).toEqual(notMember);
    for (const name of ['room.join', 'room.leave', 'room.members'] as const) {
      expect(await refusal(t.call(bob, name, { room: 'none' }))).toEqual({
        code: 'not-found',
        message: 'there is no room #none',
        field: 'room',
      });
    }
  });

  it('that is the lobby has everybody in it, and nobody leaves', async () => {
    const { t, bob } = await three();
    expect(await refusal(t.call(bob, 'room.leave', { room: 'lobby' }))).toEqual({
      code: 'forbidden',
      message: 'everybody is in the lobby, always',
      field: 'room',
    });
    expect(await t.call(bob, 'room.join', { room: 'lobby' })).toEqual({ room: '#lobby', joined: false });
    bob.leave();
    await t.quiet();
    const carol = await loggedIn(t, 'carol');
    expect(await t.call(carol, 'room.members', { room: 'lobby', limit: 2 })).toEqual({
      members: [
        { username: 'alice', online: true },
        { username: 'bob', online: false },
      ],
      next: 'bob',
    });
    expect(await t.call(carol, 'room.members', { room: 'lobby', limit: 2, after: 'bob' })).toEqual({
      members: [{ username: 'carol', online: true }],
      next: null,
    });
  });

  it('is listed with how many are in it and whether the caller is, page by page', async () => {
    const { t, alice, bob } = await three();
    for (const room of ['tea', 'art']) await t.call(alice, 'room.create', { room });
    await t.call(alice, 'message.send', { to: '#art', text: 'x' });
    await t.call(bob, 'room.join', { room: 'tea' });
    expect(await t.call(bob, 'room.list', { limit: 2 })).toEqual({
      rooms: [
        { room: '#art', members: 1, member: false, last_seq: 1 },
        { room: '#lobby', members: 3, member: true, last_seq: 0 },
      ],
      next: '#lobby',
    });
    expect(await t.call(bob, 'room.list', { limit: 2, after: '#lobby' })).toEqual({
      rooms: [{ room: '#tea', members: 2, member: true, last_seq: 0 }],
      next: null,
    });
  });

  it('is made once by many who ask at once', async () => {
    const { t, alice, bob, carol } = await three();
    const outcomes = await Promise.allSettled(
      [alice, bob, carol].map((connection) => t.call(connection, 'room.create', { room: 'tea' })),
    );
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await refusal(t.call(peer(), 'room.join', { room: 'tea' }))).toMatchObject({
      code: 'unauthenticated',
    });
  });
});
