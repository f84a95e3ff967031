import { type IncomingMessage, request as requestClear } from 'node:http';
import { request as requestSecure } from 'node:https';
import { text } from 'node:stream/consumers';
import type { Place, TestDoor, Visit } from './test-door.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: object;
  readonly form?: Readonly<Record<string, string>>;
}

/** One request on a connection of its own. */
export async function ask(
  { port, isSecure }: Place,
  { method, path, headers, json, form }: Request,
): Promise<Answer> {
  const body = json ? JSON.stringify(json) : form ? new URLSearchParams(form).toString() : '';
  const request = (isSecure ? requestSecure : requestClear)({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: false,
    headers: {
      ...headers,
      ...(json ? { 'Content-Type': 'application/json' } : {}),
      ...(form ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {}),
      'Content-Length': Buffer.byteLength(body),
    },
    ...(isSecure ? { rejectUnauthorized: false } : {}),
  });
  request.end(body);
  const came = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  const said = await text(came);
  return {
    status: came.statusCode ?? 0,
    headers: came.headers,
    body: said === '' ? {} : (JSON.parse(said) as Record<string, unknown>),
  };
}

/** Throws what was said unless it went well. */
async function askWell(place: Place, request: Request): Promise<Answer> {
  const answer = await ask(place, request);
  if (answer.status >= 400) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

function visit(place: Place, headers: Readonly<Record<string, string>>): Visit {
  return {
    async send(to, said) {
      const path = `/api/conversations/@${to}/messages`;
      await askWell(place, { method: 'POST', path, headers, json: { text: said } });
    },
    async read(from, count) {
      const path = `/api/conversations/@${from}/messages?after=0&limit=${count}`;
      const { body } = await askWell(place, { method: 'GET', path, headers });
      return (body.messages as Array<{ text: string }>).map((message) => message.text);
    },
    async ended() {
      while ((await ask(place, { method: 'GET', path: '/api/account', headers })).status !== 401);
    },
    close() {},
  };
}

/** Document 2's HTTP API. */
export const http: TestDoor = {
  name: 'HTTP',
  door: 'http',
  makes: 'open',
  showsPassword: true,
  async register(place, username, password) {
    await askWell(place, { method: 'POST', path: '/api/auth/register', json: { username, password } });
  },
  async logIn(place, username, credential) {
    const token =
      'token' in credential
        ? credential.token
        : (
            await askWell(place, {
              method: 'POST',
              path: '/api/auth/login',
              json: { username, password: credential.password },
            })
          ).body.session_token;
    const headers = { Authorization: `Bearer ${token}` };
    await askWell(place, { method: 'GET', path: '/api/account', headers });
    return visit(place, headers);
  },
};

/** Document 4's cookie and CSRF token, which a page uses the API with. */
export const cookie: TestDoor = {
  name: 'cookie',
  door: 'cookie',
  makes: 'open',
  showsPassword: true,
  async register(place, username, password) {
    await askWell(place, { method: 'POST', path: '/register', form: { username, password } });
  },
  async logIn(place, username, credential) {
    const form =
      'token' in credential
        ? { session_token: credential.token }
        : { username, password: credential.password };
    const { headers, body } = await askWell(place, { method: 'POST', path: '/login', form });
    const cookies = (headers['set-cookie'] ?? []).map((set) => set.split(';', 1)[0]).join('; ');
    const own = { Cookie: cookies, 'X-CSRF-Token': String(body.csrf_token) };
    await askWell(place, { method: 'POST', path: '/protected', headers: own });
    return visit(place, own);
  },
};
