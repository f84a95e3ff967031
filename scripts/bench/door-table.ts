import { fromBase64 } from '../../src/core/crypto/bytes.ts';
import { beginLogin, type FinishedLogin } from '../../src/core/crypto/scram-client.ts';
import { chatProfile } from '../../src/core/crypto/scram-messages.ts';
import { platformDigests } from '../../src/server/digests.ts';
import { type BenchAccount, call, type OpenAccount, Refused } from './accounts.ts';
import { type HttpAnswer, type HttpQuestion, Wire } from './wire.ts';

/** Who a lane logs in as. */
export interface LaneParts {
  readonly port: number;
  /** The loopback address that it comes from: the server counts by address. */
  readonly from: string;
  readonly account: BenchAccount;
  readonly open: OpenAccount;
}

/** One client of a door, on a connection of its own. */
export interface Lane {
  /** Logs in and out once; throws {@link Refused} when the server says no, after which it may try again. */
  turn(): Promise<void>;
  close(): void;
}

/** One way to log in. */
export interface Door {
  readonly name: string;
  /** What no door of this kind can pass. */
  readonly floor: 'lines' | 'connections' | 'http' | 'bcrypt';
  /** Questions and answers in one turn. */
  readonly trips: number;
  open(parts: LaneParts): Promise<Lane>;
}

interface Begun {
  readonly exchange: string;
  readonly message: string;
  readonly server_key: string;
  readonly suites: readonly string[];
  readonly bindings: readonly string[];
}

function begin({ username }: BenchAccount) {
  const options = { username, binding: { kind: 'none' }, offeredBindings: [] } as const;
  const started = beginLogin(options, chatProfile, platformDigests);
  return {
    message: started.message,
    finish: ({ message, server_key, suites, bindings }: Begun, authSecret: Uint8Array): FinishedLogin =>
      started
        .readChallenge(message, {
          serverPublicKey: fromBase64(server_key) ?? new Uint8Array(),
          offer: { suites, bindings },
        })
        .finish(authSecret),
  };
}

/** A lane that stays connected. */
async function staying({ port, from }: LaneParts, turn: (wire: Wire) => Promise<void>): Promise<Lane> {
  const wire = await Wire.open(port, from);
  return { turn: () => turn(wire), close: () => wire.close() };
}

/** A lane that comes on a new connection each time. */
function coming({ port, from }: LaneParts, turn: (wire: Wire) => Promise<void>): Promise<Lane> {
  return Promise.resolve({
    async turn() {
      const wire = await Wire.open(port, from);
      try {
        await turn(wire);
      } finally {
        wire.close();
      }
    },
    close() {},
  });
}

async function pipe(wire: Wire, fields: readonly string[], expected: string): Promise<void> {
  const answer = await wire.line(fields.join('|'));
  const [, , code] = answer.split('|');
  if (!answer.startsWith(expected)) throw new Refused(code ?? answer);
}

async function slash(wire: Wire, words: string): Promise<void> {
  const answer = await wire.line(words);
  if (answer === 'Authentication Succeeded') return;
  if (!answer.includes('too many passwords')) throw new Refused(answer);
  throw new Refused(answer.includes('from your address') ? 'rate-limited' : 'unavailable');
}

async function http<T>(wire: Wire, method: string, path: string, question: HttpQuestion): Promise<T> {
  const { body } = accepted(await wire.http(method, path, question));
  return JSON.parse(body === '' ? 'null' : body);
}

async function page(wire: Wire, path: string, question: HttpQuestion): Promise<HttpAnswer> {
  return accepted(await wire.http('POST', path, question));
}

function accepted(answer: HttpAnswer): HttpAnswer {
  const { status, head, body } = answer;
  if (status === 200 || status === 204) return answer;
  const seconds = /\r\nretry-after: (\d+)/i.exec(head)?.[1];
  throw new Refused(JSON.parse(body).code, seconds === undefined ? undefined : Number(seconds) * 1_000);
}

function bearer(token: string): string {
  return `Authorization: Bearer ${token}\r\n`;
}

const httpLogout = (wire: Wire, token: string): Promise<void> =>
  http(wire, 'POST', '/api/auth/logout', { headers: bearer(token) });

async function passwordByCalls(wire: Wire, account: OpenAccount): Promise<void> {
  await call(wire, 'login.password', account);
  await call(wire, 'session.end', {});
}

/** Logs in by challenge and response, and sees that the server knows the account. */
export async function logInByProof(wire: Wire, account: BenchAccount): Promise<void> {
  const login = begin(account);
  const begun = await call<Begun>(wire, 'login.begin', { message: login.message });
  const finished = login.finish(begun, account.authSecret);
  const { exchange } = begun;
  const { message } = finished;
  const answer = await call<{ message: string }>(wire, 'login.finish', { exchange, message });
  finished.verifyServer(answer.message);
}

async function proofByCalls(wire: Wire, account: BenchAccount): Promise<void> {
  await logInByProof(wire, account);
  await call(wire, 'session.end', {});
}

/** A lane that stays connected by a WebSocket. */
function webSocket(parts: LaneParts, turn: (wire: Wire) => Promise<void>): Promise<Lane> {
  let isOpen = false;
  return staying(parts, async (wire) => {
    if (!isOpen) await wire.upgrade('/ws');
    isOpen = true;
    await turn(wire);
  });
}

/** The doors at which the server is shown a password, which it stretches itself. */
export const bcryptDoors: readonly Door[] = [
  {
    name: 'line, password',
    floor: 'bcrypt',
    trips: 2,
    open: (parts) => staying(parts, (wire) => passwordByCalls(wire, parts.open)),
  },
  {
    name: 'pipe, opaque password',
    floor: 'bcrypt',
    trips: 2,
    open: (parts) =>
      staying(parts, async (wire) => {
        await pipe(wire, ['AUTH', parts.open.username, parts.open.password], 'AUTH|SUCCESS|');
        await pipe(wire, ['LOGOUT'], 'LOGOUT|SUCCESS');
      }),
  },
  {
    name: 'slash, password (its connection too)',
    floor: 'bcrypt',
    trips: 2,
    open: (parts) =>
      coming(parts, async (wire) => {
        await slash(wire, `/login ${parts.open.username} ${parts.open.password}`);
        await wire.last('/exit');
      }),
  },
  {
    name: 'HTTP, password',
    floor: 'bcrypt',
    trips: 2,
    open: (parts) =>
      staying(parts, async (wire) => {
        const body = parts.open;
        const opened = await http<{ session_token: string }>(wire, 'POST', '/api/auth/login', { body });
        await httpLogout(wire, opened.session_token);
      }),
  },
  {
    name: 'page with cookies, password',
    floor: 'bcrypt',
    trips: 2,
    open: (parts) =>
      staying(parts, async (wire) => {
        const opened = await page(wire, '/login', { body: parts.open });
        const cookie = /\r\nset-cookie: (session_token=[^;\r]+)/i.exec(opened.head)?.[1];
        const { csrf_token } = JSON.parse(opened.body);
        await page(wire, '/logout', { headers: `Cookie: ${cookie}\r\nX-CSRF-Token: ${csrf_token}\r\n` });
      }),
  },
  {
    name: 'WebSocket, password',
    floor: 'bcrypt',
    trips: 2,
    open: (parts) => webSocket(parts, (wire) => passwordByCalls(wire, parts.open)),
  },
];

/** The doors at which the server does no slow work. */
export const fastDoors: readonly Door[] = [
  {
    name: 'line, challenge–response',
    floor: 'lines',
    trips: 3,
    open: (parts) => staying(parts, (wire) => proofByCalls(wire, parts.account)),
  },
  {
    name: 'pipe, hashed password',
    floor: 'lines',
    trips: 2,
    open: (parts) =>
      staying(parts, async (wire) => {
        await pipe(wire, ['AUTH', parts.account.username, parts.account.hashedPassword], 'AUTH|SUCCESS|');
        await pipe(wire, ['LOGOUT'], 'LOGOUT|SUCCESS');
      }),
  },
  {
    name: 'HTTP, challenge and proof',
    floor: 'http',
    trips: 3,
    open: (parts) =>
      staying(parts, async (wire) => {
        const login = begin(parts.account);
        const begun = await http<Begun>(wire, 'POST', '/api/auth/challenge', {
          body: { message: login.message },
        });
        const finished = login.finish(begun, parts.account.authSecret);
        const answer = await http<{ message: string; session_token: string }>(
          wire,
          'POST',
          '/api/auth/proof',
          { body: { exchange: begun.exchange, message: finished.message } },
        );
        finished.verifyServer(answer.message);
        await httpLogout(wire, answer.session_token);
      }),
  },
  {
    name: 'WebSocket, challenge–response',
    floor: 'lines',
    trips: 3,
    open: (parts) => webSocket(parts, (wire) => proofByCalls(wire, parts.account)),
  },
  {
    name: 'line, token (its connection too, no logout)',
    floor: 'connections',
    trips: 1,
    open: (parts) =>
      coming(parts, async (wire) => {
        await call(wire, 'login.resume', { session_token: parts.account.token });
      }),
  },
  {
    name: 'pipe, token (its connection too, no logout)',
    floor: 'connections',
    trips: 1,
    open: (parts) =>
      coming(parts, async (wire) => {
        await pipe(wire, ['TOKEN', parts.account.token], 'TOKEN|SUCCESS|');
      }),
  },
  {
    name: 'slash, token (its connection too, no logout)',
    floor: 'connections',
    trips: 1,
    open: (parts) =>
      coming(parts, async (wire) => {
        await slash(wire, `/login ${parts.account.username} ${parts.account.token}`);
      }),
  },
  {
    name: 'WebSocket, token (its connection too, no logout)',
    floor: 'connections',
    trips: 1,
    open: (parts) =>
      coming(parts, async (wire) => {
        await wire.upgrade('/ws');
        const { userId: user_id, token: session_token } = parts.account;
        const answer = await wire.line(JSON.stringify({ type: 'Authenticate', user_id, session_token }));
        if (!answer.includes('AuthSuccess')) throw new Refused(answer);
      }),
  },
  {
    name: 'HTTP, GET /api/account with a token',
    floor: 'http',
    trips: 1,
    open: (parts) =>
      staying(parts, async (wire) => {
        await http(wire, 'GET', '/api/account', { headers: bearer(parts.account.token) });
      }),
  },
];
