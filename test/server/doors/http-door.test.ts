import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type * as z from 'zod';
import { httpRoutes } from '../../../src/core/codecs/http-json.ts';
import { operationOf } from '../../../src/core/codecs/openapi.ts';
import { fromBase64 } from '../../../src/core/crypto/bytes.ts';
import { beginLogin, type ChannelBinding } from '../../../src/core/crypto/scram-client.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import type { Calls } from '../../../src/server/doors/door.ts';
import { authSecret, FakePeer, registration, password as usualPassword } from '../../core/support/chat.ts';
import { connectClear } from '../support/client.ts';
import { listening } from '../support/listening.ts';
import { until } from '../support/until.ts';
import {
  type Asking,
  good,
  type HttpAnswer,
  HttpClient,
  httpClient,
  problems,
  refusedWith,
  standing,
} from './support/http.ts';
import { type ChatAtPort, chatAtPort } from './support/real-chat.ts';

afterEach(() => void vi.useRealTimers());

const password = 'words of a person';
const { invalid, unauthenticated, forbidden, notFound, conflict } = problems;
const badToken = refusedWith(unauthenticated, 'the session is unknown, expired or revoked');
const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const sessionToken = expect.stringMatching(/^cs1_[\w-]{43}$/);
const refreshToken = expect.stringMatching(/^cr1_[\w-]{43}$/);

/** What a login or registration answered. */
interface Opened {
  readonly user_id: string;
  readonly username: string;
  readonly session_token: string;
  readonly refresh_token: string;
  readonly session_id: string;
  readonly device_id: string;
  readonly expires_at: string;
}

/** An open account with a session, and a connection to ask on. */
interface Person extends Opened {
  readonly http: HttpClient;
  /** Asks with this person's token. */
  ask(method: string, path: string, asking?: Asking): Promise<HttpAnswer>;
}

async function person(at: ChatAtPort, username: string): Promise<Person> {
  await at.register(username, password);
  const http = await httpClient(at.port);
  const { status, body } = await http.ask('POST', '/api/auth/login', { body: { username, password } });
  if (status !== 200) throw new Error(JSON.stringify(body));
  const opened = body as Opened;
  return {
    ...opened,
    http,
    ask: (method, path, asking) => http.ask(method, path, { token: opened.session_token, ...asking }),
  };
}

/** A chat with these people in it. */
async function chatWith<N extends string>(...names: N[]): Promise<ChatAtPort & Record<N, Person>> {
  const at = await chatAtPort();
  const people: Partial<Record<N, Person>> = {};
  for (const name of names) people[name] = await person(at, name);
  return { ...at, ...(people as Record<N, Person>) };
}

/** A sentence that begins with the field that it is about. */
function sentenceOf(name: string): string {
  return expect.stringMatching(new RegExp(`^${name}: `)) as unknown as string;
}

/** What an answer must be made of: the route's own schema, which lets nothing else through. */
function conforms(method: string, path: string, { body }: HttpAnswer): void {
  const route = httpRoutes.find((one) => one.method === method && one.path === path);
  if (!route) throw new Error(`no route ${method} ${path}`);
  expect(((route.output ?? operationOf(route).output) as z.ZodType).parse(body)).toEqual(body);
}

/** An answer without what is another each time. */
function field(answer: HttpAnswer, name: string): unknown {
  return (answer.body as Record<string, unknown>)[name];
}

describe('registration over HTTP', () => {
  it('makes an account with a name and an address, and opens its first session', async () => {
    const at = await chatAtPort();
    const http = await httpClient(at.port);
    const answer = await http.ask('POST', '/api/auth/register', {
      body: { username: 'Sam', email: 'sam@example.org', password, device: { label: 'laptop' } },
    });
    expect(answer).toEqual(
      good(201, {
        user_id: uuid,
        username: 'sam',
        auth_token: sessionToken,
        refresh_token: refreshToken,
        expires_at: time,
        session_id: uuid,
        device_id: uuid,
      }),
    );
    conforms('POST', '/api/auth/register', answer);
    const token = field(answer, 'auth_token') as string;
    const me = await http.ask('GET', '/api/account', { token });
    expect(me).toEqual(
      good(200, {
        user_id: field(answer, 'user_id'),
        username: 'sam',
        email: 'sam@example.org',
        email_verified: false,
        privacy: 'open',
        admin: false,
        created_at: time,
        second_factor: { on: false, recovery_codes_left: 0 },
        session: {
          id: field(answer, 'session_id'),
          device_id: field(answer, 'device_id'),
          device: 'laptop',
          expires_at: time,
        },
      }),
    );
    conforms('GET', '/api/account', me);
    expect(
      await http.ask('POST', '/api/auth/login', {
        body: { email: 'sam@example.org', password, otp: '' },
      }),
    ).toEqual(good(200, expect.objectContaining({ username: 'sam' })));
  });

  it('makes the name of the local part of an address, and says which it became', async () => {
    const at = await chatWith('sam');
    const names = [];
    for (const email of ['Sam+news@example.org', 'sam@example.net', 'Zoë B@x', '._@example.org']) {
      const { status, body } = await at.sam.http.ask('POST', '/api/auth/register', {
        body: { email, password },
      });
      names.push([
        status,
        (body as { username?: string; field?: string }).username ?? (body as { field: string }).field,
      ]);
    }
    expect(names).toEqual([
      [201, 'sam2'],
      [201, 'sam3'],
      [400, 'email'],
      [400, 'email'],
    ]);
  });

  it('refuses a name or an address that is taken', async () => {
    const at = await chatWith('sam');
    const ask = (body: object) =>
      at.sam.http.ask('POST', '/api/auth/register', { body: { password, ...body } });
    expect(await ask({ username: 'SAM' })).toEqual(
      refusedWith(conflict, 'this username is taken already', { field: 'username' }),
    );
    expect((await ask({ username: 'eve', email: 'eve@example.org' })).status).toBe(201);
    expect(await ask({ email: 'eve@example.org' })).toEqual(
      refusedWith(conflict, 'this e-mail address is taken already', { field: 'email' }),
    );
  });

  it('15.4.2: of 100 at once under one name makes one account', async () => {
    const at = await chatAtPort();
    const clients = await Promise.all(Array.from({ length: 100 }, () => httpClient(at.port)));
    const answers = await Promise.all(
      clients.map((http) => http.ask('POST', '/api/auth/register', { body: { username: 'one', password } })),
    );
    const statuses = answers.map(({ status }) => status);
    expect([
      statuses.filter((one) => one === 201).length,
      statuses.filter((one) => one === 409).length,
    ]).toEqual([1, 99]);
  });

  it('names the field that does not fit, and makes nothing', async () => {
    const at = await chatAtPort();
    const http = await httpClient(at.port);
    const misfits: ReadonlyArray<readonly [string, object]> = [
      ['password', { username: 'sam' }],
      ['password', { username: 'sam', password: '12345' }],
      ['password', { username: 'sam', password: 'a\u0000bcdefgh' }],
      ['password', { username: 'sam', password: ['secret words'] }],
      ['username', { password }],
      ['username', { username: '', password }],
      ['username', { username: 'a b', password }],
      ['username', { username: 'x'.repeat(33), password }],
      ['email', { email: 'no address', password }],
      ['open_session', { username: 'sam', password, open_session: false }],
      ['verifier', { username: 'sam', verifier: {} }],
      ['device', { username: 'sam', password, device: 'laptop' }],
      ['device.id', { username: 'sam', password, device: { id: '1' } }],
      ['device.label', { username: 'sam', password, device: { label: 'a\nb' } }],
      ['admin', { username: 'sam', password, admin: true }],
    ];
    for (const [name, body] of misfits) {
      const answer = await http.ask('POST', '/api/auth/register', { body });
      expect(answer).toEqual(refusedWith(invalid, sentenceOf(name), { field: name }));
      expect(JSON.stringify(answer)).not.toContain(password);
    }
    expect(await at.t.store.account(parseUsername('sam'))).toBeUndefined();
  });

  it('asks again after a whole number of seconds when there were too many, and registers then', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { t } = await chatAtPort();
    const { port } = await listening({ calls: { ...t.chat, call: tooOften(t.chat, 1_500) } });
    const http = await httpClient(port);
    expect(await http.ask('POST', '/api/auth/register', { body: { username: 'sam', password } })).toEqual(
      refusedWith(problems.rateLimited, 'too many: wait', {
        headers: { 'retry-after': '2' },
        retry_after_ms: 1_500,
      }),
    );
    expect(
      (await http.ask('POST', '/api/auth/register', { body: { username: 'sam', password } })).status,
    ).toBe(201);
  });
});

/** Calls that are limited the first time. */
function tooOften({ call }: Pick<Calls, 'call'>, retryAfterMs: number): Calls['call'] {
  let isFirst = true;
  return async (peer, name, params) => {
    if (!isFirst) return call(peer, name, params);
    isFirst = false;
    throw new ChatError('rate-limited', 'too many: wait', { retryAfterMs });
  };
}

describe('login over HTTP', () => {
  it('opens a session by name or address, whatever the case', async () => {
    const at = await chatWith('sam');
    const answer = await at.sam.http.ask('POST', '/api/auth/login', {
      body: { username: 'SAM', password, device: { label: 'pc' } },
    });
    expect(answer).toEqual(
      good(200, {
        user_id: at.sam.user_id,
        username: 'sam',
        session_token: sessionToken,
        refresh_token: refreshToken,
        expires_at: time,
        session_id: uuid,
        device_id: uuid,
      }),
    );
    conforms('POST', '/api/auth/login', answer);
    expect(field(answer, 'session_token')).not.toBe(at.sam.session_token);
  });

  it('6.3.8: answers an unknown user, a wrong password and a private account in the same bytes', async () => {
    const at = await chatWith('sam');
    await at.t.call(new FakePeer(), 'account.register', await registration('pat'));
    const tries = [
      { username: 'nobody', password },
      { username: 'sam', password: `${password}!` },
      { username: 'pat', password: usualPassword },
      { email: 'nobody@example.org', password },
    ];
    const texts: string[] = [];
    for (const body of tries) {
      const http = await httpClient(at.port);
      expect(await http.ask('POST', '/api/auth/login', { body })).toEqual(
        refusedWith(
          unauthenticated,
          'unknown user or wrong secret (an account made by `chat register` signs in elsewhere with a token: `chat token`)',
        ),
      );
      texts.push(http.client.text.replace(/\r\nDate: [^\r]*/, ''));
    }
    expect(new Set(texts).size).toBe(1);
  });

  it('7.2.4: on a device it knows gives a new token and ends the one before', async () => {
    const at = await chatWith('sam');
    const device = { id: at.sam.device_id };
    const again = await at.sam.http.ask('POST', '/api/auth/login', {
      body: { username: 'sam', password, device },
    });
    expect([again.status, field(again, 'device_id')]).toEqual([200, at.sam.device_id]);
    expect(await at.sam.ask('GET', '/api/account')).toEqual(badToken);
  });

  it('is refused with a name and an address, or with neither', async () => {
    const at = await chatWith('sam');
    for (const body of [{ password }, { username: 'sam', email: 'sam@example.org', password }]) {
      expect(await at.sam.http.ask('POST', '/api/auth/login', { body })).toEqual(
        refusedWith(invalid, 'username: give either username or email', { field: 'username' }),
      );
    }
  });

  it('by challenge and proof goes over two connections, and the password over none', async () => {
    const at = await chatAtPort();
    await at.t.call(new FakePeer(), 'account.register', await registration('pat'));
    const [first, second] = [await httpClient(at.port), await httpClient(at.port)];
    const parameters = await first.ask('GET', '/api/auth/parameters');
    expect(parameters).toEqual(
      good(200, {
        realm: 'chat.example',
        cost: 10,
        suite: 'CHAT-SCRAM-BCRYPT-1',
        server_key: expect.any(String),
        password_policy: { min_code_points: 6, common: 'refuse' },
        registration: 'open',
      }),
    );
    const { proof, verifyServer } = await challenge(first, 'pat', { kind: 'none' });
    const answer = await second.ask('POST', '/api/auth/proof', {
      body: { ...proof, device: { label: 'pc' } },
    });
    expect(answer).toEqual(
      good(200, {
        user_id: uuid,
        username: 'pat',
        session_token: sessionToken,
        refresh_token: refreshToken,
        expires_at: time,
        session_id: uuid,
        device_id: uuid,
        message: expect.stringMatching(/^v=/),
      }),
    );
    conforms('POST', '/api/auth/proof', answer);
    expect(verifyServer(answer).bound).toBe(false);
    // One try per challenge.
    expect(await first.ask('POST', '/api/auth/proof', { body: proof })).toEqual(
      refusedWith(unauthenticated, 'this login has ended: begin again'),
    );
  });

  it('by challenge and proof is bound to its connection over TLS 1.3, and is not where the client cannot', async () => {
    const at = await chatAtPort();
    await at.t.call(new FakePeer(), 'account.register', await registration('pat'));
    const http = await httpClient(at.port, 'tls');
    const { socket } = http.client as unknown as { socket: import('node:tls').TLSSocket };
    const bytes = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    const outcomes = [];
    for (const binding of [{ kind: 'none' }, { kind: 'tls-exporter', bytes }] as ChannelBinding[]) {
      const { proof, verifyServer } = await challenge(http, 'pat', binding);
      const answer = await http.ask('POST', '/api/auth/proof', { body: proof });
      outcomes.push([answer.status, verifyServer(answer).bound]);
    }
    expect(outcomes).toEqual([
      [200, false],
      [200, true],
    ]);
    // What is bound to this connection is worth nothing on another.
    const { proof } = await challenge(http, 'pat', { kind: 'tls-exporter', bytes });
    const other = await httpClient(at.port, 'tls');
    expect((await other.ask('POST', '/api/auth/proof', { body: proof })).status).toBe(401);
  });

  it('by challenge and proof with a wrong password is refused', async () => {
    const at = await chatAtPort();
    await at.t.call(new FakePeer(), 'account.register', await registration('pat'));
    const http = await httpClient(at.port);
    const { proof } = await challenge(http, 'pat', { kind: 'none' }, 'other words');
    expect(await http.ask('POST', '/api/auth/proof', { body: proof })).toEqual(
      refusedWith(unauthenticated, 'unknown user or wrong secret'),
    );
  });
});

/** The first half of a login with the real client half, up to what `/proof` takes. */
async function challenge(
  http: HttpClient,
  username: string,
  binding: ChannelBinding,
  secret = usualPassword,
) {
  const started = beginLogin({ username: parseUsername(username), binding });
  const begun = await http.ask('POST', '/api/auth/challenge', { body: { message: started.message } });
  expect(begun).toEqual({ ...good(200, begun.body), headers: begun.headers });
  conforms('POST', '/api/auth/challenge', begun);
  const { exchange, message, server_key, suites, bindings } = begun.body as Record<string, string> & {
    suites: string[];
    bindings: string[];
  };
  const read = started.readChallenge(message ?? '', {
    serverPublicKey: fromBase64(server_key ?? '') ?? new Uint8Array(),
    offer: { suites, bindings },
  } as Parameters<typeof started.readChallenge>[1]);
  const finished = read.finish(await authSecret(username, secret, read.salt, read.cost));
  return {
    proof: { exchange, message: finished.message },
    verifyServer: ({ body }: HttpAnswer) => finished.verifyServer((body as { message: string }).message),
  };
}

describe('a session over HTTP', () => {
  it('is refreshed: within 20 s with the same successor, later never again', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const at = await chatWith('sam');
    const { http, refresh_token } = at.sam;
    const ask = () => http.ask('POST', '/api/auth/refresh', { body: { refresh_token } });
    const first = await ask();
    expect(first).toEqual(
      good(200, {
        user_id: at.sam.user_id,
        username: 'sam',
        session_id: at.sam.session_id,
        device_id: at.sam.device_id,
        session_token: sessionToken,
        refresh_token: refreshToken,
        expires_at: time,
      }),
    );
    conforms('POST', '/api/auth/refresh', first);
    const token = field(first, 'session_token') as string;
    expect(token).not.toBe(at.sam.session_token);
    expect(await at.sam.ask('GET', '/api/account')).toEqual(badToken);
    vi.setSystemTime(Date.now() + 19_999);
    const again = await ask();
    expect([field(again, 'session_token'), field(again, 'refresh_token')]).toEqual([
      token,
      field(first, 'refresh_token'),
    ]);
    expect((await http.ask('GET', '/api/account', { token })).status).toBe(200);
    vi.setSystemTime(Date.now() + 1);
    expect(await ask()).toEqual(badToken);
    // Whoever holds the successor is out too: one of the two has stolen it.
    expect(await http.ask('GET', '/api/account', { token })).toEqual(badToken);
    expect(
      await http.ask('POST', '/api/auth/refresh', { body: { refresh_token: field(first, 'refresh_token') } }),
    ).toEqual(badToken);
  });

  it('7.4.1: is dead everywhere after logout', async () => {
    const at = await chatWith('sam');
    const line = await connectClear(at.port);
    line.call(1, 'login.resume', { session_token: at.sam.session_token });
    await line.lineCount(1);
    expect(await at.sam.ask('POST', '/api/auth/logout')).toEqual(good(204));
    await line.ended();
    expect(await at.sam.ask('POST', '/api/auth/logout')).toEqual(badToken);
    const { refresh_token } = at.sam;
    expect(await at.sam.http.ask('POST', '/api/auth/refresh', { body: { refresh_token } })).toEqual(badToken);
    const later = await connectClear(at.port);
    later.call(1, 'login.resume', { session_token: at.sam.session_token });
    await later.lineCount(1);
    expect(later.text).toContain('"unauthenticated"');
  });

  it('is listed with its device, door, address and times', async () => {
    const at = await chatWith('sam');
    await at.t.call(new FakePeer({ address: '192.0.2.7' }), 'login.password', {
      username: 'sam',
      password,
      device: { label: 'phone' },
    });
    const answer = await at.sam.ask('GET', '/api/auth/sessions');
    const own = { created_at: time, last_used_at: time, expires_at: time };
    expect(answer).toEqual(good(200, { sessions: expect.any(Array) }));
    conforms('GET', '/api/auth/sessions', answer);
    expect(new Set(field(answer, 'sessions') as unknown[])).toEqual(
      new Set([
        { id: at.sam.session_id, device: '', door: 'http', address: '127.0.0.1', current: true, ...own },
        { id: uuid, device: 'phone', door: 'line', address: '192.0.2.7', current: false, ...own },
      ]),
    );
  });

  it('7.5.2: is ended by its owner', async () => {
    const at = await chatWith('sam');
    const other = await at.sam.http.ask('POST', '/api/auth/login', { body: { username: 'sam', password } });
    const path = `/api/auth/sessions/${field(other, 'session_id')}`;
    expect(await at.sam.ask('DELETE', path)).toEqual(good(204));
    const token = field(other, 'session_token') as string;
    expect(await at.sam.http.ask('GET', '/api/account', { token })).toEqual(badToken);
    expect((await at.sam.ask('GET', '/api/account')).status).toBe(200);
  });

  it("8.2.2: is nobody else's to end: it is not there", async () => {
    const at = await chatWith('sam', 'eve');
    const missing = refusedWith(notFound, 'there is no such session', { field: 'id' });
    expect(await at.eve.ask('DELETE', `/api/auth/sessions/${at.sam.session_id}`)).toEqual(missing);
    expect(await at.eve.ask('DELETE', '/api/auth/sessions/00000000-0000-4000-8000-000000000000')).toEqual(
      missing,
    );
    expect((await at.sam.ask('GET', '/api/account')).status).toBe(200);
    expect(await at.eve.ask('DELETE', '/api/auth/sessions/nonsense')).toEqual(
      refusedWith(invalid, 'id: a UUID is expected', { field: 'id' }),
    );
  });

  it('ends with all others', async () => {
    const at = await chatWith('sam', 'eve');
    expect(await at.sam.ask('DELETE', '/api/auth/sessions')).toEqual(good(204));
    expect(await at.sam.ask('GET', '/api/account')).toEqual(badToken);
    expect((await at.eve.ask('GET', '/api/account')).status).toBe(200);
  });

  it('7.3.1: expires when it is idle, at exactly its time', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const at = await chatWith('sam');
    const end = Date.parse(at.sam.expires_at);
    const other = await at.sam.http.ask('POST', '/api/auth/login', { body: { username: 'sam', password } });
    vi.setSystemTime(end - 1);
    expect((await at.sam.ask('GET', '/api/account')).status).toBe(200);
    vi.setSystemTime(Date.parse(field(other, 'expires_at') as string));
    expect(
      await at.sam.http.ask('GET', '/api/account', { token: field(other, 'session_token') as string }),
    ).toEqual(badToken);
    expect((await at.sam.ask('GET', '/api/account')).status).toBe(200);
  });
});

describe('the chat over HTTP', () => {
  it('sends, and reads what was sent', async () => {
    const at = await chatWith('sam', 'eve');
    const sent = await at.sam.ask('POST', '/api/conversations/%23lobby/messages', { body: { text: 'hé' } });
    expect(sent).toEqual(good(201, { id: uuid, seq: 1, sent_at: time }));
    conforms('POST', '/api/conversations/{to}/messages', sent);
    const page = await at.eve.ask('GET', '/api/conversations/%23lobby/messages');
    expect(page).toEqual(
      good(200, {
        to: '#lobby',
        last_seq: 1,
        messages: [{ ...(sent.body as object), to: '#lobby', sender: 'sam', text: 'hé' }],
      }),
    );
    conforms('GET', '/api/conversations/{to}/messages', page);
    expect(
      (await at.sam.ask('POST', '/api/conversations/@eve/messages', { body: { envelope: 'AAAA' } })).status,
    ).toBe(201);
    expect(await at.eve.ask('GET', '/api/conversations/@sam/messages?after=0&limit=1&newest=true')).toEqual(
      good(200, {
        to: '@sam',
        last_seq: 1,
        messages: [{ to: '@sam', seq: 1, id: uuid, sender: 'sam', sent_at: time, envelope: 'AAAA' }],
      }),
    );
  });

  it('stores a message once under its key: one after the other, with another text, and two at once', async () => {
    const at = await chatWith('sam', 'eve');
    const path = '/api/conversations/%23lobby/messages';
    const send = (text: string, key: string, by = at.sam) =>
      by.ask('POST', path, { body: { text }, headers: { 'Idempotency-Key': key } });
    const first = await send('one', 'k1');
    expect(await send('one', 'k1')).toEqual(first);
    expect(await send('another', 'k1')).toEqual(first);
    const twin = new HttpClient((await httpClient(at.port)).client);
    const [left, right] = await Promise.all([
      send('two', 'k2'),
      twin.ask('POST', path, {
        token: at.sam.session_token,
        body: { text: 'two' },
        headers: { 'Idempotency-Key': 'k2' },
      }),
    ]);
    expect(left).toEqual(right);
    // A key is its sender's own.
    expect(field(await send('three', 'k1', at.eve), 'seq')).toBe(3);
    const { body } = await at.sam.ask('GET', path);
    expect((body as { messages: Array<{ text: string }> }).messages.map(({ text }) => text)).toEqual([
      'one',
      'two',
      'three',
    ]);
    expect(await send('four', 'x'.repeat(129))).toMatchObject({ status: 400, body: { field: 'key' } });
  });

  it('pages through a conversation to its end', async () => {
    const at = await chatWith('sam');
    for (let n = 1; n <= 5; n++) {
      await at.sam.ask('POST', '/api/conversations/%23lobby/messages', { body: { text: `${n}` } });
    }
    const seen: string[] = [];
    let after = 0;
    for (let pages = 0; ; pages++) {
      expect(pages).toBeLessThan(4);
      const { body } = await at.sam.ask('GET', `/api/conversations/%23lobby/messages?after=${after}&limit=2`);
      const { messages } = body as { messages: Array<{ text: string; seq: number }> };
      if (messages.length === 0) break;
      seen.push(...messages.map(({ text }) => text));
      after = messages.at(-1)?.seq ?? 0;
    }
    expect(seen).toEqual(['1', '2', '3', '4', '5']);
  });

  it('pages through users, rooms and members by what is next', async () => {
    const names = ['anna', 'bert', 'carl', 'dora', 'emil'];
    const at = await chatWith('anna');
    for (const name of names.slice(1)) await at.register(name, password);
    for (const room of ['r1', 'r2', 'r3']) {
      expect(await at.anna.ask('POST', '/api/rooms', { body: { room } })).toEqual(
        good(201, { room: `#${room}` }),
      );
    }
    const lists: ReadonlyArray<readonly [string, string, string, string, string[]]> = [
      ['/api/users', '/api/users', 'all=true', 'users', names],
      ['/api/rooms', '/api/rooms', '', 'rooms', ['#lobby', '#r1', '#r2', '#r3']],
      ['/api/rooms/lobby/members', '/api/rooms/{room}/members', '', 'members', names],
    ];
    for (const [path, route, query, list, all] of lists) {
      const seen: string[] = [];
      let after = '';
      for (;;) {
        const answer = await at.anna.ask(
          'GET',
          `${path}?${query}&limit=2&after=${encodeURIComponent(after)}`.replace('?&', '?'),
        );
        expect(answer).toEqual(good(200, answer.body));
        conforms('GET', route, answer);
        for (const one of field(answer, list) as Array<{ username?: string; room?: string }>) {
          seen.push(one.username ?? one.room ?? '');
        }
        const next = field(answer, 'next');
        if (next === null) break;
        after = next as string;
      }
      expect(seen).toEqual(all);
    }
  });

  it('tells who is online: not who only asks over HTTP', async () => {
    const at = await chatWith('sam', 'eve');
    const line = await connectClear(at.port);
    line.call(1, 'login.resume', { session_token: at.eve.session_token });
    await line.lineCount(1);
    expect(await at.sam.ask('GET', '/api/users')).toEqual(
      good(200, { users: [{ username: 'eve', online: true }], next: null }),
    );
  });

  it('makes a room, enters and leaves it, and refuses those who are not in it', async () => {
    const at = await chatWith('sam', 'eve');
    const { ask } = at.eve;
    expect(await at.sam.ask('POST', '/api/rooms', { body: { room: '#Tea' } })).toEqual(
      good(201, { room: '#tea' }),
    );
    expect(await ask('POST', '/api/rooms', { body: { room: 'tea' } })).toEqual(
      refusedWith(conflict, 'there is a room #tea already', { field: 'room' }),
    );
    const outside = refusedWith(forbidden, 'you are not in #tea: join it first', { field: 'to' });
    expect(await ask('GET', '/api/conversations/%23tea/messages')).toEqual(outside);
    expect(await ask('POST', '/api/conversations/%23tea/messages', { body: { text: 'hi' } })).toEqual(
      outside,
    );
    const joined = await ask('PUT', '/api/rooms/tea/members/me');
    expect(joined).toEqual(good(200, { room: '#tea', joined: true }));
    conforms('PUT', '/api/rooms/{room}/members/me', joined);
    expect((await ask('POST', '/api/conversations/%23tea/messages', { body: { text: 'hi' } })).status).toBe(
      201,
    );
    expect(await ask('DELETE', '/api/rooms/%23tea/members/me')).toEqual(good(204));
    expect(await ask('GET', '/api/conversations/%23tea/messages')).toEqual(outside);
    expect(await ask('PUT', '/api/rooms/nope/members/me')).toEqual(
      refusedWith(notFound, 'there is no room #nope', { field: 'room' }),
    );
  });

  it('keeps the read marker, which never goes back', async () => {
    const at = await chatWith('sam');
    for (const text of ['one', 'two']) {
      await at.sam.ask('POST', '/api/conversations/%23lobby/messages', { body: { text } });
    }
    const read = (seq: number) => at.sam.ask('PUT', '/api/conversations/%23lobby/read', { body: { seq } });
    const answer = await read(2);
    expect(answer).toEqual(good(200, { to: '#lobby', read_seq: 2 }));
    conforms('PUT', '/api/conversations/{to}/read', answer);
    expect(await read(1)).toEqual(good(200, { to: '#lobby', read_seq: 2 }));
    const listed = await at.sam.ask('GET', '/api/conversations');
    expect(listed).toEqual(good(200, { conversations: [{ to: '#lobby', last_seq: 2, read_seq: 2 }] }));
    conforms('GET', '/api/conversations', listed);
  });

  it("8.2.2: shows nobody another pair's messages", async () => {
    const at = await chatWith('sam', 'eve', 'mallory');
    await at.sam.ask('POST', '/api/conversations/@eve/messages', { body: { text: 'for eve alone' } });
    for (const to of ['@sam', '@eve']) {
      const answer = await at.mallory.ask('GET', `/api/conversations/${to}/messages`);
      expect(answer).toEqual(good(200, { to, messages: [], last_seq: 0 }));
    }
    expect(await at.mallory.ask('GET', '/api/conversations/@nobody/messages')).toEqual(
      refusedWith(notFound, 'there is no user @nobody', { field: 'to' }),
    );
  });
});

describe('searching over HTTP', () => {
  const find = (who: Person, query: string) => who.ask('GET', `/api/search?${query}`);

  it('finds messages by their words, newest first, each with its conversation', async () => {
    const at = await chatWith('sam', 'eve');
    for (const [to, text] of [
      ['%23lobby', 'the Tea is green'],
      ['@eve', 'green tea, too'],
      ['%23lobby', 'coffee'],
    ]) {
      await at.sam.ask('POST', `/api/conversations/${to}/messages`, { body: { text } });
    }
    const inLobby = {
      to: '#lobby',
      seq: 1,
      id: uuid,
      sender: 'sam',
      sent_at: time,
      text: 'the Tea is green',
    };
    const toEve = { to: '@eve', seq: 1, id: uuid, sender: 'sam', sent_at: time, text: 'green tea, too' };
    const page = (...messages: object[]) => good(200, { messages, next: null, complete: true });
    const answer = await find(at.sam, 'q=green%20TEA');
    expect(answer).toEqual(page(toEve, inLobby));
    conforms('GET', '/api/search', answer);
    expect(await find(at.sam, 'q=tea&to=%23lobby')).toEqual(page(inLobby));
    expect(await find(at.eve, 'q=%22green%20tea%22')).toEqual(page({ ...toEve, to: '@sam' }));
    expect(await find(at.eve, 'q=coff*')).toEqual(page({ ...inLobby, seq: 2, text: 'coffee' }));
    expect(await find(at.eve, 'q=cocoa')).toEqual(page());
  });

  it('names what does not fit', async () => {
    const at = await chatWith('sam');
    for (const [name, query] of [
      ['q', ''],
      ['q', 'q='],
      ['q', 'q=%22open'],
      ['q', `q=${'x'.repeat(513)}`],
      ['q', 'q=one&q=two'],
      ['to', 'q=x&to=lobby'],
      ['before', 'q=x&before=1'],
      ['limit', 'q=x&limit=0'],
      ['limit', 'q=x&limit=101'],
      ['limit', 'q=x&limit=many'],
      ['from', 'q=x&from=eve'],
    ] as const) {
      const answer = await find(at.sam, query);
      expect([query, answer.status, field(answer, 'field')]).toEqual([query, 400, name]);
    }
    expect(await find(at.sam, 'q=x&limit=100')).toMatchObject({ status: 200 });
    expect(await find(at.sam, `q=${'x'.repeat(512)}`)).toMatchObject({ status: 200 });
  });

  it('has to wait when there were too many searches, and is told how long', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const open = await chatAtPort({ policy: { searchesPerMinute: 2 } });
    const sam = await person(open, 'sam');
    for (const status of [200, 200, 429]) expect((await find(sam, 'q=x')).status).toBe(status);
    const refused = await find(sam, 'q=x');
    expect(refused.headers['retry-after']).toBe('60');
    expect(field(refused, 'retry_after_ms')).toBe(60_000);
    vi.setSystemTime(Date.now() + 60_000);
    expect((await find(sam, 'q=x')).status).toBe(200);
  });
});

describe('the audit trail over HTTP', () => {
  /** A chat with an administrator and somebody who is none, and a trail of some length. */
  async function administered() {
    const at = await chatWith('sam', 'eve');
    await at.t.store.setAdministrator({ username: parseUsername('sam'), isAdmin: true });
    for (let n = 0; n < 3; n++) {
      await at.eve.http.ask('POST', '/api/auth/login', { body: { username: 'eve', password } });
    }
    const read = async (query = '') => {
      const answer = await at.sam.ask('GET', `/api/admin/audit${query}`);
      conforms('GET', '/api/admin/audit', answer);
      return answer.body as {
        rows: { seq: number; at: string; user: string; operation: string; hash: string }[];
        next: number | null;
        ends: { start: object; head: { seq: number; hash: string }; sealed: boolean };
      };
    };
    return { ...at, read };
  }

  it('is read page by page, forwards and backwards, without a gap or a repeat', async () => {
    const { read } = await administered();
    const { rows: all, next, ends } = await read();
    expect(all.length).toBeGreaterThan(5);
    expect(next).toBeNull();
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1));
    const { seq, hash } = all.at(-1) ?? {};
    expect(ends).toEqual({ start: { seq: 0, hash: expect.any(String) }, head: { seq, hash }, sealed: true });
    const forwards: typeof all = [];
    for (let after: number | null = 0; after !== null; ) {
      const page = await read(`?after=${after}&limit=2`);
      expect(page.rows.length).toBeLessThanOrEqual(2);
      forwards.push(...page.rows);
      after = page.next;
    }
    expect(forwards).toEqual(all);
    const backwards: typeof all = [];
    for (let before: number | null = all.length + 1; before !== null; ) {
      const page = await read(`?newest=true&before=${before}&limit=2`);
      backwards.unshift(...page.rows);
      before = page.next;
    }
    expect(backwards).toEqual(all);
  });

  it('is read by account, operation and time', async () => {
    const { read } = await administered();
    const { rows: all } = await read();
    const ofEve = all.filter(({ user }) => user === 'eve');
    expect(ofEve.length).toBeGreaterThan(3);
    expect((await read('?user=eve')).rows).toEqual(ofEve);
    const logins = ofEve.filter(({ operation }) => operation === 'login.password');
    expect((await read('?user=eve&operation=login.password')).rows).toEqual(logins);
    const last = all.at(-1)?.at ?? '';
    expect((await read(`?since=${last}`)).rows).toEqual(all.filter(({ at }) => at >= last));
    expect((await read('?since=2100-01-01T00:00:00Z')).rows).toEqual([]);
  });

  it('is for administrators, and names what does not fit', async () => {
    const at = await administered();
    expect(await at.eve.ask('GET', '/api/admin/audit')).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    });
    for (const [name, query] of [
      ['after', 'after=-1'],
      ['before', 'before=x'],
      ['since', 'since=yesterday'],
      ['user', 'user=%23lobby'],
      ['operation', 'operation='],
      ['newest', 'newest=1'],
      ['limit', 'limit=1001'],
      ['limit', 'limit=0'],
      ['details', 'details=x'],
    ] as const) {
      const answer = await at.sam.ask('GET', `/api/admin/audit?${query}`);
      expect([query, answer.status, field(answer, 'field')]).toEqual([query, 400, name]);
    }
  });
});

describe('who may ask', () => {
  const guarded = httpRoutes.filter((route) => operationOf(route).access !== 'anyone');
  const at = (path: string): string =>
    path
      .replace('{to}', '%23lobby')
      .replace('{room}', 'lobby')
      .replace('{username}', 'sam')
      .replace('{id}', '00000000-0000-4000-8000-000000000000');

  it('is known by a token, for every route that is not for everybody', async () => {
    const open = await chatAtPort();
    const http = await httpClient(open.port);
    for (const { method, path } of guarded) {
      expect(await http.ask(method, at(path))).toEqual(
        refusedWith(unauthenticated, 'log in first, and send Authorization: Bearer SESSION-TOKEN'),
      );
      expect(await http.ask(method, at(path), { token: `cs1_${'A'.repeat(43)}` })).toEqual(badToken);
    }
    expect(httpRoutes.filter((route) => !guarded.includes(route)).map(({ path }) => path)).toEqual([
      '/api/auth/register',
      '/api/auth/login',
      '/api/auth/certificate',
      '/api/auth/parameters',
      '/api/auth/challenge',
      '/api/auth/proof',
      '/api/auth/refresh',
      '/api/auth/reset-request',
      '/api/auth/reset',
    ]);
  });

  it('is not known by anything but a session token in that header', async () => {
    const open = await chatWith('sam');
    const { session_token, refresh_token } = open.sam;
    const tries = [
      'Bearer',
      'Bearer ',
      `Bearer ${refresh_token}`,
      `Bearer ${session_token}x`,
      `Bearer ${session_token} ${session_token}`,
      `Basic ${Buffer.from(`sam:${password}`).toString('base64')}`,
      session_token,
    ];
    for (const Authorization of tries) {
      expect(await open.sam.http.ask('GET', '/api/account', { headers: { Authorization } })).toEqual(
        badToken,
      );
    }
    const headers = { Authorization: `bEARER   ${session_token}` };
    expect((await open.sam.http.ask('GET', '/api/account', { headers })).status).toBe(200);
  });

  it('is asked for no password in the open after each request: one connection serves two people', async () => {
    const open = await chatWith('sam', 'eve');
    const names = [];
    for (const token of [open.sam.session_token, open.eve.session_token, open.sam.session_token]) {
      names.push(field(await open.sam.http.ask('GET', '/api/account', { token }), 'username'));
    }
    expect(names).toEqual(['sam', 'eve', 'sam']);
    expect((await open.sam.http.ask('GET', '/api/account')).status).toBe(401);
  });

  it('14.2.1: never says so in the URL, and is not repeated', async () => {
    const open = await chatWith('sam');
    for (const name of ['token', 'session_token', 'password']) {
      for (const path of ['/api/account', '/api/auth/login', '/healthz', '/nowhere']) {
        const answer = await open.sam.http.ask('GET', `${path}?${name}=${open.sam.session_token}`);
        expect([answer.status, field(answer, 'field'), JSON.stringify(answer).includes('cs1_')]).toEqual([
          400,
          name,
          false,
        ]);
      }
    }
  });
});

describe('a request that does not fit', () => {
  it('is told which methods there are', async () => {
    const open = await chatAtPort();
    const http = await httpClient(open.port);
    const served = new Map<string, string[]>();
    for (const { method, path } of httpRoutes) {
      const known = served.get(path) ?? [];
      served.set(path, [...known, method, ...(method === 'GET' ? ['HEAD'] : [])]);
    }
    for (const path of ['/openapi.json', '/healthz', '/readyz']) served.set(path, ['GET', 'HEAD']);
    for (const [path, methods] of served) {
      const allow = [...methods, 'OPTIONS'].join(', ');
      const url = path.replaceAll(/\{\w+\}/g, 'x');
      expect(await http.ask('OPTIONS', url)).toEqual(good(204, undefined, { allow }));
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'].filter(
        (one) => !methods.includes(one),
      )) {
        expect(await http.ask(method, url)).toEqual(
          refusedWith(problems.method, `${method} is not served here; ${allow} are`, { headers: { allow } }),
        );
      }
    }
  });

  it('is told what there is, or that its method is none', async () => {
    const open = await chatAtPort();
    const http = await httpClient(open.port);
    const nothing = refusedWith(
      notFound,
      'there is nothing at this address; what there is stands in /openapi.json',
    );
    for (const path of [
      '/',
      '/api',
      '/api/account/',
      '/API/account',
      '//api/account',
      '/api/../api/account',
      '/%',
    ]) {
      expect([path, (await http.ask('GET', path)).status]).toEqual([path, path === '/%' ? 400 : 404]);
    }
    expect(await http.ask('GET', '/nope')).toEqual(nothing);
    expect(await http.ask('PROPFIND', '/api/account')).toEqual(
      refusedWith([501, 'Not Implemented', 'unsupported'], 'PROPFIND is not a method that is known here'),
    );
  });

  it('gets the same headers to HEAD as to GET, and no body', async () => {
    const open = await chatWith('sam');
    for (const path of ['/api/account', '/api/users', '/openapi.json', '/healthz', '/nope']) {
      const get = await open.sam.ask('GET', path);
      expect(await open.sam.ask('HEAD', path)).toEqual({ ...get, body: undefined });
    }
  });

  it('has a body of another type', async () => {
    const open = await chatWith('sam');
    const body = JSON.stringify({ username: 'sam', password });
    const login = (type: string) =>
      open.sam.http.ask('POST', '/api/auth/login', { body, headers: { 'Content-Type': type } });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonx',
      'application/problem+json',
      'nonsense',
      '',
    ]) {
      expect([type, await login(type)]).toEqual([
        type,
        refusedWith(problems.mediaType, 'the body is JSON: send it with Content-Type: application/json'),
      ]);
    }
    for (const type of ['Application/JSON; charset=utf-8', 'application/json ; charset="UTF-8"']) {
      expect([type, (await login(type)).status]).toEqual([type, 200]);
    }
  });

  it('has a body of no type', async () => {
    const open = await chatAtPort();
    const http = await httpClient(open.port);
    http.write('POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}');
    expect((await http.next()).status).toBe(415);
  });

  it('has a body that is no JSON object, and may be followed by one that is', async () => {
    const open = await chatWith('sam');
    const bodies: ReadonlyArray<readonly [string, string]> = [
      ['{', 'the body is not JSON'],
      ['{"text":"a"', 'the body is not JSON'],
      ['[]', 'the body is a JSON object'],
      ['"text"', 'the body is a JSON object'],
      ['1', 'the body is a JSON object'],
      [`${'['.repeat(60_000)}${']'.repeat(60_000)}`, 'the body is a JSON object'],
      ['\u{feff}{"text":"a"}', 'the body is not JSON'],
    ];
    for (const [body, detail] of bodies) {
      expect(await open.sam.ask('POST', '/api/conversations/%23lobby/messages', { body })).toEqual(
        refusedWith(invalid, detail),
      );
    }
    expect((await open.sam.ask('GET', '/api/account')).status).toBe(200);
  });

  it('has a body that is no UTF-8', async () => {
    const open = await chatWith('sam');
    const { http, session_token } = open.sam;
    http.write(
      Buffer.from(
        `POST /api/conversations/%23lobby/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${session_token}\r\n` +
          'Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{"text":"\xff"}',
        'latin1',
      ),
    );
    expect(await http.next()).toEqual(refusedWith(invalid, 'the body is not UTF-8'));
  });

  it('has 131,073 bytes of body, not 131,072', async () => {
    const open = await chatWith('sam');
    const path = '/api/conversations/%23lobby/messages';
    const body = (bytes: number): string => `{"text":"fits"}${' '.repeat(bytes - 15)}`;
    expect((await open.sam.ask('POST', path, { body: body(131_072) })).status).toBe(201);
    expect(await open.sam.ask('POST', path, { body: body(131_073) })).toEqual(
      refusedWith(problems.tooLarge, 'the body is too long', { isLast: true }),
    );
    await open.sam.http.client.ended();
  });

  it('has a text of 16,385 bytes, not 16,384', async () => {
    const open = await chatWith('sam');
    const send = (text: string) =>
      open.sam.ask('POST', '/api/conversations/%23lobby/messages', { body: { text } });
    expect((await send('é'.repeat(8_192))).status).toBe(201);
    expect(await send(`${'é'.repeat(8_192)}x`)).toEqual(
      refusedWith(problems.tooLarge, 'text: a message has at most 16384 bytes', { field: 'text' }),
    );
  });

  it('15.3.6: has __proto__ or constructor in its body, which change nothing', async () => {
    const open = await chatWith('sam');
    const path = '/api/conversations/%23lobby/messages';
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      expect(await open.sam.ask('POST', path, { body: `{"text":"a","${name}":{"admin":true}}` })).toEqual(
        refusedWith(invalid, `${name}: there is no such field in the body here`, { field: name }),
      );
    }
    const body = `{"username":"sam","password":"${password}","device":{"__proto__":{"label":"x"}}}`;
    expect((await open.sam.http.ask('POST', '/api/auth/login', { body })).status).toBe(400);
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
    expect(field(await open.sam.ask('GET', '/api/account'), 'admin')).toBe(false);
  });

  it('has a parameter that does not fit', async () => {
    const open = await chatWith('sam');
    const misfits: ReadonlyArray<readonly [string, string]> = [
      ['limit', '/api/users?limit=0'],
      ['limit', '/api/users?limit=1001'],
      ['limit', '/api/users?limit=many'],
      ['limit', '/api/users?limit=1&limit=2'],
      ['all', '/api/users?all=yes'],
      ['watch', '/api/users?watch=true'],
      ['after', '/api/conversations/%23lobby/messages?after=-1'],
      ['limit', '/api/conversations/%23lobby/messages?limit=101'],
      ['page', '/api/rooms?page=2'],
      ['to', '/api/conversations/lobby/messages'],
      ['to', '/api/conversations/%23/messages'],
      ['__proto__', '/api/rooms?__proto__=1'],
    ];
    for (const [name, path] of misfits) {
      expect([path, await open.sam.ask('GET', path)]).toEqual([
        path,
        refusedWith(invalid, sentenceOf(name), { field: name }),
      ]);
    }
  });

  it('has a path that is not well-formed, or too long for any name', async () => {
    const open = await chatWith('sam');
    const malformed = refusedWith(invalid, 'the path is not well-formed');
    for (const part of ['%E0%A4', '%zz']) {
      expect(await open.sam.ask('GET', `/api/conversations/${part}/messages`)).toEqual(malformed);
    }
    const long = await open.sam.ask('GET', `/api/conversations/${'x'.repeat(257)}/messages`);
    expect(long.status).toBe(404);
    expect((await open.sam.ask('GET', '/api/account')).status).toBe(200);
  });

  it('has one header twice that says one thing', async () => {
    const open = await chatWith('sam');
    const { http, session_token } = open.sam;
    const values = {
      Authorization: `Bearer ${session_token}`,
      'Content-Type': 'application/json',
      'Idempotency-Key': 'k',
    };
    for (const [name, value] of Object.entries(values)) {
      const lines = [...Object.entries(values), [name, value]].map(([key, text]) => `${key}: ${text}\r\n`);
      http.write(
        `POST /api/conversations/%23lobby/messages HTTP/1.1\r\nHost: x\r\n${lines.join('')}Content-Length: 12\r\n\r\n{"text":"x"}`,
      );
      expect(await http.next()).toEqual(refusedWith(invalid, `${name.toLowerCase()}: give this header once`));
    }
  });

  it('comes from a foreign page, which is told nothing that its browser would let it read', async () => {
    const open = await chatWith('sam');
    const headers = { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'GET' };
    expect(await open.sam.ask('GET', '/healthz', { headers })).toEqual(good(200, { status: 'ok' }));
    expect(await open.sam.ask('OPTIONS', '/api/account', { headers })).toEqual(
      good(204, undefined, { allow: 'GET, HEAD, OPTIONS' }),
    );
  });
});

describe('a server that cannot serve', () => {
  const failing = (error: unknown): Calls => ({
    call: () => Promise.reject(error),
    overlaps: () => true,
    identify: () => Promise.resolve(),
    ready: () => Promise.reject(error),
    told: () => Promise.resolve(),
  });

  it.each([
    [1, '1'],
    [1_000, '1'],
    [1_001, '2'],
  ])('says when to come again: in %i ms', async (retryAfterMs, seconds) => {
    const error = new ChatError('unavailable', 'the disk is full', { retryAfterMs });
    const { port } = await listening({ calls: failing(error) });
    const http = await httpClient(port);
    const answer = refusedWith(problems.unavailable, 'the disk is full', {
      headers: { 'retry-after': seconds },
      retry_after_ms: retryAfterMs,
    });
    expect(await http.ask('GET', '/api/rooms', { token: 'x' })).toEqual(answer);
    expect(await http.ask('GET', '/readyz')).toEqual(answer);
    expect(await http.ask('GET', '/healthz')).toEqual(good(200, { status: 'ok' }));
  });

  it('16.5.1: answers a bug with an id and nothing else', async () => {
    const bug = new Error('secret /etc/path');
    const { port, failures } = await listening({ calls: failing(bug) });
    const http = await httpClient(port);
    expect(await http.ask('GET', '/api/rooms', { token: 'x' })).toEqual(
      refusedWith(problems.internal, 'something went wrong on the server (error-id)', {
        error_id: 'error-id',
      }),
    );
    expect(failures).toEqual([bug]);
  });

  it('answers every code with its status', async () => {
    const codes = [
      ['invalid', 400],
      ['unauthenticated', 401],
      ['second-factor-required', 401],
      ['forbidden', 403],
      ['not-found', 404],
      ['conflict', 409],
      ['too-large', 413],
      ['unsupported', 404],
      ['rate-limited', 429],
      ['unavailable', 503],
      ['timeout', 504],
    ] as const;
    let error: ChatError | undefined;
    const { port } = await listening({
      calls: { ...failing(undefined), call: () => Promise.reject(error), identify: () => Promise.resolve() },
    });
    const http = await httpClient(port);
    for (const [code, status] of codes) {
      error = new ChatError(code, 'no');
      const answer = await http.ask('GET', '/api/rooms', { token: 'x' });
      expect([answer.status, field(answer, 'code'), field(answer, 'status')]).toEqual([status, code, status]);
    }
  });

  it('is ready once its store answers', async () => {
    const open = await chatAtPort();
    const http = await httpClient(open.port);
    expect(await http.ask('GET', '/readyz')).toEqual(good(200, { status: 'ready' }));
  });
});

describe('over TLS', () => {
  it('asks browsers to stay with it', async () => {
    const open = await chatAtPort();
    const http = await httpClient(open.port, 'tls');
    const strict = { 'strict-transport-security': 'max-age=31536000' };
    expect(await http.ask('GET', '/healthz')).toEqual(good(200, { status: 'ok' }, strict));
    expect((await http.ask('GET', '/nope')).headers).toMatchObject({ ...standing, ...strict });
  });
});

describe('the description of the API', () => {
  it('is served with the version of the program, to everybody', async () => {
    const open = await chatAtPort();
    const http = await httpClient(open.port);
    const answer = await http.ask('GET', '/openapi.json');
    expect(answer).toEqual(good(200, answer.body));
    expect(answer.body).toMatchObject({ openapi: '3.1.0', info: { title: 'chat', version: '0.0.0' } });
    const paths = Object.keys((answer.body as { paths: object }).paths);
    expect(new Set(paths)).toEqual(new Set(httpRoutes.map(({ path }) => path)));
  });
});

describe('the page about the API', () => {
  it('has every route and every status that is answered', async () => {
    const page = await readFile(new URL('../../../docs/http.md', import.meta.url), 'utf8');
    expect(httpRoutes.map(({ path }) => path).filter((path) => !page.includes(path))).toEqual([]);
    const statuses = Object.values(problems).map(([status]) => status);
    expect(statuses.filter((status) => !page.includes(`| ${status} |`))).toEqual([]);
  });
});

describe('a chat behind HTTP', () => {
  it('hears of what others do: a message sent here is told at once on the line door', async () => {
    const at = await chatWith('sam', 'eve');
    const line = await connectClear(at.port);
    line.call(1, 'login.resume', { session_token: at.eve.session_token });
    line.call(2, 'conversation.follow', { to: '@sam', after: 0 });
    await line.lineCount(2);
    await at.sam.ask('POST', '/api/conversations/@eve/messages', { body: { text: 'over there' } });
    await until(() => line.text.includes('over there'));
  });
});
