import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Connection } from '../../src/client/connection.ts';
import { type LoginPin, login } from '../../src/client/login.ts';
import { proveAgain } from '../../src/client/prove-again.ts';
import { register } from '../../src/client/register.ts';
import { resume } from '../../src/client/resume.ts';
import { fromBase64, toBase64 } from '../../src/core/crypto/bytes.ts';
import { parseClientFirst } from '../../src/core/crypto/scram-messages.ts';
import {
  loginRefusal,
  type ServerExchange,
  serverFirst,
  verifyClientFinal,
} from '../../src/core/crypto/scram-server.ts';
import { stretch } from '../../src/core/crypto/stretch.ts';
import { verifierFrom } from '../../src/core/crypto/verifier.ts';
import { ChatError } from '../../src/core/errors.ts';
import type { Verifier } from '../../src/core/model/account.ts';
import { parsePassword } from '../../src/core/model/password.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { scriptRandomness } from '../../src/core/random.ts';
import { makeCertificate, type TestCertificate } from './support/certificate.ts';
import { connectTo, refusal, whole } from './support/connected.ts';
import { type Peer, type Request, startLineServer } from './support/line-server.ts';
import { ownAccount } from './support/own-account.ts';

const realm = 'chat.example';
const salt = Uint8Array.from({ length: 16 }, (_, index) => index);
const plainKey = new TextEncoder().encode('server public key');
const instant = '2026-01-02T03:04:05.678Z';
const session = {
  user_id: 'u1',
  username: 'alice',
  session_id: 's1',
  session_token: 'cs1_token',
  refresh_token: 'cr1_token',
  expires_at: instant,
  device_id: 'd1',
};

let certificate: TestCertificate;
let verifier: Verifier;

beforeAll(async () => {
  certificate = await makeCertificate();
  const [username, password] = [parseUsername('alice'), parsePassword('correct horse')];
  verifier = verifierFrom(await stretch({ realm, username, password, salt, cost: 10 }), salt, 10);
});

/** What a test may bend in a server that is otherwise honest. */
interface Bent {
  readonly tls?: boolean;
  readonly begin?: (answer: Record<string, unknown>) => object;
  readonly finish?: (answer: Record<string, unknown>) => object;
  readonly me?: object;
  readonly raised?: 'refused' | 'hung up';
  readonly offer?: { suites: readonly string[]; bindings: readonly string[] };
}

/** A server that speaks the real server half of the login, and records what it was asked. */
async function startLogin(bent: Bent = {}): Promise<{ connection: Connection; calls: Request[] }> {
  const calls: Request[] = [];
  const serverPublicKey = bent.tls ? certificate.spki : plainKey;
  const offer = bent.offer ?? { suites: [verifier.suite], bindings: bent.tls ? ['tls-exporter'] : [] };
  let exchange: ServerExchange;
  const begin = ({ params }: Request): object => {
    const clientFirst = parseClientFirst(String(params.message));
    if (!clientFirst.ok) throw loginRefusal(clientFirst.reason);
    const challenge = serverFirst({
      clientFirst: clientFirst.value,
      verifier,
      realm,
      offer,
      serverPublicKey,
    });
    if (!challenge.ok) throw loginRefusal(challenge.reason);
    exchange = challenge.value;
    const answer = {
      exchange: 'x1',
      message: exchange.message,
      server_key: toBase64(serverPublicKey),
      ...offer,
    };
    return bent.begin?.(answer) ?? answer;
  };
  const finish = ({ params }: Request, peer: Peer): object => {
    const binding = bent.tls
      ? (peer.socket as TLSSocket).exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
      : undefined;
    const proof = verifyClientFinal(exchange, String(params.message), binding);
    if (!proof.ok) throw loginRefusal(proof.reason);
    const answer = { ...session, message: proof.value };
    return bent.finish?.(answer) ?? answer;
  };
  const serve = (request: Request, peer: Peer): object => {
    if (request.method === 'login.begin') return begin(request);
    if (request.method === 'login.finish') return finish(request, peer);
    if (request.method === 'account.raise-verifier') {
      if (bent.raised === 'hung up') peer.socket.destroy();
      if (bent.raised !== undefined) throw new ChatError('unavailable', 'not now');
    }
    return request.method === 'account.me' ? (bent.me ?? ownAccount('alice')) : {};
  };
  const server = await startLineServer({
    ...(bent.tls ? { tls: certificate } : {}),
    onRequest: (request, peer) => {
      calls.push(request);
      try {
        peer.result(request, serve(request, peer));
      } catch (error) {
        peer.failure(request, error as { code: 'unauthenticated'; message: string });
      }
    },
  });
  return { connection: await connectTo(server), calls };
}

const alice = { username: 'Alice', password: 'correct horse' };
const plainPin: LoginPin = {
  suite: 'CHAT-SCRAM-BCRYPT-1',
  bound: false,
  cost: 10,
  realm,
  serverKey: 'TRhowlb5C4pYYv7SqdtIDvNFI+OhPZ2G0NfaPjlI/fg=',
};
const names = (calls: readonly Request[]): string[] => calls.map(({ method }) => method);

describe('logging in', () => {
  it('answers the session and what to pin, and its next call confirms it', async () => {
    const { connection, calls } = await startLogin();
    const fractions: number[] = [];
    const done = await login(connection, {
      ...alice,
      device: { label: 'laptop' },
      onProgress: (fraction) => void fractions.push(fraction),
    });
    expect(done).toEqual({ session, pin: plainPin });
    expect(names(calls)).toEqual(['login.begin', 'login.finish', 'account.me']);
    expect(calls[1]?.params).toEqual({
      exchange: 'x1',
      message: expect.any(String),
      device: { label: 'laptop' },
    });
    expect(fractions.at(-1)).toBe(1);
  });

  it('never sends the password or anything made of it but the proof', async () => {
    const { connection, calls } = await startLogin();
    await login(connection, { ...alice, otp: '123456' });
    expect(JSON.stringify(calls)).not.toContain('correct horse');
    expect(calls.map(({ params }) => Object.keys(params))).toEqual([
      ['message'],
      ['exchange', 'message', 'otp'],
      [],
    ]);
  });

  it('over TLS 1.3 is bound to the connection, and pins the key of the certificate', async () => {
    const { connection, calls } = await startLogin({ tls: true });
    const { pin } = await login(connection, alice);
    expect(pin).toMatchObject({ bound: true, cost: 10, realm });
    expect(`SHA256:${pin.serverKey.replace(/=$/, '')}`).toBe(connection.identity?.fingerprint);
    expect(calls[0]?.params.message).toMatch(/^p=tls-exporter,,n=alice,r=/);
  });

  it('is accepted again under the pin it gave', async () => {
    const { connection } = await startLogin();
    expect((await login(connection, { ...alice, pin: plainPin })).pin).toEqual(plainPin);
  });

  it('with a wrong password is unauthenticated, and nothing is rejected or confirmed', async () => {
    const { connection, calls } = await startLogin();
    const error = await refusal(login(connection, { ...alice, password: 'wrong horse' }));
    expect(whole(error)).toEqual({ code: 'unauthenticated', text: 'unknown user or wrong secret' });
    expect(names(calls)).toEqual(['login.begin', 'login.finish']);
  });

  it.each([
    ['a name', { ...alice, username: 'not a name' }],
    ['a password', { ...alice, password: 'short' }],
  ])('with %s that does not fit is refused before a byte is sent', async (_, options) => {
    const { connection, calls } = await startLogin();
    expect((await refusal(login(connection, options))).code).toBe('invalid');
    expect(calls).toEqual([]);
  });
});

describe('proving the password again', () => {
  it.each([false, true])(
    'makes a proof that the server takes, and sends nothing of it (TLS: %s)',
    async (tls) => {
      const { connection, calls } = await startLogin({ tls });
      const proof = await proveAgain(connection, alice);
      expect(proof).toEqual({ exchange: 'x1', message: expect.stringMatching(/^c=.+,r=.+,p=.+$/) });
      expect(names(calls)).toEqual(['login.begin']);
      expect(await connection.call('login.finish', proof)).toMatchObject({ username: 'alice' });
    },
  );

  it('makes one with a wrong password too: the server judges it', async () => {
    const { connection } = await startLogin();
    const proof = await proveAgain(connection, { ...alice, password: 'wrong horse' });
    expect((await refusal(connection.call('login.finish', proof))).code).toBe('unauthenticated');
  });

  it('is refused for a server that shows less than the pin', async () => {
    const { connection } = await startLogin();
    const weaker = proveAgain(connection, { ...alice, pin: { ...plainPin, cost: 12 } });
    expect((await refusal(weaker)).code).toBe('untrusted');
  });

  it.each([
    ['a name', { ...alice, username: 'not a name' }],
    ['a password', { ...alice, password: 'short' }],
  ])('with %s that does not fit is refused before a byte is sent', async (_, options) => {
    const { connection, calls } = await startLogin();
    expect((await refusal(proveAgain(connection, options))).code).toBe('invalid');
    expect(calls).toEqual([]);
  });
});

describe('logging in at a server whose cost has risen', () => {
  const newSalt = Uint8Array.from({ length: 16 }, (_, index) => 100 + index);
  const asked = { salt: toBase64(newSalt), cost: 11 };
  const asks =
    (raise: unknown) =>
    (answer: Record<string, unknown>): object => ({ ...answer, raise });

  it('hands over a verifier of the same password as it was asked, and pins the new cost', async () => {
    const { connection, calls } = await startLogin({ finish: asks(asked) });
    const done = await login(connection, alice);
    expect(done).toEqual({ session, pin: { ...plainPin, cost: 11 } });
    expect(names(calls)).toEqual(['login.begin', 'login.finish', 'account.me', 'account.raise-verifier']);
    const [username, password] = [parseUsername('alice'), parsePassword('correct horse')];
    const secret = await stretch({ realm, username, password, salt: newSalt, cost: 11 });
    const raised = verifierFrom(secret, newSalt, 11);
    expect(calls[3]?.params).toEqual({
      verifier: {
        suite: 'CHAT-SCRAM-BCRYPT-1',
        ...asked,
        stored_key: toBase64(raised.storedKey),
        server_key: toBase64(raised.serverKey),
      },
    });
  });

  it.each<[string, unknown]>([
    ['to a lower cost', { ...asked, cost: 9 }],
    ['to the same cost', { ...asked, cost: 10 }],
    ['beyond what this client does', { ...asked, cost: 15 }],
    ['between two costs', { ...asked, cost: 10.5 }],
    ['to a cost in words', { ...asked, cost: '11' }],
    ['to no number', { ...asked, cost: Number.NaN }],
    ['with a short salt', { ...asked, salt: toBase64(newSalt.slice(1)) }],
    ['with a salt that is no base64', { ...asked, salt: '!' }],
    ['with nothing', null],
    ['with a text', 'raise'],
  ])('(asked to raise %s) is logged in, and sends no verifier', async (_, raise) => {
    const { connection, calls } = await startLogin({ finish: asks(raise) });
    expect(await login(connection, alice)).toEqual({ session, pin: plainPin });
    expect(names(calls)).toEqual(['login.begin', 'login.finish', 'account.me']);
  });

  it('is logged in, under the old pin, when the server refuses the verifier it has asked for', async () => {
    const { connection } = await startLogin({ finish: asks(asked), raised: 'refused' });
    expect(await login(connection, alice)).toEqual({ session, pin: plainPin });
  });

  it('is logged in, under the old pin, when the connection ends meanwhile', async () => {
    const { connection } = await startLogin({ finish: asks(asked), raised: 'hung up' });
    expect(await login(connection, alice)).toEqual({ session, pin: plainPin });
  });

  it('asked by a server that cannot prove itself, sends no verifier', async () => {
    const { connection, calls } = await startLogin({
      finish: (answer) => ({ ...answer, message: 'v=AAAA', raise: asked }),
    });
    expect((await refusal(login(connection, alice))).code).toBe('unauthenticated');
    expect(names(calls)).toEqual(['login.begin', 'login.finish', 'login.reject']);
  });

  it('begins once more when another login has raised the verifier meanwhile, and only once', async () => {
    const conflict = () => {
      throw new ChatError('conflict', 'the verifier has been changed since this login began: begin again');
    };
    const answers = [conflict, (answer: Record<string, unknown>) => answer];
    const { connection, calls } = await startLogin({ finish: (answer) => answers.shift()?.(answer) ?? {} });
    expect(await login(connection, alice)).toEqual({ session, pin: plainPin });
    expect(names(calls)).toEqual([
      'login.begin',
      'login.finish',
      'login.begin',
      'login.finish',
      'account.me',
    ]);
    const stubborn = await startLogin({ finish: conflict });
    expect((await refusal(login(stubborn.connection, alice))).code).toBe('conflict');
    expect(names(stubborn.calls)).toEqual(['login.begin', 'login.finish', 'login.begin', 'login.finish']);
  });
});

describe('a server that cannot prove itself', () => {
  const v = (message: unknown): string => String(message);
  it.each<[string, (answer: Record<string, unknown>) => object]>([
    ['whose signature is wrong', (answer) => ({ ...answer, message: `v=${toBase64(new Uint8Array(32))}` })],
    ['whose signature is cut', (answer) => ({ ...answer, message: v(answer.message).slice(0, -4) })],
    ['that gives no signature', ({ message, ...answer }) => ({ ...answer, was: message })],
    ['whose signature is no text', (answer) => ({ ...answer, message: 5 })],
  ])('(%s) is rejected: no token is handed out, and it is told', async (_, finish) => {
    const { connection, calls } = await startLogin({ finish });
    const error = await refusal(login(connection, alice));
    expect(whole(error)).toEqual({
      code: 'unauthenticated',
      text: 'the server could not prove that it knows this account',
    });
    expect(names(calls)).toEqual(['login.begin', 'login.finish', 'login.reject']);
  });
});

describe('a server that is not to be trusted', () => {
  /** Replaces one attribute of server-first. */
  const attribute = (name: string, value: string) => (answer: Record<string, unknown>) => ({
    ...answer,
    message: String(answer.message)
      .split(',')
      .map((part) => (part.startsWith(`${name}=`) ? `${name}=${value}` : part))
      .join(','),
  });
  const bends: ReadonlyArray<[string, Bent, Partial<LoginPin> | undefined, string]> = [
    [
      'asks for a lower cost',
      { begin: attribute('i', '9') },
      undefined,
      'it asks for cost 9, which is not within 10 to 14',
    ],
    [
      'asks for a higher cost',
      { begin: attribute('i', '15') },
      undefined,
      'it asks for cost 15, which is not within 10 to 14',
    ],
    ['asks for less than before', {}, { cost: 11 }, 'it asks for cost 10, but asked for 11 before'],
    ['has another realm than before', {}, { realm: 'elsewhere' }, 'its realm has changed'],
    ['has another key than before', {}, { serverKey: toBase64(new Uint8Array(32)) }, 'its key has changed'],
    [
      'was bound before',
      {},
      { bound: true },
      'logins were bound to the TLS connection before, and this one is not',
    ],
    [
      'does not answer our challenge',
      { begin: attribute('r', 'x'.repeat(48)) },
      undefined,
      'its challenge does not answer ours',
    ],
    [
      'sends no challenge',
      { begin: (answer) => ({ ...answer, message: 'hello' }) },
      undefined,
      'its challenge is malformed',
    ],
    [
      'hides what it offers',
      { begin: (answer) => ({ ...answer, suites: ['A'] }) },
      undefined,
      'what it offers was changed on the way',
    ],
    [
      'sends another key',
      { begin: (answer) => ({ ...answer, server_key: 'AAAA' }) },
      undefined,
      'its challenge was made for another server key',
    ],
    [
      'has a login key that is not its TLS key',
      { tls: true, begin: (answer) => ({ ...answer, server_key: toBase64(plainKey) }) },
      undefined,
      'its login key is not the key of its TLS certificate',
    ],
  ];
  it.each(bends)('(it %s) never gets to the password', async (_, bent, pin, why) => {
    const { connection, calls } = await startLogin(bent);
    const onProgress = vi.fn();
    const options = { ...alice, onProgress, ...(pin ? { pin: { ...plainPin, ...pin } } : {}) };
    expect(whole(await refusal(login(connection, options)))).toEqual({
      code: 'untrusted',
      text: `the server cannot be trusted with a login: ${why}`,
    });
    expect(onProgress).not.toHaveBeenCalled();
    expect(names(calls)).toEqual(['login.begin']);
  });

  it.each<[string, Bent, string]>([
    [
      'a challenge without an exchange',
      { begin: ({ exchange, ...answer }) => ({ ...answer, was: exchange }) },
      'a wrong exchange',
    ],
    ['suites that are no list', { begin: (answer) => ({ ...answer, suites: 'A' }) }, 'a wrong suites'],
    [
      'bindings that are no names',
      { begin: (answer) => ({ ...answer, bindings: ['a b'] }) },
      'a wrong bindings',
    ],
    [
      'a key that is no base64',
      { begin: (answer) => ({ ...answer, server_key: 'A' }) },
      'a wrong server_key',
    ],
    [
      "another account's session",
      { finish: (answer) => ({ ...answer, username: 'mallory' }) },
      "another account's name",
    ],
    [
      'a session without a token',
      { finish: (answer) => ({ ...answer, session_token: 7 }) },
      'a wrong session_token',
    ],
    ["another account's confirmation", { me: ownAccount('mallory') }, "another account's name"],
  ])('(%s) is unavailable, and the connection is closed', async (_, bent, what) => {
    const { connection } = await startLogin(bent);
    const error = await refusal(login(connection, alice));
    expect(error.code).toBe('unavailable');
    expect(error.message).toContain(`the server answered with ${what}`);
    await connection.closed;
  });
});

describe('registering', () => {
  const begun = { realm, cost: 10, suite: 'CHAT-SCRAM-BCRYPT-1', server_key: toBase64(plainKey) };
  const made = { user_id: 'u1', username: 'alice', created_at: instant };

  async function startRegister(answers: { begun?: object; made?: object; tls?: boolean }) {
    const calls: Request[] = [];
    const server = await startLineServer({
      ...(answers.tls ? { tls: certificate } : {}),
      onRequest: (request, peer) => {
        calls.push(request);
        const isBegin = request.method === 'account.begin-register';
        peer.result(request, isBegin ? { ...begun, ...answers.begun } : { ...made, ...answers.made });
      },
    });
    return { connection: await connectTo(server), calls };
  }

  it('sends a verifier that the password fits, made with a new salt, and nothing else of it', async () => {
    onTestFinished(scriptRandomness(() => salt));
    const { connection, calls } = await startRegister({});
    expect(await register(connection, { ...alice, email: 'a@b.example' })).toEqual(made);
    expect(names(calls)).toEqual(['account.begin-register', 'account.register']);
    expect(calls[1]?.params).toEqual({
      username: 'alice',
      email: 'a@b.example',
      verifier: {
        suite: verifier.suite,
        salt: toBase64(salt),
        cost: 10,
        stored_key: toBase64(verifier.storedKey),
        server_key: toBase64(verifier.serverKey),
      },
    });
  });

  it('asks for an invite only where one is needed, once, and not when one is given', async () => {
    const asked: string[] = [];
    const askInvite = async (registration: string) => {
      asked.push(registration);
      return 'asked for';
    };
    const sent = async (registration: string | undefined, given: { invite?: string }) => {
      const { connection, calls } = await startRegister({ begun: registration ? { registration } : {} });
      await register(connection, { ...alice, ...given, askInvite: () => askInvite(registration ?? '') });
      return calls[1]?.params.invite;
    };
    expect(await sent(undefined, {})).toBeUndefined();
    expect(await sent('open', {})).toBeUndefined();
    expect(await sent('closed', {})).toBeUndefined();
    expect(await sent('invite', { invite: 'given' })).toBe('given');
    expect(await sent('open', { invite: 'given' })).toBe('given');
    expect(asked).toEqual([]);
    expect(await sent('invite', {})).toBe('asked for');
    expect(asked).toEqual(['invite']);
  });

  it('uses sixteen bytes of salt that no other registration has', async () => {
    const salts: unknown[] = [];
    for (let round = 0; round < 2; round++) {
      const { connection, calls } = await startRegister({});
      await register(connection, alice);
      salts.push((calls[1]?.params.verifier as { salt: string } | undefined)?.salt);
    }
    expect(salts.map((text) => fromBase64(String(text))?.length)).toEqual([16, 16]);
    expect(salts[0]).not.toBe(salts[1]);
  });

  it.each<[string, object]>([
    ['a cost of 9', { cost: 9 }],
    ['a cost of 15', { cost: 15 }],
    ['a cost between', { cost: 10.5 }],
    ['another suite', { suite: 'PLAIN' }],
    ['a realm that is none', { realm: 'a|b' }],
  ])('at a server that asks for %s is untrusted, before the password is touched', async (_, bent) => {
    const { connection, calls } = await startRegister({ begun: bent });
    expect((await refusal(register(connection, alice))).code).toBe('untrusted');
    expect(names(calls)).toEqual(['account.begin-register']);
  });

  it.each<[string, string, object]>([
    ['a common one where those are refused', 'Trustno1', { min_code_points: 6, common: 'refuse' }],
    ['one too short for this server', 'correct hor', { min_code_points: 12, common: 'warn' }],
    ['the name itself', 'alice.smith', { min_code_points: 6, common: 'warn' }],
  ])('refuses %s before anything of it is sent', async (_, password, password_policy) => {
    const { connection, calls } = await startRegister({ begun: { password_policy } });
    const refused = await refusal(register(connection, { username: 'alice.smith', password }));
    expect([refused.code, refused.details.field]).toEqual(['invalid', 'password']);
    expect(names(calls)).toEqual(['account.begin-register']);
  });

  it.each<[string, object]>([
    ['warns', { password_policy: { min_code_points: 6, common: 'warn' } }],
    ['says nothing', {}],
  ])('with a common password goes on at a server that %s, and tells', async (_, rules) => {
    const { connection, calls } = await startRegister({ begun: rules });
    const warnings: string[] = [];
    await register(connection, { ...alice, password: 'trustno1', onWarning: (text) => warnings.push(text) });
    expect(warnings).toEqual([
      'this password is among the most common ones, which are guessed first: choose another',
    ]);
    expect(names(calls)).toEqual(['account.begin-register', 'account.register']);
  });

  it.each<[string, unknown]>([
    ['no object', 6],
    ['a length below the least', { min_code_points: 5, common: 'warn' }],
    ['a length that nothing has', { min_code_points: 257, common: 'warn' }],
    ['half a length', { min_code_points: 6.5, common: 'warn' }],
    ['no length', { common: 'warn' }],
    ['an unknown rule', { min_code_points: 6, common: 'maybe' }],
  ])('takes a password policy with %s for a broken answer', async (_, password_policy) => {
    const { connection, calls } = await startRegister({ begun: { password_policy } });
    expect((await refusal(register(connection, alice))).code).toBe('unavailable');
    expect(names(calls)).toEqual(['account.begin-register']);
  });

  it('at a server whose login key is not its TLS key is untrusted', async () => {
    const { connection } = await startRegister({ tls: true });
    expect((await refusal(register(connection, alice))).code).toBe('untrusted');
    const spki = new X509Certificate(certificate.cert).publicKey.export({ type: 'spki', format: 'der' });
    const honest = await startRegister({ tls: true, begun: { server_key: toBase64(spki) } });
    expect(await register(honest.connection, alice)).toEqual(made);
  });

  it('believes only an account of the name it asked for', async () => {
    const { connection } = await startRegister({ made: { username: 'mallory' } });
    expect((await refusal(register(connection, alice))).code).toBe('unavailable');
  });
});

describe('resuming', () => {
  const { session_token, refresh_token, ...resumed } = session;

  it('hands the token over and answers whose session it is', async () => {
    const server = await startLineServer();
    const connection = await connectTo(server);
    const peer = await server.peer();
    const answer = resume(connection, session_token);
    const request = await peer.next();
    expect([request.method, request.params]).toEqual(['login.resume', { session_token }]);
    peer.result(request, { ...resumed, refresh_token });
    expect(await answer).toEqual(resumed);
  });

  it('with a token that is not alive is unauthenticated', async () => {
    const server = await startLineServer();
    const connection = await connectTo(server);
    const peer = await server.peer();
    const answer = refusal(resume(connection, session_token));
    peer.failure(await peer.next(), { code: 'unauthenticated', message: 'the session is unknown' });
    expect(whole(await answer)).toEqual({ code: 'unauthenticated', text: 'the session is unknown' });
  });
});
