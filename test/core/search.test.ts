import { describe, expect, it } from 'vitest';
import { searchRows } from '../../src/core/policy.ts';
import { loggedIn, openChat, peer, refusal, register, type TestChat } from './support/chat.ts';

async function two(): Promise<{
  t: TestChat;
  alice: Awaited<ReturnType<typeof loggedIn>>;
  bob: Awaited<ReturnType<typeof loggedIn>>;
}> {
  const t = await openChat({ policy: { messagesPerSecond: 0, searchesPerMinute: 0 } });
  await register(t, 'alice', 'bob');
  return { t, alice: await loggedIn(t, 'alice'), bob: await loggedIn(t, 'bob') };
}

describe('message.search', () => {
  it('finds in everything that the caller may read, newest first, each with its conversation', async () => {
    const { t, alice, bob } = await two();
    await t.call(alice, 'room.create', { room: 'tea' });
    await t.call(alice, 'message.send', { to: '#lobby', text: 'Green build' });
    await t.call(alice, 'message.send', { to: '#tea', text: 'green tea' });
    await t.call(alice, 'message.send', { to: '@bob', text: 'the green one' });
    const { id } = await t.call(bob, 'message.send', { to: '@alice', text: 'GREEN, you said?' });
    const { messages, next, complete } = await t.call(alice, 'message.search', { q: 'green' });
    expect(messages.map(({ to, sender, text }) => [to, sender, text])).toEqual([
      ['@bob', 'bob', 'GREEN, you said?'],
      ['@bob', 'alice', 'the green one'],
      ['#tea', 'alice', 'green tea'],
      ['#lobby', 'alice', 'Green build'],
    ]);
    expect(messages[0]).toEqual({
      to: '@bob',
      seq: 2,
      id,
      sender: 'bob',
      sent_at: expect.stringMatching(/Z$/),
      text: 'GREEN, you said?',
    });
    expect({ next, complete }).toEqual({ next: null, complete: true });
    const bobs = await t.call(bob, 'message.search', { q: 'green' });
    expect(bobs.messages.map(({ to }) => to)).toEqual(['@alice', '@alice', '#lobby']);
  });

  it('is bound to one conversation by to, as the caller may read it', async () => {
    const { t, alice, bob } = await two();
    await t.call(alice, 'room.create', { room: 'tea' });
    await t.call(alice, 'message.send', { to: '#lobby', text: 'green' });
    await t.call(alice, 'message.send', { to: '#tea', text: 'green' });
    const inTea = await t.call(alice, 'message.search', { q: 'green', to: '#tea' });
    expect(inTea.messages.map(({ to }) => to)).toEqual(['#tea']);
    expect(await refusal(t.call(bob, 'message.search', { q: 'green', to: '#tea' }))).toEqual({
      code: 'forbidden',
      message: 'you are not in #tea: join it first',
      field: 'to',
    });
    expect(await refusal(t.call(bob, 'message.search', { q: 'green', to: '@none' }))).toEqual({
      code: 'not-found',
      message: 'there is no user @none',
      field: 'to',
    });
  });

  it('answers pages that together are all of it, once each, whatever the time of the messages', async () => {
    const { t, alice } = await two();
    await t.call(alice, 'room.create', { room: 'tea' });
    const sent: string[] = [];
    for (let i = 0; i < 30; i++) {
      const to = ['#lobby', '#tea', '@bob'][i % 3] ?? '';
      sent.push((await t.call(alice, 'message.send', { to, text: `number ${i}` })).id);
    }
    for (const limit of [1, 7, 30]) {
      const pages: string[][] = [];
      let before: { before?: string } = {};
      for (;;) {
        const { messages, next } = await t.call(alice, 'message.search', { q: 'number', limit, ...before });
        pages.push(messages.map(({ id }) => id));
        expect(messages.length).toBeLessThanOrEqual(limit);
        if (next === null) break;
        expect(next).toBe(messages.at(-1)?.id);
        before = { before: next };
      }
      expect(pages).toHaveLength(Math.ceil(30 / limit));
      expect(pages.flat().sort()).toEqual([...sent].sort());
    }
  });

  it('asks the store seldom, however many conversations there are', async () => {
    let asked = 0;
    const t = await openChat({
      policy: { messagesPerSecond: 0, joinsPerMinute: 0 },
      store: (store) => ({
        ...store,
        searchMessages: (query) => {
          asked += 1;
          return store.searchMessages(query);
        },
      }),
    });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    for (let index = 0; index < 60; index++) {
      await t.call(alice, 'room.create', { room: `room${index}` });
      await t.call(alice, 'message.send', { to: `#room${index}`, text: `word${index % 20} everywhere` });
    }
    const search = async (q: string): Promise<string[]> => {
      const { messages, complete } = await t.call(alice, 'message.search', { q, limit: 5 });
      expect(complete).toBe(true);
      return messages.map(({ to }) => to);
    };
    expect(await search('absent')).toEqual([]);
    // A message that is not in the index yet costs as much as a part that is.
    expect(asked).toBeLessThanOrEqual(60 / 8 + 1);
    expect(await search('word7')).toEqual(['#room47', '#room27', '#room7']);
    asked = 0;
    expect(await search('everywhere')).toEqual(['#room59', '#room58', '#room57', '#room56', '#room55']);
    expect(asked).toBe(1);
  });

  it.each([
    [{ q: '' }, 'invalid', 'nothing to search for: give a word of letters or digits', 'q'],
    [{ q: '"open' }, 'invalid', 'a quoted phrase has no end: close it with another "', 'q'],
    [{ q: 'x'.repeat(513) }, 'invalid', 'a search has at most 512 characters, this one has 513', 'q'],
  ])('refuses %j', async (input, code, message, field) => {
    const { t, alice } = await two();
    expect(await refusal(t.call(alice, 'message.search', input))).toEqual({ code, message, field });
  });

  it('answers as many as it may at most, and refuses to be asked for more', async () => {
    const { t, alice } = await two();
    expect(await t.call(alice, 'message.search', { q: 'x', limit: searchRows.most })).toMatchObject({
      messages: [],
    });
    expect(
      await refusal(t.call(alice, 'message.search', { q: 'x', limit: searchRows.most + 1 })),
    ).toMatchObject({
      code: 'invalid',
      field: 'limit',
    });
    expect(await refusal(t.call(alice, 'message.search', { q: 'x', limit: 0 }))).toMatchObject({
      field: 'limit',
    });
  });

  it('does not say whether there is a message that the caller may not read', async () => {
    const { t, alice, bob } = await two();
    const own = await t.call(alice, 'message.send', { to: '@alice', text: 'mine' });
    const none = '01a1fe49-a9c4-7454-9e2c-95bfd22ef30a';
    for (const before of [own.id, none])
      expect(await refusal(t.call(bob, 'message.search', { q: 'mine', before }))).toEqual({
        code: 'not-found',
        message: `there is no message ${before}: search again`,
        field: 'before',
      });
  });

  it('counts against its limit', async () => {
    const t = await openChat({ policy: { searchesPerMinute: 1 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'message.search', { q: 'x' });
    expect(await refusal(t.call(alice, 'message.search', { q: 'x' }))).toMatchObject({
      code: 'rate-limited',
    });
  });

  it('is for those who are logged in', async () => {
    const t = await openChat();
    expect(await refusal(t.call(peer(), 'message.search', { q: 'x' }))).toMatchObject({
      code: 'unauthenticated',
    });
  });
});
