import { describe, expect, it } from 'vitest';
import type { WireMessage } from '../../src/client/connection.ts';
import { type HistoryOptions, history } from '../../src/client/history.ts';
import { refusal, whole } from './support/connected.ts';
import { FakeChat, instantOf } from './support/fake-chat.ts';

async function started(count: number): Promise<FakeChat> {
  const chat = await FakeChat.start();
  for (let n = 1; n <= count; n++) chat.store('#lobby', `text ${n}`);
  return chat;
}

async function seqs(
  chat: FakeChat,
  options: Pick<HistoryOptions, 'from'> & Partial<HistoryOptions>,
  onMessage: (message: WireMessage) => void = () => {},
): Promise<number[]> {
  const found: number[] = [];
  for await (const message of history({ connection: await chat.open(), to: '#lobby', ...options })) {
    onMessage(message);
    found.push(message.seq);
  }
  return found;
}

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe('history', () => {
  it.each<[string, HistoryOptions['from'], number[]]>([
    ['the beginning', { after: 0 }, range(1, 250)],
    ['a position', { after: 240 }, range(241, 250)],
    ['the last message', { after: 250 }, []],
    ['beyond it', { after: 251 }, []],
    ['the last three', { last: 3 }, range(248, 250)],
    ['none', { last: 0 }, []],
    ['more than there are', { last: 1_000 }, range(1, 250)],
    ['a moment', { since: instantOf(150) }, range(150, 250)],
    ['a message', { after_id: 'id-lobby-99' }, range(100, 250)],
    ['now', { now: true }, []],
  ])('from %s is complete and in order', async (_, from, expected) => {
    expect(await seqs(await started(250), { from })).toEqual(expected);
  });

  it.each<[HistoryOptions['from'], number, number]>([
    [{ last: 3 }, 250, 247],
    [{ last: 0 }, 250, 250],
    [{ since: instantOf(150) }, 250, 149],
    [{ after: 251 }, 250, 251],
    [{ last: 3 }, 0, 0],
  ])(
    'from %j says where it begins before its first message, also when there is none',
    async (from, count, start) => {
      const told: (number | 'message')[] = [];
      const onStart = (after: number) => told.push(after);
      await seqs(await started(count), { from, onStart }, () => told.push('message'));
      expect(told).toEqual([start, ...Array(Math.max(0, count - start)).fill('message')]);
    },
  );

  it('of an empty conversation is empty', async () => {
    expect(await seqs(await started(0), { from: { after: 0 } })).toEqual([]);
  });

  it.each([0, 1, 99, 100, 101, 200])('of at most %i has so many', async (limit) => {
    expect(await seqs(await started(150), { from: { after: 0 }, limit })).toEqual(
      range(1, Math.min(limit, 150)),
    );
  });

  it('ends where it ended at the start, whatever is sent meanwhile', async () => {
    const chat = await started(250);
    expect(await seqs(chat, { from: { after: 0 } }, () => void chat.store('#lobby', 'new'))).toEqual(
      range(1, 250),
    );
  });

  it('gives the messages whole', async () => {
    const chat = await started(1);
    const found: WireMessage[] = [];
    await seqs(chat, { from: { after: 0 }, to: '#Lobby' }, (message) => void found.push(message));
    expect(found).toEqual([
      { to: '#lobby', seq: 1, id: 'id-lobby-1', sender: 'bob', sent_at: instantOf(1), text: 'text 1' },
    ]);
  });

  it('stops following what it followed only to find a moment', async () => {
    const chat = await started(3);
    await seqs(chat, { from: { since: instantOf(2) } });
    expect(chat.calls.map(({ method, params }) => [method, params])).toEqual([
      ['login.resume', { session_token: 'cs1_token' }],
      ['message.history', { to: '#lobby', limit: 1, newest: true }],
      ['conversation.follow', { to: '#lobby', since: instantOf(2) }],
      ['conversation.unfollow', { to: '#lobby' }],
      ['message.history', { to: '#lobby', after: 1, limit: 2 }],
    ]);
  });

  it('from a server that leaves one out is unavailable, and says which', async () => {
    const chat = await started(250);
    chat.log.get('#lobby')?.splice(149, 1, ...(chat.log.get('#lobby') ?? []).slice(150, 151));
    const error = await refusal(seqs(chat, { from: { after: 0 } }));
    expect(error.code).toBe('unavailable');
    expect(error.message).toContain('a page without message 150 of #lobby');
  });

  it('from a server that has less than it says is unavailable', async () => {
    const chat = await started(10);
    let calls = 0;
    chat.onCall = (request, peer) => {
      if (request.method !== 'message.history') return 'serve';
      calls += 1;
      peer.result(request, { to: '#lobby', messages: [], last_seq: 10 });
      return 'ignore';
    };
    expect((await refusal(seqs(chat, { from: { after: 0 } }))).message).toContain('a page without message 1');
    expect(calls).toBe(2);
  });

  it('that is refused throws what the server says', async () => {
    const chat = await started(1);
    chat.onCall = ({ method }) =>
      method === 'message.history' ? { code: 'not-found', message: 'no such room' } : 'serve';
    expect(whole(await refusal(seqs(chat, { from: { after: 0 } })))).toEqual({
      code: 'not-found',
      text: 'no such room',
    });
  });

  it('can be left in the middle', async () => {
    const chat = await started(250);
    const connection = await chat.open();
    for await (const { seq } of history({ connection, to: '#lobby', from: { after: 0 } }))
      if (seq === 50) break;
    expect(await connection.call('ping', {})).toEqual({});
  });
});
