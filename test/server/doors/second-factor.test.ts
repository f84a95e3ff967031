import { describe, expect, it } from 'vitest';
import { formatHashedPassword } from '../../../src/core/crypto/hashed-password.ts';
import { stepMs, totpCode, totpStep } from '../../../src/core/crypto/totp.ts';
import { saltOfName } from '../../../src/core/crypto/verifier.ts';
import { parsePassword } from '../../../src/core/model/password.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { FakePeer } from '../../core/support/chat.ts';
import { secretOf } from '../../core/support/second-factor.ts';
import type { TestClient } from '../support/client.ts';
import { until } from '../support/until.ts';
import { connectWebSocket } from '../support/websocket.ts';
import { type ChatAtPort, chatAtPort, quickStretcher } from './support/real-chat.ts';

const password = 'words of olga';
/** Of a recovery code's form, and none of hers. */
const wrong = '0-0000-0000-0000';

/** A server with the open account `olga`, whose factor is on. */
interface Olga {
  readonly at: ChatAtPort;
  readonly secret: Uint8Array;
  /** Each works once, at whatever time. */
  readonly codes: readonly string[];
}

async function open(policy: Parameters<typeof chatAtPort>[0] = {}): Promise<Olga> {
  const at = await chatAtPort(policy);
  await at.register('olga', password);
  const peer = new FakePeer();
  await at.t.call(peer, 'login.password', { username: 'olga', password });
  const begun = await at.t.call(peer, 'account.totp-begin', { proof: { password } });
  const secret = secretOf(begun.secret);
  const code = totpCode(secret, totpStep(Date.now() - stepMs));
  const { recovery_codes: codes } = await at.t.call(peer, 'account.totp-confirm', { code });
  return { at, secret, codes };
}

/** The next whole line that a client gets. */
async function answerTo(client: TestClient, line: string): Promise<string> {
  const before = client.text.split('\n').length;
  client.write(`${line}\n`);
  await client.lineCount(before);
  return client.text.split('\n')[before - 1] ?? '';
}

/** One door's words: how olga logs in there without a code, what is said to that, and how the code is given. */
interface Door {
  readonly name: string;
  /** A connection, as a function that says something and answers what comes back. */
  connect(at: ChatAtPort): Promise<(said: string) => Promise<string>>;
  /** Logs in, with the code where it comes in the same words. */
  login(otp?: string): string;
  /** Gives the code by itself, where that can be done. */
  code?(otp: string): string;
  readonly asked: string | RegExp;
  readonly refused: string | RegExp;
  readonly opened: RegExp;
  /** Something for which one has to be logged in, and how it is refused to others. */
  readonly probe: readonly [said: string, refusal: RegExp];
}

const withOtp = (fields: object, otp?: string): object => (otp === undefined ? fields : { ...fields, otp });
const rpc = (method: string, params: object): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });

const lines = async (at: ChatAtPort): Promise<(said: string) => Promise<string>> => {
  const client = await at.connect();
  return (line) => answerTo(client, line);
};
const webSocket = async (at: ChatAtPort): Promise<(said: string) => Promise<string>> => {
  const socket = await connectWebSocket(at.port);
  return async (said) => {
    const before = socket.messages.length;
    socket.say(said);
    await until(() => socket.messages.length > before);
    return JSON.stringify(socket.messages[before]);
  };
};
/** Says `PATH BODY` as a POST; cookies are kept. */
const http =
  (type: string) =>
  async (at: ChatAtPort): Promise<(said: string) => Promise<string>> => {
    let cookie = '';
    return async (said) => {
      const [path = ''] = said.split(' ', 1);
      const body = said.slice(path.length + 1);
      const answer = await fetch(`http://127.0.0.1:${at.port}${path}`, {
        method: 'POST',
        headers: { 'content-type': type, ...(cookie === '' ? {} : { cookie }) },
        body,
      });
      const cookies = answer.headers.getSetCookie().map((one) => one.split(';', 1)[0]);
      if (cookies.length > 0) cookie = cookies.join('; ');
      const names = cookies.map((one) => one?.split('=', 1)[0]).join(' ');
      return `${answer.status} ${names} ${await answer.text()}`;
    };
  };

const rpcAnswers = {
  asked: /"code":"second-factor-required"/,
  refused: /"message":"the one-time code is wrong, too old or has been used already"/,
  opened: /"result":.*"session_token":"cs1_/,
  probe: [rpc('room.list', {}), /"message":"log in first"/],
} as const;

const rpcDoor = {
  login: (otp?: string) => rpc('login.password', withOtp({ username: 'olga', password }, otp)),
};

/** The canonical `hashed_pwd` of olga: the server tells everybody what it is made with. */
async function hashedPassword(at: ChatAtPort): Promise<string> {
  const username = parseUsername('olga');
  const { realm, cost } = await at.t.call(new FakePeer(), 'login.salt', { username });
  const { serverSecret } = await at.t.store.settings({ realm: '', serverSecret: new Uint8Array() });
  const salt = saltOfName(serverSecret, username, cost);
  const input = { realm, username, password: parsePassword(password), salt, cost };
  return formatHashedPassword(await quickStretcher.stretch(input, { owner: '', isWanted: () => true }));
}

const doors: readonly Door[] = [
  { name: 'JSON-RPC, the code in the login', connect: lines, ...rpcDoor, ...rpcAnswers },
  {
    name: 'JSON-RPC, the code by itself',
    connect: lines,
    ...rpcDoor,
    code: (otp) => rpc('login.second-factor', { otp }),
    ...rpcAnswers,
  },
  { name: 'WebSocket', connect: webSocket, ...rpcDoor, ...rpcAnswers },
  {
    name: 'pipe',
    connect: lines,
    login: () => `AUTH|olga|${password}`,
    code: (otp) => `OTP|${otp}`,
    asked: 'AUTH|FAILURE|second-factor-required',
    refused: 'AUTH|FAILURE|unauthenticated',
    opened: /^AUTH\|SUCCESS\|cs1_/,
    probe: ['USERS', /^USERS\|FAILURE\|unauthenticated$/],
  },
  {
    name: 'slash',
    connect: lines,
    login: () => `/login olga ${password}`,
    code: (otp) => `/otp ${otp}`,
    asked: 'error: second factor required',
    refused: 'error: the one-time code is wrong, too old or has been used already',
    opened: /^Authentication Succeeded$/,
    probe: ['/users', /^error: not logged in$/],
  },
  {
    name: 'HTTP',
    connect: http('application/json'),
    login: (otp) => `/api/auth/login ${JSON.stringify(withOtp({ username: 'olga', password }, otp))}`,
    asked: /^401 {2}\{.*"code":"second-factor-required"/,
    refused: /^401 {2}\{.*"code":"unauthenticated"/,
    opened: /^200 {2}\{.*"session_token":"cs1_/,
    probe: ['/api/rooms {"room":"ops"}', /^401 /],
  },
  {
    name: 'pages with cookies',
    connect: http('application/x-www-form-urlencoded'),
    login: (otp) =>
      `/login ${new URLSearchParams(withOtp({ username: 'olga', password }, otp) as Record<string, string>)}`,
    asked: /^401 {2}\{.*"code":"second-factor-required"/,
    refused: /^401 {2}\{.*"code":"unauthenticated"/,
    opened: /^200 session_token chat_device \{"csrf_token":"cf1_/,
    probe: ['/protected ', /^401 /],
  },
];

/** What a door says in words of its own. */
const fits = (expected: string | RegExp) =>
  typeof expected === 'string' ? expected : expect.stringMatching(expected);

describe('6.3.4: the second factor cannot be skipped', () => {
  it.each(doors)('$name', async (door) => {
    const { at, codes } = await open();
    const say = await door.connect(at);
    const give = (otp: string) => say(door.code ? door.code(otp) : door.login(otp));
    const [said, refusal] = door.probe;
    expect(await say(door.login())).toEqual(fits(door.asked));
    expect(await say(said)).toMatch(refusal);
    expect(await give(wrong)).toEqual(fits(door.refused));
    expect(await say(said)).toMatch(refusal);
    const [code = ''] = codes;
    expect(await give(code)).toMatch(door.opened);
    // It was used up.
    const again = await door.connect(at);
    const answer = await again(door.login(door.code ? undefined : code));
    expect(door.code ? await again(door.code(code)) : answer).toEqual(fits(door.refused));
  });

  it('by a hashed password at the pipe door, and the code of an authenticator works there', async () => {
    const { at, secret } = await open();
    const say = await lines(at);
    const hashed = await hashedPassword(at);
    expect(await say(`AUTH|olga|${hashed}`)).toBe('AUTH|FAILURE|second-factor-required');
    const code = totpCode(secret, totpStep(Date.now()));
    expect(await say(`OTP|${code}`)).toMatch(/^AUTH\|SUCCESS\|cs1_/);
    expect(await say('USERS')).toBe('USERS|SUCCESS|olga');
    const other = await lines(at);
    await other(`AUTH|olga|${hashed}`);
    expect(await other(`OTP|${code}`)).toBe('AUTH|FAILURE|unauthenticated');
  });

  it('by a code without a login before it, at a door that takes one by itself', async () => {
    const { at, codes } = await open();
    const [code = ''] = codes;
    expect(await (await lines(at))(`OTP|${code}`)).toBe('AUTH|FAILURE|unauthenticated');
    expect(await (await lines(at))(`/otp ${code}`)).toBe(
      'error: no login waits for a code here: log in again',
    );
    // Nobody has used it up.
    const say = await lines(at);
    await say(`/login olga ${password}`);
    expect(await say(`/otp ${code}`)).toBe('Authentication Succeeded');
    expect(await say(`/otp ${code}`)).toBe('error: user is already logged in');
  });

  it('by a login over another connection: a code goes on with its own alone', async () => {
    const { at, codes } = await open();
    const [say, other] = [await lines(at), await lines(at)];
    await say(`AUTH|olga|${password}`);
    expect(await other(`OTP|${codes[0]}`)).toBe('AUTH|FAILURE|unauthenticated');
    expect(await say(`OTP|${codes[0]}`)).toMatch(/^AUTH\|SUCCESS\|cs1_/);
  });
});

describe('a server that requires a second factor', () => {
  it('says so at the doors of text to an account without one, which is logged in', async () => {
    const at = await chatAtPort({ policy: { requiresSecondFactor: true } });
    await at.register('sam', password);
    const pipe = await lines(at);
    expect(await pipe(`AUTH|sam|${password}`)).toMatch(/^AUTH\|SUCCESS\|/);
    expect(await pipe('SEND|#lobby|hi')).toBe('SEND|FAILURE|forbidden');
    const slash = await lines(at);
    expect(await slash(`/login sam ${password}`)).toBe('Authentication Succeeded');
    expect(await slash('hello')).toBe(
      'error: this server requires a second factor, and this account has none: run `chat totp on`',
    );
  });
});
