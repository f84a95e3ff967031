import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { OpenedSession } from '../../src/client/login.ts';
import {
  type Chat,
  ChatError,
  type ConnectionState,
  type ConnectOptions,
  connect,
  type Following,
  type Message,
} from '../../src/library/library.ts';
import { runHere } from '../e2e/support/here.ts';
import { codeOf } from '../e2e/support/second-factor.ts';
import { LiveServer, password } from './support/live-server.ts';
import { Road } from './support/road.ts';

const server = new LiveServer();
let alice: OpenedSession;
let bob: OpenedSession;

beforeAll(async () => {
  await server.start();
  [alice, bob] = await Promise.all([server.register('alice'), server.register('bob')]);
});
afterEach(() => server.closePrograms());
afterAll(() => server.close());

let rooms = 0;

/** A new room with bob in it, and bob. */
async function roomOfBob(): Promise<{ room: string; sam: Chat }> {
  rooms += 1;
  const room = `#room${rooms}`;
  const sam = await server.connect({ token: bob.session_token });
  const { code, err } = await chat(bob, 'join', room, '--create');
  expect([code, err]).toEqual([0, '']);
  return { room, sam };
}

/** Runs the command line as whoever a session is of. */
async function chat({ username, session_token: token }: OpenedSession, ...words: string[]) {
  return await runHere([...words, '--quiet'], { ...machineOf(username), CHAT_TOKEN: token });
}

/** What the command line of somebody's own machine is run with. */
function machineOf(name: string) {
  return {
    CHAT_SERVER: server.address,
    CHAT_FINGERPRINT: server.fingerprint,
    CHAT_PASSWORD: password,
    XDG_STATE_HOME: join(server.directory, name),
    XDG_CONFIG_HOME: join(server.directory, name),
  };
}

/** Begins to follow, and answers what takes messages once it has begun. */
async function following(
  program: (onState: (state: ConnectionState) => void) => Promise<{ loop: Following }>,
): Promise<{ loop: Following; messages: AsyncIterator<Message>; first: Promise<IteratorResult<Message>> }> {
  const begun = Promise.withResolvers<void>();
  const { loop } = await program((state) => {
    if (state.kind === 'following') begun.resolve();
  });
  const messages = loop[Symbol.asyncIterator]();
  const first = messages.next();
  await Promise.race([begun.promise, first]);
  return { loop, messages, first };
}

async function refusal(work: Promise<unknown>): Promise<[string, string]> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ChatError) return [error.code, error.message];
  throw error ?? new Error('it did not reject');
}

const eventually = <T>(check: () => T) => vi.waitFor(check, { interval: 5, timeout: 60_000 });
const texts = (messages: readonly Message[]) => messages.map(({ text }) => text);

async function take(messages: AsyncIterator<Message>, count: number): Promise<Message[]> {
  const taken: Message[] = [];
  while (taken.length < count) {
    const { value, done } = await messages.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

describe('a program', () => {
  it('logs in with name and password, and its session ends when it is closed', async () => {
    const program = await server.connect({ username: 'Alice', password, device: 'a program' });
    expect(program.username).toBe('alice');
    const before = await chat(alice, 'sessions', '-o', 'json');
    expect(before.out).toContain('a program');
    await program.close();
    expect((await chat(alice, 'sessions', '-o', 'json')).out).not.toContain('a program');
  });

  it('logs in with a session token, which stays alive when it is closed', async () => {
    const program = await server.connect({ token: alice.session_token });
    expect(program.username).toBe('alice');
    await program.close();
    expect((await server.connect({ token: alice.session_token })).username).toBe('alice');
  });

  it('is asked for a one-time code where the account has a second factor', async () => {
    const hal = await server.register('hal');
    const totp = async (...words: string[]) => {
      const { code, out, err } = await chat(hal, 'totp', 'on', '-o', 'json', ...words);
      expect([code, err]).toEqual([0, '']);
      return JSON.parse(out) as { secret: string; recovery_codes: string[] };
    };
    const { secret } = await totp();
    const { recovery_codes } = await totp('--otp', codeOf(secret));
    const given = { username: 'hal', password };
    expect((await refusal(server.connect(given)))[0]).toBe('second-factor-required');
    const otp = () => recovery_codes[0] ?? '';
    expect((await server.connect({ ...given, otp })).username).toBe('hal');
  });

  it('sends: in the order of the calls, once under one key', async () => {
    const { room, sam } = await roomOfBob();
    const stored = await Promise.all(['one', 'two', 'three'].map((text) => sam.send(room, text)));
    expect(stored.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    const [first, again] = [
      await sam.send(room, 'four', { key: 'k' }),
      await sam.send(room, 'five', { key: 'k' }),
    ];
    expect(again).toEqual(first);
    expect(first).toEqual({ id: expect.any(String), seq: 4, sent_at: expect.stringMatching(/Z$/) });
    const kept: Message[] = [];
    for await (const message of sam.history(room)) kept.push(message);
    expect(texts(kept)).toEqual(['one', 'two', 'three', 'four']);
  });

  it('answers what it hears, and does not hear itself', async () => {
    const { room, sam } = await roomOfBob();
    const begun = Promise.withResolvers<void>();
    const bot = await server.connect({ token: alice.session_token, onState: () => begun.resolve() });
    expect([await bot.join(room), await bot.join(room)]).toEqual([true, false]);
    const loop = bot.follow(room);
    const heardByBot: Message[] = [];
    const answering = (async () => {
      for await (const message of loop) {
        heardByBot.push(message);
        if (message.text === '!ping') await bot.send(message.to, 'pong');
        if (message.text === '!end') break;
      }
    })();
    await begun.promise;
    const heard = sam.follow(room, { last: 10, own: true });
    const messages = heard[Symbol.asyncIterator]();
    await sam.send(room, '!ping');
    expect(texts(await take(messages, 2))).toEqual(['!ping', 'pong']);
    await sam.send(room, '!end');
    await answering;
    expect(texts(heardByBot)).toEqual(['!ping', '!end']);
    heard.stop();
  });

  it('reads the past from where it is told, and no more than it is told', async () => {
    const { room, sam } = await roomOfBob();
    for (const text of ['a', 'b', 'c', 'd']) await sam.send(room, text);
    const read = async (options?: Parameters<Chat['history']>[1]) => {
      const found: Message[] = [];
      for await (const message of sam.history(room, options)) found.push(message);
      return texts(found).join('');
    };
    expect(await read()).toBe('abcd');
    expect(await read({ last: 1 })).toBe('d');
    expect(await read({ after: 1, limit: 2 })).toBe('bc');
    expect(await read({ limit: 0 })).toBe('');
    expect(await read({ since: new Date(0), limit: 1 })).toBe('a');
    expect(await read({ since: new Date(Date.now() + 60_000) })).toBe('');
  });

  it('goes on where the run before has ended, with what came between', async () => {
    const { room, sam } = await roomOfBob();
    await sam.send(room, 'a');
    const begin = async (cursors?: Readonly<Record<string, number>>) =>
      await following(async (onState) => {
        const bot = await server.connect({ token: alice.session_token, onState });
        await bot.join(room);
        return { loop: bot.follow(room, { cursors, last: 1 }) };
      });
    const before = await begin();
    expect((await before.first).value?.text).toBe('a');
    await sam.send(room, 'b');
    expect(texts(await take(before.messages, 1))).toEqual(['b']);
    before.loop.stop();
    expect(before.loop.cursors).toEqual({ [room]: 2 });
    await sam.send(room, 'c');
    const after = await begin(before.loop.cursors);
    expect((await after.first).value?.text).toBe('c');
    expect(after.loop.cursors).toEqual({ [room]: 3 });
  });

  it('of all own conversations goes on with one that has begun meanwhile', async () => {
    const carol = await server.register('carol');
    const first = await following(async (onState) => ({
      loop: (await server.connect({ token: carol.session_token, onState })).follow(),
    }));
    first.loop.stop();
    expect(first.loop.cursors).toEqual({ '#lobby': expect.any(Number) });
    const sam = await server.connect({ token: bob.session_token });
    await sam.send('@carol', 'hello', { allowClear: true });
    const second = (await server.connect({ token: carol.session_token })).follow([], {
      cursors: first.loop.cursors,
    });
    expect((await second[Symbol.asyncIterator]().next()).value).toMatchObject({ to: '@bob', text: 'hello' });
    second.stop();
  });

  it('lists people and rooms, and leaves a room', async () => {
    const { room, sam } = await roomOfBob();
    const program = await server.connect({ token: alice.session_token });
    await program.join(room.slice(1));
    expect(await program.members(room)).toEqual([
      { username: 'alice', online: true },
      { username: 'bob', online: true },
    ]);
    expect([await program.leave(room), await program.leave(room)]).toEqual([true, false]);
    expect(await sam.members(room)).toEqual([{ username: 'bob', online: true }]);
    expect(await program.rooms()).toContainEqual({
      room,
      members: 1,
      member: false,
      last_seq: expect.any(Number),
    });
    expect(await program.users()).toContainEqual({ username: 'bob', online: true });
    expect(await program.users({ all: true })).toContainEqual({ username: 'alice', online: true });
  });
});

describe('a server', () => {
  it('that shows another key than the one that was named is refused', async () => {
    const expected = `SHA256:${'A'.repeat(43)}`;
    expect(await refusal(server.connect({ token: alice.session_token, fingerprint: expected }))).toEqual([
      'untrusted',
      `chat://${server.address} shows the key ${server.fingerprint}, not the expected ${expected}`,
    ]);
  });

  it('that nobody vouches for is refused, on this machine too', async () => {
    expect(await refusal(server.connect({ token: alice.session_token, fingerprint: undefined }))).toEqual([
      'untrusted',
      `nobody that this system trusts has vouched for chat://${server.address}, which shows the key ${server.fingerprint}; compare it with what \`chat serve\` printed there, then give it as fingerprint`,
    ]);
  });

  it('is trusted by the authority that was given, and by no other', async () => {
    const ca = readFileSync(join(server.directory, 'data/ttpkeys/ca.crt'), 'utf8');
    const program = await server.connect({ token: alice.session_token, fingerprint: undefined, ca: [ca] });
    expect(program.username).toBe('alice');
    const other = new LiveServer();
    try {
      await other.start();
      const [code, text] = await refusal(connect({ server: other.address, ca, username: 'alice', password }));
      expect([code, text.slice(0, 60)]).toEqual([
        'untrusted',
        'no authority that was given as ca has vouched for chat://127',
      ]);
    } finally {
      await other.close();
    }
  });

  it('over plain:// is spoken to in clear text on this machine', async () => {
    const program = await server.connect({
      server: `plain://${server.address}`,
      fingerprint: undefined,
      token: alice.session_token,
    });
    expect((await program.send('#lobby', 'in clear')).seq).toBeGreaterThan(0);
  });
});

describe('a server that is away', () => {
  const states: ConnectionState[] = [];
  const onState = (state: ConnectionState) => void states.push(state);

  it('is waited for, at the beginning and amid all, without a gap or a repeat', async () => {
    const { room, sam } = await roomOfBob();
    await server.stop();
    const connecting = server.connect({ username: 'alice', password, onState });
    await eventually(() => expect(states.length).toBeGreaterThan(0));
    expect(states[0]).toMatchObject({ kind: 'waiting', cause: { code: 'unavailable' } });
    await server.start();
    const program = await connecting;
    await program.join(room);
    const loop = program.follow(room, { last: 10 });
    const messages = loop[Symbol.asyncIterator]();
    await sam.send(room, 'before');
    expect(texts(await take(messages, 1))).toEqual(['before']);
    const next = take(messages, 3);
    await server.stop();
    const sends = ['one', 'two', 'three'].map((text) => sam.send(room, text));
    const asked = program.members(room);
    await server.start();
    expect((await Promise.all(sends)).map(({ seq }) => seq)).toEqual([2, 3, 4]);
    expect(texts(await next)).toEqual(['one', 'two', 'three']);
    expect((await asked).map(({ username }) => username)).toEqual(['alice', 'bob']);
    loop.stop();
  });

  it('is given up after the time that was given for it', async () => {
    const nobody = { server: '127.0.0.1:1', fingerprint: server.fingerprint, token: 'cs1_x', timeoutMs: 300 };
    expect(await refusal(connect(nobody))).toEqual([
      'unavailable',
      expect.stringMatching(
        /^chat:\/\/127\.0\.0\.1:1: (cannot connect: connection refused|no connection within)/,
      ),
    ]);
  });
});

describe('a server that says nothing any more', () => {
  it('is given up after the time that was given for it, whatever it was asked', async () => {
    const road = new Road(server.address);
    try {
      const given = {
        server: `plain://${await road.open()}`,
        fingerprint: undefined,
        token: alice.session_token,
        timeoutMs: 1_000,
      };
      // One for each, since whoever gives up a connection ends what others have asked on it.
      const [lists, reads, sends] = await Promise.all([
        server.connect(given),
        server.connect(given),
        server.connect(given),
      ]);
      road.block();
      const refusals = await Promise.all([
        refusal(lists.users()),
        refusal(reads.history('#lobby')[Symbol.asyncIterator]().next()),
        refusal(sends.send('#lobby', 'x')),
        refusal(server.connect(given)),
      ]);
      expect(refusals).toEqual([
        ['timeout', expect.stringMatching(/^user\.list: no answer within (\d{1,3}|1000) ms$/)],
        ['timeout', 'message.history: no answer within 1000 ms'],
        ['unavailable', 'the server acknowledged nothing within 1000 ms'],
        ['timeout', 'login.resume: no answer within 1000 ms'],
      ]);
    } finally {
      await road.close();
    }
  });
});

describe('a session that has ended', () => {
  it('is the end of a program that has a token alone, with the reason', async () => {
    const dave = await server.register('dave');
    const { loop, first } = await following(async (onState) => ({
      loop: (await server.connect({ token: dave.session_token, onState })).follow(),
    }));
    const ended = refusal(first);
    expect((await chat(dave, 'sessions', 'revoke', '--all')).code).toBe(0);
    expect(await ended).toEqual([
      'unauthenticated',
      `chat://${server.address}: the session has ended: it was revoked; \`chat token\` prints another one`,
    ]);
    loop.stop();
    expect(await refusal(server.connect({ token: dave.session_token }))).toEqual([
      'unauthenticated',
      `chat://${server.address}: the token is of no session that is alive; \`chat token\` prints another one`,
    ]);
  });

  it('is renewed by a program that has the password, whatever it is doing', async () => {
    const erin = await server.register('erin');
    const begun: ConnectionState[] = [];
    const onState = (state: ConnectionState) => void begun.push(state);
    const program = await server.connect({ username: 'erin', password, onState });
    const other = await server.connect({ username: 'erin', password });
    const messages = program.follow('#lobby')[Symbol.asyncIterator]();
    const first = messages.next();
    await eventually(() => expect(begun).toHaveLength(1));
    expect((await chat(erin, 'sessions', 'revoke', '--all')).code).toBe(0);
    await eventually(() => expect(begun).toHaveLength(2));
    await (await server.connect({ token: bob.session_token })).send('#lobby', 'still there?');
    expect((await first).value?.text).toBe('still there?');
    expect((await program.send('#lobby', 'yes')).seq).toBeGreaterThan(0);
    expect(await other.members('#lobby')).toContainEqual({ username: 'erin', online: true });
  });
});

describe('private messages', () => {
  afterEach(() => vi.unstubAllEnvs());

  async function keysOf(who: string): Promise<void> {
    const { code, err } = await runHere(
      ['register', who, '--quiet', '--recovery-file', join(server.directory, `${who}.recovery`)],
      machineOf(who),
    );
    expect([code, err]).toEqual([0, '']);
  }

  it('are encrypted and opened with the keys of this machine, and nobody else reads them', async () => {
    await keysOf('fay');
    await keysOf('gus');
    vi.stubEnv('XDG_STATE_HOME', join(server.directory, 'fay'));
    const fay = await server.connect({ username: 'fay', password, keys: true });
    const loop = fay.follow('@gus', { last: 10, own: true });
    const messages = loop[Symbol.asyncIterator]();
    await fay.send('@gus', 'a secret');
    expect(await take(messages, 1)).toEqual([
      expect.objectContaining({ to: '@gus', text: 'a secret', unsealed: { kind: 'encrypted' } }),
    ]);
    const answer = await runHere(['send', '@fay', 'another'], machineOf('gus'));
    expect([answer.code, answer.err]).toEqual([0, '']);
    expect(await take(messages, 1)).toEqual([
      expect.objectContaining({ sender: 'gus', text: 'another', unsealed: { kind: 'encrypted' } }),
    ]);
    loop.stop();
    const without = await server.connect({ username: 'fay', password });
    const seen: Message[] = [];
    for await (const message of without.history('@gus')) seen.push(message);
    expect(seen.map(({ text, unsealed }) => [text, unsealed?.kind])).toEqual([
      [undefined, 'locked'],
      [undefined, 'locked'],
    ]);
  });

  it('that cannot be encrypted are refused, unless they may go in clear', async () => {
    const program = await server.connect({ token: alice.session_token });
    const why = 'private messages are encrypted with the keys that { keys: true } takes from this machine';
    const advice = '{ allowClear: true } sends it so that the server can read it';
    expect(await refusal(program.send('@bob', 'x'))).toEqual(['untrusted', `${why}; ${advice}`]);
    vi.stubEnv('XDG_STATE_HOME', join(server.directory, 'alice'));
    const withKeys = await server.connect({ token: alice.session_token, keys: true });
    expect(await refusal(withKeys.send('@bob', 'x'))).toEqual([
      'untrusted',
      `this machine has no keys of this account: chat keys restore brings them (in a script: --recovery-file FILE); ${advice}`,
    ]);
    expect((await withKeys.send('@bob', 'x', { allowClear: true })).seq).toBe(1);
    expect((await program.send('#lobby', 'after a refusal all goes on')).seq).toBeGreaterThan(0);
  });
});

describe('the end', () => {
  it('comes to a loop that waits, by stop and by close, and to what is asked after it', async () => {
    const program = await server.connect({ token: alice.session_token });
    const [stopped, closed] = [program.follow('#lobby'), program.follow()];
    const waiting = [stopped, closed].map((loop) => loop[Symbol.asyncIterator]().next());
    stopped.stop();
    expect(await waiting[0]).toEqual({ done: true, value: undefined });
    await program.close();
    expect(await waiting[1]).toEqual({ done: true, value: undefined });
    const text = 'this chat was closed: connect again';
    expect(await refusal(program.send('#lobby', 'x'))).toEqual(['unavailable', text]);
    expect(await refusal(program.users())).toEqual(['unavailable', text]);
    expect(() => program.follow()).toThrow(text);
    await program.close();
  });

  it('comes to a program that is still connecting', async () => {
    const program = await server.connect({ token: alice.session_token });
    await server.stop();
    const sending = refusal(program.send('#lobby', 'x'));
    const asking = refusal(program.users());
    await program.close();
    expect((await sending)[0]).toBe('unavailable');
    expect((await asking)[0]).toBe('unavailable');
    await server.start();
  });

  it('comes to a loop whose iterator is given back while it waits', async () => {
    const { messages, first } = await following(async (onState) => ({
      loop: (await server.connect({ token: alice.session_token, onState })).follow('#lobby'),
    }));
    const over = { done: true, value: undefined };
    expect(await Promise.all([messages.return?.(), first])).toEqual([over, over]);
  });

  it('comes to a loop with what onState throws, and with that alone', async () => {
    const program = await server.connect({
      token: alice.session_token,
      onState: () => {
        throw new Error('of the listener');
      },
    });
    await expect(program.follow('#lobby')[Symbol.asyncIterator]().next()).rejects.toThrow('of the listener');
    expect((await program.users()).length).toBeGreaterThan(0);
  });

  it('messages are read once', async () => {
    const program = await server.connect({ token: alice.session_token });
    const loop = program.follow('#lobby');
    loop[Symbol.asyncIterator]();
    expect(() => loop[Symbol.asyncIterator]()).toThrow('these messages are read already');
  });
});

describe('what does not fit', () => {
  const token = 'cs1_x';
  const pem = '-----BEGIN CERTIFICATE-----';
  const fingerprint = `SHA256:${'A'.repeat(43)}`;
  it.each<[object, string]>([
    [
      { server: 'h', token, fingerprnt: 'x' },
      'fingerprnt: there is no such option; there are server, fingerprint, ca, token, username, password, otp, device, keys, timeoutMs, onState',
    ],
    [{ token }, 'server: it is missing'],
    [{ server: 5, token }, 'server: it is a string'],
    [
      { server: 'http://h', token },
      "server: a server's address begins with chat:// or plain://, not http://",
    ],
    [{ server: 'h:0', token }, 'server: a port is a number from 1 to 65535'],
    [
      { server: 'plain://example.org', token },
      'server: plain:// is for loopback only (127.0.0.1, [::1], localhost): elsewhere use chat://',
    ],
    [
      { server: 'h', token, fingerprint: 'SHA256:abc' },
      'fingerprint: it is SHA256: and 43 characters, as `chat serve` prints it',
    ],
    [{ server: 'h', token, fingerprint, ca: pem }, 'ca: a fingerprint needs none: give one of them'],
    [{ server: 'h', token, ca: '/etc/ca.pem' }, 'ca: it is certificates as PEM, not the name of a file'],
    [{ server: 'h', token, ca: [5] }, 'ca: it is a string or a list of strings'],
    [
      { server: 'plain://localhost', token, fingerprint },
      'fingerprint: clear text shows no key: use chat://',
    ],
    [{ server: 'plain://localhost', token, ca: pem }, 'ca: clear text shows no key: use chat://'],
    [{ server: 'h' }, 'username: it is missing; or give a token'],
    [{ server: 'h', username: 'alice' }, 'password: it is missing; or give a token'],
    [{ server: 'h', username: 'alice', password, token }, 'token: give it, or username and password'],
    [{ server: 'h', token: 'a b' }, 'token: it is a session token, as `chat token` prints it'],
    [{ server: 'h', token: '' }, 'token: it is a session token, as `chat token` prints it'],
    [{ server: 'h', username: 'alice', password: 'short' }, 'password: it has at least 6 characters'],
    [{ server: 'h', token, keys: 'yes' }, 'keys: it is true or false'],
    [{ server: 'h', token, timeoutMs: 0 }, 'timeoutMs: it is a number of milliseconds from 1 to 2147483647'],
    [
      { server: 'h', token, timeoutMs: Number.POSITIVE_INFINITY },
      'timeoutMs: it is a number of milliseconds from 1 to 2147483647',
    ],
    [{ server: 'h', token, onState: {} }, 'onState: it is a function'],
  ])('is refused by name: %j', async (options, text) => {
    expect(await refusal(connect(options as ConnectOptions))).toEqual(['invalid', text]);
  });

  it('is refused in what a program asks for, and nothing is sent', async () => {
    const program = await server.connect({ token: alice.session_token });
    // As a program without types can call it.
    const loose = program as unknown as Record<string, (...words: unknown[]) => unknown>;
    const tried = async (name: string, ...words: unknown[]) =>
      await refusal((async () => await loose[name]?.call(program, ...words))());
    const nameText = expect.stringMatching(/^to: /);
    expect(await tried('send', 'lobby', 'x')).toEqual(['invalid', nameText]);
    expect(await tried('send', '#lobby', '')).toEqual([
      'invalid',
      'the text is empty; a message has at least one character',
    ]);
    expect(await tried('send', '#lobby', 'x'.repeat(70_000))).toEqual(['too-large', expect.any(String)]);
    expect(await tried('send', '#lobby', 5)).toEqual(['invalid', 'text: it is a string']);
    expect(await tried('send', '#lobby', 'x', { timeout: 5 })).toEqual([
      'invalid',
      'timeout: there is no such option; there are key, timeoutMs, allowClear',
    ]);
    expect(await tried('send', '#nowhere', 'x')).toEqual(['not-found', expect.any(String)]);
    expect(await tried('follow', 'lobby')).toEqual(['invalid', nameText]);
    expect(await tried('follow', [], { last: 1, since: '2019-11-01T09:30:00Z' })).toEqual([
      'invalid',
      'since: it goes without last',
    ]);
    expect(await tried('follow', [], { since: '2019-11-01 09:30' })).toEqual([
      'invalid',
      'since: it is a Date, or a moment as 2019-11-01T09:30:00Z',
    ]);
    expect(await tried('follow', [], { since: 'yesterday' })).toEqual([
      'invalid',
      'since: it is a Date, or a moment as 2019-11-01T09:30:00Z',
    ]);
    expect(await tried('follow', [], { cursors: { '#lobby': -1 } })).toEqual([
      'invalid',
      'cursors: it is an object with a number for each conversation',
    ]);
    expect(await tried('history', '#lobby', { after: 1, last: 1 })).toEqual([
      'invalid',
      'after: it goes without last and since',
    ]);
    expect(await tried('users', { every: true })).toEqual([
      'invalid',
      'every: there is no such option; there are all',
    ]);
    expect(await tried('join', '@bob')).toEqual(['invalid', 'room: it is a #room']);
    expect(await tried('join', '#nowhere')).toEqual(['not-found', expect.any(String)]);
    const gone = program.follow('#lobby', { cursors: { '#lobby': 1_000_000 } })[Symbol.asyncIterator]();
    expect(await refusal(gone.next())).toEqual([
      'invalid',
      expect.stringContaining('was the server set back to a backup?'),
    ]);
  });
});
