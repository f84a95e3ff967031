import { describe, expect, it } from 'vitest';
import { connectWebSocket } from '../support/websocket.ts';
import { type ChatAtPort, chatAtPort } from './support/real-chat.ts';

const password = 'words of sam';
const client = '198.51.100.7';

/** One POST of JSON, by way of a proxy that says it is from `from`. */
async function post(
  { port }: ChatAtPort,
  path: string,
  body: object,
  from?: string,
): Promise<{ status: number; body: Record<string, string> }> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(from !== undefined && { 'X-Forwarded-For': from }) },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, string> };
}

const login = { username: 'sam', password };
const wrong = { username: 'sam', password: 'no such words' };

const addresses = ({ t }: ChatAtPort, operation: string) =>
  t.audit.filter((entry) => entry.operation === operation).map(({ address }) => address);

/** The addresses that sam's sessions were opened from. */
async function sessionAddresses(at: ChatAtPort, token: string): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${at.port}/api/auth/sessions`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  const { sessions } = (await answer.json()) as { sessions: { address: string }[] };
  return sessions.map(({ address }) => address).sort();
}

describe('behind a trusted proxy', () => {
  const proxies = ['127.0.0.0/8'];

  it('audit and sessions have the client’s address, at the API, with cookies and over WebSocket', async () => {
    const at = await chatAtPort({ proxies });
    await at.register('sam', password);
    const { body } = await post(at, '/api/auth/login', login, `9.9.9.9, ${client}`);
    await post(at, '/login', login, '2001:DB8::9');
    const { session_token = '' } = body;
    expect(await sessionAddresses(at, session_token)).toEqual([client, '2001:db8::9']);
    expect(addresses(at, 'login.password')).toEqual([client, '2001:db8::9']);
    const socket = await connectWebSocket(at.port, { headers: { 'X-Forwarded-For': '198.51.100.8' } });
    socket.say(JSON.stringify({ type: 'Authenticate', user_id: body.user_id, session_token }));
    await socket.messageCount(1);
    expect(addresses(at, 'login.resume')).toEqual(['198.51.100.8']);
  });

  it('limits are each client’s own, over all of them, and the proxy’s when it names nobody', async () => {
    const at = await chatAtPort({ proxies, policy: { loginsPerMinute: 2 } });
    const tries = async (from?: string) => (await post(at, '/api/auth/login', wrong, from)).status;
    expect([await tries(client), (await post(at, '/login', wrong, client)).status]).toEqual([401, 401]);
    expect([await tries(client), (await post(at, '/login', wrong, client)).status]).toEqual([429, 429]);
    const socket = await connectWebSocket(at.port, { headers: { 'X-Forwarded-For': client } });
    socket.call(1, 'login.password', wrong);
    await socket.messageCount(1);
    expect(socket.messages).toMatchObject([{ error: { data: { code: 'rate-limited' } } }]);
    expect([await tries('198.51.100.8'), await tries(), await tries('nonsense'), await tries()]).toEqual([
      401, 401, 401, 429,
    ]);
  });

  it('each request of one connection is its own client’s', async () => {
    const at = await chatAtPort({ proxies, policy: { loginsPerMinute: 1 } });
    // `fetch` keeps its connection.
    for (let last = 1; last <= 5; last++) {
      expect((await post(at, '/api/auth/login', wrong, `203.0.113.${last}`)).status).toBe(401);
    }
  });
});

describe('4.1.3: behind a balancer with the PROXY protocol', () => {
  it.each([
    ['nobody, version 1', Buffer.from('PROXY UNKNOWN\r\n'), '127.0.0.1'],
    ['nobody, version 2', Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'), '127.0.0.1'],
    ['a client', Buffer.from('PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n'), '192.0.2.9'],
    ['one of the proxies', Buffer.from('PROXY TCP4 127.0.0.9 192.0.2.1 1 2\r\n'), '127.0.0.9'],
  ])('a forwarded address is ignored when its header names %s', async (_, header, address) => {
    const at = await chatAtPort({ proxies: ['127.0.0.0/8'], readsProxyHeader: true });
    const socket = await at.connect();
    const body = JSON.stringify(wrong);
    socket.write(header);
    socket.write(
      `POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: ${client}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(() => socket.text).toContain('401');
    expect(addresses(at, 'login.password')).toEqual([address]);
    socket.socket.destroy();
  });
});

describe('4.1.3: from a stranger', () => {
  it.each([[[]], [['198.51.100.0/24']]])(
    'a forwarded address is ignored, with proxies %j',
    async (proxies) => {
      const at = await chatAtPort({ proxies, policy: { loginsPerMinute: 4 } });
      await at.register('sam', password);
      const { body } = await post(at, '/api/auth/login', login, client);
      await post(at, '/login', login, client);
      const { session_token = '', user_id } = body;
      const socket = await connectWebSocket(at.port, { headers: { 'X-Forwarded-For': client } });
      socket.say(JSON.stringify({ type: 'Authenticate', user_id, session_token }));
      await socket.messageCount(1);
      expect(await sessionAddresses(at, session_token)).toEqual(['127.0.0.1', '127.0.0.1']);
      expect([...addresses(at, 'login.password'), ...addresses(at, 'login.resume')]).toEqual([
        '127.0.0.1',
        '127.0.0.1',
        '127.0.0.1',
      ]);
      expect((await post(at, '/api/auth/login', wrong, '203.0.113.1')).status).toBe(401);
      expect((await post(at, '/api/auth/login', wrong, '203.0.113.2')).status).toBe(429);
    },
  );

  it('no other header says where a request came from, whoever sends it', async () => {
    const at = await chatAtPort({ proxies: ['127.0.0.1/32'] });
    await fetch(`http://127.0.0.1:${at.port}/api/auth/login`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Forwarded: `for=${client}`,
        'X-Real-IP': client,
        'X-Client-IP': client,
        'CF-Connecting-IP': client,
      },
      body: JSON.stringify(wrong),
    });
    expect(addresses(at, 'login.password')).toEqual(['127.0.0.1']);
  });
});
