import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { slashCodec } from '../../../src/core/codecs/slash.ts';
import type { TextCall } from '../../../src/core/codecs/text-request.ts';
import { ChatError } from '../../../src/core/errors.ts';
import type { ChatEvent } from '../../../src/core/events.ts';
import type { ConversationName } from '../../../src/core/model/conversation-name.ts';
import type { MessageBody } from '../../../src/core/model/message.ts';
import type { Username } from '../../../src/core/model/username.ts';

const loggedIn = { isLoggedIn: true };
const stranger = { isLoggedIn: false };
const token = `cs1_${'A'.repeat(43)}`;

/** The call that a line asks for; throws for a line that asks for none. */
function callOf(line: string): TextCall {
  const request = slashCodec.read(line);
  if (request.kind !== 'call') throw new Error(`no call, but ${JSON.stringify(request)}`);
  return request.call;
}

function message(body: MessageBody, recipient?: string): ChatEvent {
  return {
    type: 'message',
    to: (recipient === undefined ? '#lobby' : '@x') as ConversationName,
    recipient: recipient as Username | undefined,
    seq: 7,
    id: 'id',
    sender: 'sam' as Username,
    sentAt: Date.parse('2019-11-01T09:30:00.678Z'),
    body,
  };
}

function told(...events: ChatEvent[]): string {
  return new TextDecoder().decode(slashCodec.events.encode(events));
}

describe('a line of the slash door', () => {
  it.each<[string, string, object]>([
    ['/register sam some words', 'account.register', { username: 'sam', password: 'some words' }],
    ['/register sam  a b ', 'account.register', { username: 'sam', password: ' a b ' }],
    ['/register   sam words', 'account.register', { username: 'sam', password: 'words' }],
    ['/register sam v1.abc', 'account.register', { username: 'sam', password: 'v1.abc' }],
    [
      '/login sam some words',
      'login.password',
      { username: 'sam', password: 'some words', ends_with_connection: true },
    ],
    ['/login sam', 'login.password', { username: 'sam', password: '', ends_with_connection: true }],
    ['/login', 'login.password', { username: '', password: '', ends_with_connection: true }],
    [`/login sam ${token}`, 'login.resume', { username: 'sam', session_token: token }],
    [
      `/login sam ${token}A`,
      'login.password',
      { username: 'sam', password: `${token}A`, ends_with_connection: true },
    ],
    ['/users', 'user.list', {}],
    ['/users ', 'user.list', {}],
    ['this is a message', 'message.send', { to: '#lobby', text: 'this is a message' }],
    [' @sam hi', 'message.send', { to: '#lobby', text: ' @sam hi' }],
    ['a /exit', 'message.send', { to: '#lobby', text: 'a /exit' }],
    ['@sam hey how are you?', 'message.send', { to: '@sam', text: 'hey how are you?' }],
    ['@sam  two spaces ', 'message.send', { to: '@sam', text: ' two spaces ' }],
    ['@sam', 'message.send', { to: '@sam', text: '' }],
    ['@ hi', 'message.send', { to: '@', text: 'hi' }],
    ['@sam\thi', 'message.send', { to: '@sam', text: 'hi' }],
  ])('%j asks for %s with %j', (line, operation, params) => {
    expect(callOf(line)).toMatchObject({ operation, params });
  });

  it('/exit closes', () => {
    expect(slashCodec.read('/exit')).toEqual({ kind: 'close' });
  });

  it.each([
    ['/register sam', 'error: a password or a client certificate is needed'],
    ['/register sam ', 'error: a password or a client certificate is needed'],
    ['/register', 'error: a name is needed: /register NAME PASSWORD'],
    ['/users all', 'error: unknown command'],
    ['/exit now', 'error: unknown command'],
    ['/help', 'error: unknown command'],
    ['/', 'error: unknown command'],
    ['//', 'error: unknown command'],
    ['/ users', 'error: unknown command'],
    ['/USERS', 'error: unknown command'],
    ['/constructor', 'error: unknown command'],
    ['/toString', 'error: unknown command'],
  ])('%j is answered by the door: %s', (line, text) => {
    expect(slashCodec.read(line)).toEqual({ kind: 'answer', text });
  });

  it('is understood or refused whatever it is, and never throws', () => {
    const starts = ['', '/', '@', '/login ', '/register ', '/users', '/exit'];
    fc.assert(
      fc.property(fc.constantFrom(...starts), fc.string({ unit: 'binary' }), (start, rest) => {
        const request = slashCodec.read(`${start}${rest}`);
        if ('text' in request) expect(request.text).toMatch(/^error: /);
      }),
    );
  });

  it('of public text arrives as it was typed', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 }).filter((one) => !/^[/@]/.test(one));
    fc.assert(
      fc.property(text, (typed) => {
        expect(callOf(typed).params).toEqual({ to: '#lobby', text: typed });
      }),
    );
  });
});

describe('an answer of the slash door', () => {
  it.each<[string, unknown[], string | undefined]>([
    ['/register sam some words', [{}], 'Registration Succeeded'],
    ['/login sam some words', [{ session_token: token }], 'Authentication Succeeded'],
    [`/login sam ${token}`, [{}], 'Authentication Succeeded'],
    ['/users', [{ users: [{ username: 'user1' }, { username: 'user2' }] }], 'user1 user2'],
    ['/users', [{ users: [{ username: 'user1' }] }, { users: [{ username: 'user2' }] }], 'user1 user2'],
    ['a message', [{ seq: 7 }], undefined],
    ['@sam a message', [{ seq: 7 }], undefined],
  ])('to %j after %j is %j', (line, results, answer) => {
    expect(callOf(line).answer(results)).toBe(answer);
  });

  it('to a login is followed by what was missed, at most 100 public messages of it', () => {
    for (const secret of ['some words', token]) {
      const { after } = callOf(`/login sam ${secret}`);
      expect(after).toMatchObject({ operation: 'conversation.catch-up', params: { last: 100 } });
      expect(after?.answer([{}])).toBeUndefined();
      expect(after?.refuse(new ChatError('unavailable', 'not now'), loggedIn)).toBe('error: not now');
    }
  });

  it.each<[string, ChatError, string]>([
    [
      '/register sam words',
      new ChatError('conflict', 'username: taken already'),
      'error: user already exists',
    ],
    [
      '/register sam words',
      new ChatError('invalid', 'password: it has at least 6 characters'),
      'error: password: it has at least 6 characters',
    ],
    ['/register sam words', new ChatError('rate-limited', 'too many'), 'error: too many'],
    ['/login sam words', new ChatError('unauthenticated', 'wrong'), 'error: invalid credentials'],
    [`/login sam ${token}`, new ChatError('unauthenticated', 'wrong'), 'error: invalid credentials'],
    ['/login sam x', new ChatError('invalid', 'password: too short'), 'error: invalid credentials'],
    [
      '/login sam words',
      new ChatError('second-factor-required', 'a code is needed'),
      'error: second factor required',
    ],
    ['/login sam words', new ChatError('rate-limited', 'too many logins'), 'error: too many logins'],
    ['/users', new ChatError('unauthenticated', 'log in first'), 'error: not logged in'],
    ['a message', new ChatError('unauthenticated', 'log in first'), 'error: not logged in'],
    ['@sam hi', new ChatError('not-found', 'to: no such user'), 'error: no such user'],
    ['@?! hi', new ChatError('invalid', 'to: a name has …', { field: 'to' }), 'error: no such user'],
    [
      '@sam',
      new ChatError('invalid', 'text: a message has at least one character', { field: 'text' }),
      'error: a message has at least one character',
    ],
    ['a message', new ChatError('rate-limited', 'too many messages'), 'error: too many messages'],
    ['a message', new ChatError('internal', 'something went wrong'), 'error: something went wrong'],
  ])('to %j after %o is %s', (line, error, answer) => {
    expect(callOf(line).refuse(error, stranger)).toBe(answer);
  });

  it.each(['/login', '/login sam', '/login sam some words', `/login sam ${token}`])(
    'to %s on a connection that is logged in says so, whatever was wrong',
    (line) => {
      for (const code of ['conflict', 'invalid', 'unauthenticated'] as const) {
        expect(callOf(line).refuse(new ChatError(code, 'why'), loggedIn)).toBe(
          'error: user is already logged in',
        );
      }
    },
  );
});

describe('an event of the slash door', () => {
  it('is a public message with its time and sender', () => {
    expect(told(message({ text: 'this is a message' }))).toBe('2019-11-01 09:30:00 sam: this is a message\n');
  });

  it('is a private message with its recipient', () => {
    expect(told(message({ text: 'hey how are you?' }, 'erik'))).toBe(
      '2019-11-01 09:30:00 sam: @erik hey how are you?\n',
    );
  });

  it('tells of an encrypted message that it is one', () => {
    expect(told(message({ envelope: 'AAAA' }, 'erik'))).toBe(
      '2019-11-01 09:30:00 sam: @erik [encrypted: read it with chat]\n',
    );
  });

  it('16.4.1: shows control characters escaped, so that nobody forges a line or moves a cursor', () => {
    expect(told(message({ text: 'a\nb\r\u001b[2J\u0000\u0085\u202e\u2028\ufeff' }))).toBe(
      '2019-11-01 09:30:00 sam: a\\nb\\r\\x1b[2J\\x00\\x85\\u202e\\u2028\\ufeff\n',
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        const line = told(message({ text }));
        expect(line.slice(0, -1)).not.toMatch(/\p{Cc}|\u2028|\u2029|[\u202a-\u202e]/u);
        expect(line.at(-1)).toBe('\n');
      }),
    );
  });

  it('of the end says why', () => {
    expect(told({ type: 'session-ended', reason: 'revoked' })).toBe(
      'error: the session has ended: it was revoked\n',
    );
  });

  it('of any other kind is nothing', () => {
    const to = '#lobby' as ConversationName;
    expect(
      told(
        { type: 'presence', user: 'bob' as Username, online: true },
        { type: 'lagging', to },
        { type: 'caught-up', to, seq: 3 },
      ),
    ).toBe('');
  });
});
