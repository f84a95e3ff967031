import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { type FormRoute, formPages } from '../../../src/core/codecs/http-form.ts';
import { openChat, type TestChat } from '../../core/support/chat.ts';
import { type Listening, listening } from '../support/listening.ts';
import { standing } from './support/http.ts';
import { quickStretcher } from './support/real-chat.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

/** How a request differs from a POST without anything. */
interface Asked {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

const form = 'application/x-www-form-urlencoded';
const password = 'correct horse';

/** A browser without a screen, at a server with a real chat. */
class Browser {
  readonly #port: number;
  cookies: Record<string, string> = {};
  csrfToken = '';

  constructor({ port }: Pick<Listening, 'port'>) {
    this.#port = port;
  }

  ask(path: string, { method = 'POST', headers = {}, body }: Asked = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: this.#port, method, path, agent: false, headers },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const { statusCode = 0 } = response;
            resolve({
              status: statusCode,
              headers: response.headers,
              body: text === '' ? {} : JSON.parse(text),
            });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** Sends fields as a page's form does, and keeps the cookies that come. */
  async send(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
    const answer = await this.ask(path, {
      headers: { 'content-type': form, ...this.own(), ...headers },
      body: new URLSearchParams(fields).toString(),
    });
    for (const cookie of answer.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      this.cookies[name] = value;
    }
    return answer;
  }

  /** The headers that show who this browser is. */
  own(): Record<string, string> {
    const pairs = Object.entries(this.cookies).map(([name, value]) => `${name}=${value}`);
    return {
      ...(pairs.length === 0 ? {} : { cookie: pairs.join('; ') }),
      ...(this.csrfToken === '' ? {} : { 'x-csrf-token': this.csrfToken }),
    };
  }

  async login(username: string): Promise<void> {
    const { status, body } = await this.send('/login', { username, password });
    if (status !== 200) throw new Error(JSON.stringify(body));
    this.csrfToken = String(body.csrf_token);
  }
}

/** A server where these people are registered. */
async function opened(
  usernames: readonly string[] = [],
  pages?: Map<string, FormRoute>,
): Promise<{ t: TestChat; at: Listening }> {
  const t = await openChat({ stretcher: quickStretcher });
  const at = await listening({ calls: t.chat, ...(pages ? { pages } : {}) });
  for (const username of usernames) {
    const { status } = await new Browser(at).send('/register', { username, password });
    expect(status).toBe(201);
  }
  return { t, at };
}

/** The parts of a problem that matter. */
const problem = ({ status, body: { detail, field, code } }: Answer) => ({
  status,
  code,
  detail,
  ...(field === undefined ? {} : { field }),
});

const noSession = {
  status: 401,
  code: 'unauthenticated',
  detail: 'log in first: POST /login sets the cookie',
};
const deadSession = {
  status: 401,
  code: 'unauthenticated',
  detail: 'the session is unknown, expired or revoked',
};
const badCsrf = {
  status: 403,
  code: 'forbidden',
  detail: 'the CSRF token is missing, or is not the latest one of this session',
};
const foreignSite = {
  status: 403,
  code: 'forbidden',
  detail: 'this request was made by a page of another site',
};

describe('a page that is added while the server runs', () => {
  const notes: FormRoute = {
    path: '/notes',
    isProtected: true,
    status: 200,
    fields: ['text'],
    async serve({ text }, { call }) {
      const { username } = await call('account.me', {});
      return { body: { username, text } };
    },
  };

  test('3.5.1: is one entry, and is served to its session with its CSRF token and to nobody else', async () => {
    const pages = formPages();
    const { at } = await opened(['alice'], pages);
    const alice = new Browser(at);
    await alice.login('alice');
    expect((await alice.send('/notes', { text: 'x' })).status).toBe(404);

    pages.set(notes.path, notes);
    expect(await alice.send('/notes', { text: 'x' })).toMatchObject({
      status: 200,
      body: { username: 'alice', text: 'x' },
    });
    expect(problem(await new Browser(at).send('/notes', { text: 'x' }))).toEqual(noSession);
    expect(problem(await alice.send('/notes', { text: 'x' }, { 'x-csrf-token': '' }))).toEqual(badCsrf);
    expect(problem(await alice.send('/notes', { text: 'x' }, { origin: 'null' }))).toEqual(foreignSite);
    expect((await alice.ask('/notes', { method: 'GET', headers: alice.own() })).status).toBe(405);
    expect(problem(await alice.send('/notes', { text: 'x', more: 'y' }))).toMatchObject({ field: 'more' });

    pages.delete(notes.path);
    expect((await alice.send('/notes', { text: 'x' })).status).toBe(404);
  });

  test('is open to anybody when its entry says so', async () => {
    const pages = formPages();
    const { at } = await opened(['alice'], pages);
    const open: FormRoute = {
      path: '/time',
      isProtected: false,
      status: 200,
      fields: [],
      serve: async (_fields, { call }) => ({ body: { protocol: (await call('ping', {})).protocol } }),
    };
    pages.set(open.path, open);
    expect(await new Browser(at).ask('/time')).toMatchObject({ status: 200, body: { protocol: 1 } });
  });
});

describe('a protected page', () => {
  const paths = ['/protected', '/dashboard', '/logout'];

  test('3.5.1: asks for a session first, then for that session’s latest CSRF token', async () => {
    const { at } = await opened(['alice', 'bob']);
    const [alice, bob] = [new Browser(at), new Browser(at)];
    await alice.login('alice');
    const older = alice.csrfToken;
    await bob.login('bob');
    await alice.login('alice');
    const cookie = alice.own().cookie ?? '';
    const ask = (path: string, headers: Record<string, string>) => alice.ask(path, { headers });
    for (const path of paths) {
      expect(problem(await ask(path, {}))).toEqual(noSession);
      expect(problem(await ask(path, { 'x-csrf-token': alice.csrfToken }))).toEqual(noSession);
      expect(problem(await ask(path, { cookie: 'session_token=', 'x-csrf-token': alice.csrfToken }))).toEqual(
        noSession,
      );
      for (const value of ['garbage', `cs1_${'A'.repeat(43)}`, 'x'.repeat(8_000), '"', '%00', '__proto__']) {
        const headers = { cookie: `session_token=${value}`, 'x-csrf-token': alice.csrfToken };
        expect(problem(await ask(path, headers))).toEqual(deadSession);
      }
      expect(problem(await ask(path, { cookie }))).toEqual(badCsrf);
      for (const value of ['', '<CSRFToken>', older, bob.csrfToken, `${alice.csrfToken}x`]) {
        expect(problem(await ask(path, { cookie, 'x-csrf-token': value }))).toEqual(badCsrf);
      }
    }
    for (const path of paths) expect((await ask(path, alice.own())).status).toBe(200);
    for (const path of paths) expect(problem(await ask(path, alice.own()))).toEqual(deadSession);
    expect((await bob.ask('/protected', { headers: bob.own() })).body).toMatchObject({ username: 'bob' });
  });

  test('takes a token from its cookie alone', async () => {
    const { at } = await opened(['alice']);
    const alice = new Browser(at);
    await alice.login('alice');
    const token = alice.cookies.session_token;
    const headers = { 'x-csrf-token': alice.csrfToken };
    const bearer = { ...headers, authorization: `Bearer ${token}` };
    expect(problem(await alice.ask('/protected', { headers: bearer }))).toEqual(noSession);
    const tls = { ...headers, cookie: `__Host-session_token=${token}` };
    expect(problem(await alice.ask('/protected', { headers: tls }))).toEqual(noSession);
    const twice = { ...headers, cookie: `session_token=${token}; session_token=${token}` };
    expect(problem(await alice.ask('/protected', { headers: twice }))).toEqual({
      status: 400,
      code: 'invalid',
      detail: 'cookie session_token: it was sent twice',
      field: 'session_token',
    });
    const inUrl = await alice.ask(`/protected?session_token=${token}`, { headers: alice.own() });
    expect(problem(inUrl)).toMatchObject({ status: 400, code: 'invalid', field: 'session_token' });
    expect(JSON.stringify(inUrl.body)).not.toContain(token);
  });

  test('is the account’s: its sessions, its rooms and what it has not read', async () => {
    const { t, at } = await opened(['alice', 'bob']);
    const alice = new Browser(at);
    const bob = new Browser(at);
    await alice.login('alice');
    await bob.login('bob');
    const dashboard = async () => (await alice.ask('/dashboard', { headers: alice.own() })).body;
    const account = await t.store.account('bob' as never);
    for (const [index, to] of [
      { kind: 'room', room: 'lobby' },
      { kind: 'direct', peer: 'alice' },
    ].entries()) {
      await t.store.appendMessage({
        id: `01890000-0000-7000-8000-00000000000${index}` as never,
        senderId: account?.id as never,
        sender: 'bob' as never,
        to: to as never,
        key: undefined,
        sentAt: 1,
        body: { text: 'hello' },
      });
    }
    expect(await dashboard()).toMatchObject({
      username: 'alice',
      sessions: [{ door: 'cookie', current: true }],
      rooms: [{ to: '#lobby', last_seq: 1, read_seq: 0, unread: 1 }],
      direct: [{ to: '@bob', last_seq: 1, read_seq: 0, unread: 1 }],
      unread: 2,
    });
    expect(JSON.stringify(await dashboard())).not.toMatch(/c[srf]f?1_/);
  });
});

describe('/login', () => {
  test('7.2.4: gives the browser’s device a new session each time, also when its cookie is another account’s', async () => {
    const { at } = await opened(['alice', 'bob']);
    const browser = new Browser(at);
    await browser.login('alice');
    const first = { ...browser.cookies };
    await browser.login('alice');
    expect(browser.cookies.chat_device).toBe(first.chat_device);
    expect(browser.cookies.session_token).not.toBe(first.session_token);
    await browser.login('bob');
    expect(browser.cookies.chat_device).not.toBe(first.chat_device);
  });

  test.each([
    '',
    'x',
    '01890000-0000-7000-8000-000000000000',
    '01890000-0000-1000-0000-000000000000',
    '__proto__',
    '%22',
  ])('takes a device cookie that is none of its own for none: %j', async (value) => {
    const { at } = await opened(['alice']);
    const browser = new Browser(at);
    browser.cookies.chat_device = value;
    await browser.login('alice');
    expect(browser.cookies.chat_device).toMatch(/^[0-9a-f-]{36}$/);
    expect(browser.cookies.chat_device).not.toBe(value);
  });

  test('3.3.4: shows the session’s token in its cookie and nowhere else', async () => {
    const { at } = await opened(['alice']);
    const browser = new Browser(at);
    const { body, headers } = await browser.send('/login', { username: 'alice', password });
    expect(Object.keys(body)).toEqual(['csrf_token', 'user_id', 'username', 'expires_at']);
    const { 'set-cookie': cookies, ...others } = headers;
    expect(cookies?.[0]).toContain(browser.cookies.session_token);
    expect(JSON.stringify([body, others])).not.toMatch(/c[sr]1_/);
  });

  test('6.3.8: answers an unknown name, an unknown address and a wrong password the same', async () => {
    const { at } = await opened(['alice']);
    const wrong = await new Browser(at).send('/login', { username: 'alice', password: 'wrong horse' });
    expect(wrong.status).toBe(401);
    expect(wrong.headers['set-cookie']).toBeUndefined();
    for (const who of [{ username: 'nobody-here' }, { email: 'nobody@example.com' }]) {
      const unknown = await new Browser(at).send('/login', { ...who, password: 'wrong horse' });
      expect(unknown.body).toEqual(wrong.body);
    }
  });

  test('goes on with a session whose token is shown in place of a password, and ends the browser’s own', async () => {
    const { at } = await opened(['alice', 'bob']);
    const [browser, other] = [new Browser(at), new Browser(at)];
    await browser.login('alice');
    await other.login('bob');
    const own = browser.own();
    const { chat_device } = browser.cookies;
    const session_token = other.cookies.session_token ?? '';
    const answer = await browser.send('/login', { session_token });
    expect(answer).toMatchObject({ status: 200, body: { username: 'bob' } });
    expect(browser.cookies).toEqual({ chat_device, session_token });
    expect(problem(await browser.ask('/protected', { headers: own }))).toEqual(deadSession);
    // Its CSRF token is the latest one now.
    expect(problem(await other.ask('/protected', { headers: other.own() }))).toEqual(badCsrf);
    browser.csrfToken = String(answer.body.csrf_token);
    expect((await browser.ask('/protected', { headers: browser.own() })).status).toBe(200);
    for (const bad of ['x', `cs1_${'A'.repeat(43)}`]) {
      expect(problem(await new Browser(at).send('/login', { session_token: bad }))).toEqual(deadSession);
    }
    const notHis = await new Browser(at).send('/login', { session_token, username: 'alice' });
    expect(problem(notHis)).toEqual(deadSession);
  });

  test.each([
    [{}, 'password'],
    [{ username: 'alice' }, 'password'],
    [{ username: 'alice', session_token: '' }, 'password'],
    [{ password }, 'username'],
    [{ username: 'alice', email: 'a@example.com', password }, 'username'],
    [{ username: 'alice', password: '12345' }, 'password'],
    [{ username: 'alice', password, session_token: `cs1_${'A'.repeat(43)}` }, 'password'],
    [{ email: 'a@example.com', session_token: `cs1_${'A'.repeat(43)}` }, 'email'],
    [{ username: 'alice', password, otp: '1'.repeat(65) }, 'otp'],
    [{ username: 'alice', password, device: 'x' }, 'device'],
    [{ username: 'alice', password, ends_with_connection: 'true' }, 'ends_with_connection'],
  ])('names the field that is missing, too much or wrong: %j', async (fields, field) => {
    const { at } = await opened();
    const answer = await new Browser(at).send('/login', fields as Record<string, string>);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid', field } });
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  test.each(['otp', 'session_token'])('takes an empty %s for none', async (field) => {
    const { at } = await opened(['alice']);
    const login = { username: 'alice', password, [field]: '' };
    expect((await new Browser(at).send('/login', login)).status).toBe(200);
  });
});

describe('/register', () => {
  test('answers who was made, and logs nobody in', async () => {
    const { at } = await opened();
    const answer = await new Browser(at).send('/register', { email: 'Carol.C@example.com', password });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({ user_id: expect.any(String), username: 'carol.c' });
    expect(answer.headers['set-cookie']).toBeUndefined();
    const again = await new Browser(at).send('/register', { username: 'carol.c', password });
    expect(problem(again)).toEqual({
      status: 409,
      code: 'conflict',
      detail: 'this username is taken already',
      field: 'username',
    });
  });

  test.each([
    [{}, 'password'],
    [{ username: 'carol' }, 'password'],
    [{ username: 'carol', password: '12345' }, 'password'],
    [{ username: 'c c', password }, 'username'],
    [{ username: 'carol', email: 'nothing', password }, 'email'],
    [{ username: 'carol', password, is_admin: '1' }, 'is_admin'],
    [{ username: 'carol', password, verifier: 'x' }, 'verifier'],
  ])('names the field that is missing, too much or wrong: %j', async (fields, field) => {
    const { at } = await opened();
    const answer = await new Browser(at).send('/register', fields as Record<string, string>);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid', field } });
  });
});

describe('every page', () => {
  const all = ['/register', '/login', '/protected', '/dashboard', '/logout'];

  test('4.4.2: refuses a page of another site, also with the right cookie and token', async () => {
    const { at } = await opened(['alice']);
    const alice = new Browser(at);
    await alice.login('alice');
    for (const path of all) {
      for (const from of [
        { origin: 'http://evil.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
      ]) {
        const answer = await alice.send(path, { username: 'mallory', password }, from);
        expect(problem(answer)).toEqual(foreignSite);
        expect(answer.headers['access-control-allow-origin']).toBeUndefined();
      }
    }
    const own = { origin: `http://127.0.0.1:${at.port}`, 'sec-fetch-site': 'same-origin' };
    expect((await alice.send('/register', { username: 'mallory', password }, own)).status).toBe(201);
  });

  test('3.5.3: is a POST: nothing else does anything, with or without a session', async () => {
    const { at } = await opened(['alice']);
    const alice = new Browser(at);
    await alice.login('alice');
    for (const path of all) {
      for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']) {
        const answer = await alice.ask(path, { method, headers: alice.own() });
        expect(answer).toMatchObject({ status: 405, headers: { allow: 'POST, OPTIONS' } });
      }
      const asked = await alice.ask(path, { method: 'OPTIONS', headers: { origin: 'http://evil.example' } });
      expect(asked).toMatchObject({ status: 204, headers: { allow: 'POST, OPTIONS' }, body: {} });
      expect(Object.keys(asked.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    expect((await alice.ask('/protected', { headers: alice.own() })).status).toBe(200);
  });

  test('3.4.3–3.4.6, 14.3.2: answers with the headers that keep browsers from doing harm, whatever it answers', async () => {
    const { at } = await opened(['alice']);
    const browser = new Browser(at);
    const answers = [
      await browser.send('/login', { username: 'alice', password }),
      await browser.send('/login', {}),
      await browser.ask('/login', { method: 'GET' }),
      await browser.ask('/login', { headers: { 'content-type': 'text/plain' }, body: 'x' }),
      await browser.ask('/protected'),
      await browser.ask('/nothing-here'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 405, 415, 401, 404]);
    for (const { headers } of answers) {
      expect(headers).toMatchObject(standing);
    }
  });

  test.each([
    ['no kind', {}, 'username=alice'],
    ['plain text', { 'content-type': 'text/plain' }, 'username=alice'],
    ['no media type at all', { 'content-type': 'nonsense' }, 'username=alice'],
    ['XML', { 'content-type': 'application/xml' }, '<a/>'],
    ['another charset', { 'content-type': `${form}; charset=latin1` }, 'username=alice'],
  ])('refuses a body of %s', async (_name, headers, body) => {
    const { at } = await opened();
    for (const path of ['/register', '/login']) {
      expect(problem(await new Browser(at).ask(path, { headers, body }))).toEqual({
        status: 415,
        code: 'unsupported',
        detail:
          'a form is one of application/x-www-form-urlencoded, multipart/form-data, application/json, in UTF-8',
      });
    }
  });

  test('refuses a body that is longer than a line, in each of its kinds, and not one that fits', async () => {
    const { at } = await opened();
    const browser = new Browser(at);
    for (const type of [form, 'multipart/form-data; boundary=XX', 'application/json']) {
      const answer = await browser.ask('/login', {
        headers: { 'content-type': type },
        body: Buffer.alloc(131_073, 'x'),
      });
      expect(problem(answer)).toEqual({ status: 413, code: 'too-large', detail: 'the body is too long' });
    }
    const fits = await browser.ask('/login', {
      headers: { 'content-type': form },
      body: `password=${'x'.repeat(131_072 - 9)}`,
    });
    expect(fits).toMatchObject({ status: 400, body: { field: 'password' } });
  });

  test('14.2.1: takes nothing from its address', async () => {
    const { at } = await opened();
    const secret = await new Browser(at).ask(`/login?username=alice&password=${password.replace(' ', '+')}`);
    expect(problem(secret)).toMatchObject({ status: 400, code: 'invalid', field: 'password' });
    expect(JSON.stringify(secret.body)).not.toContain('horse');
    const other = await new Browser(at).ask('/login?next=%2F');
    expect(problem(other)).toEqual({
      status: 400,
      code: 'invalid',
      detail: 'nothing stands in the query here: send a body',
    });
  });

  test('is read from JSON as from a form', async () => {
    const { at } = await opened(['alice']);
    const json = (body: unknown) =>
      new Browser(at).ask('/login', {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect((await json({ username: 'alice', password })).status).toBe(200);
    expect(await json({ username: 'alice', password: 5 })).toMatchObject({
      status: 400,
      body: { field: 'password' },
    });
    expect(await json({ session_token: {} })).toMatchObject({
      status: 400,
      body: { field: 'session_token' },
    });
  });

  test('/logout reads nothing of its body, whatever it is', async () => {
    const { at } = await opened(['alice']);
    for (const [type, body] of [
      [form, 'username=bob&username=%zz'],
      ['text/plain', 'x'],
      ['nonsense', 'x'],
      ['application/json', '{'],
      ['multipart/form-data', 'broken'],
    ] as const) {
      const alice = new Browser(at);
      await alice.login('alice');
      const headers = { ...alice.own(), 'content-type': type };
      const answer = await alice.ask('/logout', { headers, body });
      expect(answer).toMatchObject({ status: 200, body: { logged_out: true } });
      expect(answer.headers['set-cookie']).toEqual([
        'session_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax',
      ]);
    }
  });

  test('is at its address exactly, however that is spelled', async () => {
    const { at } = await opened(['alice']);
    const status = async (path: string) =>
      (await new Browser(at).send(path, { username: 'alice', password })).status;
    const others = [
      '/Login',
      '/login/',
      '//login',
      '/login%2f',
      '/login;x',
      '/',
      '/__proto__',
      '/constructor',
    ];
    for (const path of others) expect([path, await status(path)]).toEqual([path, 404]);
    // RFC 3986 section 6.2.2.2, RFC 9112 section 3.2.2.
    const same = ['/login', '/%6cogin', `http://127.0.0.1:${at.port}/login`];
    for (const path of same) expect([path, await status(path)]).toEqual([path, 200]);
  });
});

describe('the API, asked by a page with the cookie', () => {
  const path = '/api/conversations/@bob/messages';
  const json = { 'content-type': 'application/json' };
  const body = JSON.stringify({ text: 'from a page' });

  test('reads with the cookie alone', async () => {
    const { at } = await opened(['alice', 'bob']);
    const browser = new Browser(at);
    await browser.login('alice');
    const { cookie = '' } = browser.own();
    const answer = await browser.ask('/api/account', { method: 'GET', headers: { cookie } });
    expect([answer.status, answer.body.username]).toEqual([200, 'alice']);
  });

  test('changes nothing without the CSRF token, with an older one, or from a foreign site (ASVS 3.5.1)', async () => {
    const { at } = await opened(['alice', 'bob']);
    const browser = new Browser(at);
    await browser.login('alice');
    const older = browser.csrfToken;
    await browser.login('alice');
    const { cookie = '', ...csrf } = browser.own();
    const headers = { ...json, cookie };
    expect(problem(await browser.ask(path, { headers, body }))).toEqual(badCsrf);
    expect(
      problem(await browser.ask(path, { headers: { ...headers, 'x-csrf-token': older }, body })),
    ).toEqual(badCsrf);
    const foreign = { ...headers, ...csrf, origin: 'https://elsewhere.example' };
    expect(problem(await browser.ask(path, { headers: foreign, body }))).toEqual(foreignSite);
    const stored = await browser.ask(path, { method: 'GET', headers: { cookie } });
    expect(stored.body.messages).toEqual([]);
  });

  test('sends with both', async () => {
    const { at } = await opened(['alice', 'bob']);
    const browser = new Browser(at);
    await browser.login('alice');
    const answer = await browser.ask(path, { headers: { ...json, ...browser.own() }, body });
    expect([answer.status, answer.body.seq]).toEqual([201, 1]);
  });

  test('goes by the Authorization header where there is one', async () => {
    const { at } = await opened(['alice', 'bob']);
    const browser = new Browser(at);
    await browser.login('alice');
    const headers = { ...browser.own(), authorization: 'Bearer cs1_nothing' };
    expect(problem(await browser.ask('/api/account', { method: 'GET', headers }))).toEqual(deadSession);
  });
});
