import { describe, expect, it } from 'vitest';
import { FakePeer } from '../../core/support/chat.ts';
import { until } from '../support/until.ts';
import { connectWebSocket } from '../support/websocket.ts';
import { httpClient } from './support/http.ts';
import { type ChatAtPort, chatAtPort } from './support/real-chat.ts';

interface Found {
  readonly messages: ReadonlyArray<{ readonly to: string; readonly text: string }>;
  readonly next: string | null;
}

/** Searches through one door; answers what was found, or the code of the refusal. */
type Search = (query: Readonly<Record<string, string | number>>) => Promise<Found | string>;

/** What came back over JSON-RPC. */
function answered(frame: unknown): Found | string {
  const { result, error } = frame as { result?: Found; error?: { data: { code: string } } };
  return result ?? error?.data.code ?? 'nothing';
}

/** Every door that carries a search, each for who has this token. */
const doors: Readonly<Record<string, (at: ChatAtPort, token: string) => Promise<Search>>> = {
  async http(at, token) {
    const client = await httpClient(at.port);
    return async (query) => {
      const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, `${value}`]));
      const { status, body } = await client.ask('GET', `/api/search?${text}`, { token });
      return status === 200 ? (body as Found) : (body as { code: string }).code;
    };
  },
  line: (at, token) => overLines(at, token, 'tcp'),
  'line over TLS': (at, token) => overLines(at, token, 'tls'),
  async websocket(at, token) {
    const socket = await connectWebSocket(at.port);
    const call = async (method: string, params: object) => {
      const count = socket.messages.length;
      socket.say(JSON.stringify({ jsonrpc: '2.0', id: count, method, params }));
      await socket.messageCount(count + 1);
      return socket.messages[count];
    };
    await call('login.resume', { session_token: token });
    return async (query) => answered(await call('message.search', query));
  },
};

async function overLines(at: ChatAtPort, token: string, way: 'tcp' | 'tls'): Promise<Search> {
  const client = await at.connect(way);
  const call = async (method: string, params: object) => {
    const count = client.frames.length;
    client.call(count, method, params);
    await until(() => client.frames.length > count);
    return client.frames[count];
  };
  await call('login.resume', { session_token: token });
  return async (query) => answered(await call('message.search', query));
}

/** Somebody with an account and a session. */
async function person(at: ChatAtPort, username: string) {
  const peer = new FakePeer();
  const password = 'words of a person';
  await at.register(username, password);
  const { session_token: token } = await at.t.call(peer, 'login.password', { username, password });
  return { peer, token, send: (to: string, text: string) => at.t.call(peer, 'message.send', { to, text }) };
}

/** What was found, without what is another each time. */
function textsOf(found: Found | string): string[] | string {
  return typeof found === 'string' ? found : found.messages.map(({ to, text }) => `${to} ${text}`);
}

describe.each(Object.entries(doors))('a search through the door %s', (_, open) => {
  it('8.2.2: shows what the caller may read, and of no other conversation that there is anything', async () => {
    const at = await chatAtPort();
    const [sam, eve, mallory] = [
      await person(at, 'sam'),
      await person(at, 'eve'),
      await person(at, 'mallory'),
    ];
    await at.t.call(sam.peer, 'room.create', { room: 'tea' });
    for (const { peer } of [eve, mallory]) await at.t.call(peer, 'room.join', { room: 'tea' });
    await sam.send('#lobby', 'secret for all');
    await sam.send('#tea', 'secret of the room');
    await sam.send('@eve', 'secret for eve');
    await eve.send('@sam', 'secret for sam');
    const id = (await sam.send('@eve', 'secret again')).id;
    await at.t.call(mallory.peer, 'room.leave', { room: 'tea' });
    const [ofSam, ofEve, ofMallory] = [
      await open(at, sam.token),
      await open(at, eve.token),
      await open(at, mallory.token),
    ];

    expect(textsOf(await ofSam({ q: 'secret' }))).toEqual([
      '@eve secret again',
      '@eve secret for sam',
      '@eve secret for eve',
      '#tea secret of the room',
      '#lobby secret for all',
    ]);
    expect(textsOf(await ofEve({ q: 'secret', to: '@sam' }))).toEqual([
      '@sam secret again',
      '@sam secret for sam',
      '@sam secret for eve',
    ]);
    // Who has left the room is where everybody else is.
    expect(textsOf(await ofMallory({ q: 'secret' }))).toEqual(['#lobby secret for all']);
    expect(await ofMallory({ q: 'secret', to: '#tea' })).toBe('forbidden');
    for (const to of ['@sam', '@eve']) expect(textsOf(await ofMallory({ q: 'secret', to }))).toEqual([]);
    // Another pair's message is no place to begin at, as one that does not exist is none.
    for (const before of [id, '00000000-0000-7000-8000-000000000000']) {
      expect(await ofMallory({ q: 'secret', before })).toBe('not-found');
    }
    // Back in the room its messages are there again, and a message that is new is found at once.
    await at.t.call(mallory.peer, 'room.join', { room: 'tea' });
    await sam.send('#tea', 'secret of late');
    expect(textsOf(await ofMallory({ q: 'secret', to: '#tea' }))).toEqual([
      '#tea secret of late',
      '#tea secret of the room',
    ]);
  });

  it('goes on page by page without a gap or a repeat, and not for who has no session', async () => {
    const at = await chatAtPort();
    const sam = await person(at, 'sam');
    for (let n = 1; n <= 5; n++) await sam.send('#lobby', `number ${n}`);
    const search = await open(at, sam.token);
    const texts: unknown[] = [];
    let before: string | null | undefined;
    for (let page = 0; page < 3; page++) {
      const found = await search({ q: 'number', limit: 2, ...(before && { before }) });
      if (typeof found === 'string') throw new Error(found);
      texts.push(found.messages.map(({ text }) => text));
      before = found.next;
    }
    expect(texts).toEqual([['number 5', 'number 4'], ['number 3', 'number 2'], ['number 1']]);
    expect(before).toBeNull();
    const stranger = await open(at, `cs1_${'A'.repeat(43)}`);
    expect(await stranger({ q: 'number' })).toBe('unauthenticated');
  });
});
