import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pipeCodec, readPipe, writePipe } from '../../../src/core/codecs/pipe.ts';
import type { TextCall } from '../../../src/core/codecs/text-request.ts';
import { formatHashedPassword } from '../../../src/core/crypto/hashed-password.ts';
import { ChatError, errorCodes } from '../../../src/core/errors.ts';
import type { ChatEvent, EndReason } from '../../../src/core/events.ts';
import type { ConversationName } from '../../../src/core/model/conversation-name.ts';
import type { MessageBody } from '../../../src/core/model/message.ts';
import type { Username } from '../../../src/core/model/username.ts';

const loggedIn = { isLoggedIn: true };
const anything = fc.string({ unit: 'binary' });
/** What a request's field may hold: everything but NUL, which no escape stands for. */
const field = anything.filter((text) => !text.includes('\0'));

/** The call that a line asks for; throws for a line that asks for none. */
function callOf(line: string): TextCall {
  const request = pipeCodec.read(line);
  if (request.kind !== 'call') throw new Error(`no call, but ${JSON.stringify(request)}`);
  return request.call;
}

function message(body: MessageBody, parts: Partial<Extract<ChatEvent, { type: 'message' }>> = {}): ChatEvent {
  return {
    type: 'message',
    to: '#lobby' as ConversationName,
    seq: 7,
    id: 'id',
    sender: 'bob' as Username,
    sentAt: Date.parse('2026-03-01T12:00:00.678Z'),
    body,
    ...parts,
  };
}

function told(...events: ChatEvent[]): string {
  return new TextDecoder().decode(pipeCodec.events.encode(events));
}

describe('fields of the pipe protocol', () => {
  it('come back as they were written, whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1 }), (fields) => {
        const line = writePipe(fields);
        expect(line).not.toMatch(/[\r\n]/);
        expect(readPipe(line)).toEqual(fields);
      }),
    );
  });

  it.each([
    [['a', 'b'], 'a|b'],
    [['', '', ''], '||'],
    [['a|b'], 'a\\pb'],
    [['a\\pb'], 'a\\\\pb'],
    [['a\nb\r'], 'a\\nb\\r'],
    [['\\'], '\\\\'],
    [['é 🐎 \u2028'], 'é 🐎 \u2028'],
  ])('%j are written %s', (fields, line) => {
    expect([writePipe(fields), readPipe(line)]).toEqual([line, fields]);
  });

  it.each(['\\', 'a\\', 'a|\\', '\\x', '\\N', 'a\\|b', '\\\\\\', '\\🐎', '\\ '])(
    'are refused with the unknown escape in %j',
    (line) => {
      expect(readPipe(line)).toBeUndefined();
    },
  );

  it.each(['a\0b', '\0', 'a\rb', 'a|\rb'])('are refused with a control character in %j', (line) => {
    expect(readPipe(line)).toBeUndefined();
  });

  it('of a verb that takes text end with all that is left', () => {
    expect(readPipe('SEND|#lobby|a|b\\pc|', 3)).toEqual(['SEND', '#lobby', 'a|b|c|']);
    expect(readPipe('SEND|#lobby', 3)).toEqual(['SEND', '#lobby']);
  });

  it('are written back as they were read, whatever the line', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const line = text.replaceAll('\n', '');
        const fields = readPipe(line);
        if (fields) expect(writePipe(fields)).toBe(line);
      }),
    );
  });
});

describe('a request of the pipe protocol', () => {
  const secret = formatHashedPassword(new Uint8Array(32).fill(7));

  it.each<[string, string, object]>([
    ['REGISTER|alice|some words', 'account.register', { username: 'alice', password: 'some words' }],
    [`REGISTER|alice|${secret}`, 'account.register', { username: 'alice', hashed_password: secret }],
    ['REGISTER|alice|v1.x', 'account.register', { username: 'alice', hashed_password: 'v1.x' }],
    ['REGISTER|al\\pice|V1.x', 'account.register', { username: 'al|ice', password: 'V1.x' }],
    ['AUTH|alice|some\\pwords', 'login.password', { username: 'alice', password: 'some|words' }],
    [`AUTH|alice|${secret}`, 'login.hashed-password', { username: 'alice', hashed_password: secret }],
    ['SALT|alice', 'login.salt', { username: 'alice' }],
    ['TOKEN|cs1_x', 'login.resume', { session_token: 'cs1_x' }],
    ['SEND|#lobby|a|b', 'message.send', { to: '#lobby', text: 'a|b' }],
    ['SEND|@bob|', 'message.send', { to: '@bob', text: '' }],
    ['USERS', 'user.list', {}],
    ['FOLLOW|#lobby|0', 'conversation.follow', { to: '#lobby', after: 0 }],
    ['FOLLOW|@bob|9007199254740991', 'conversation.follow', { to: '@bob', after: Number.MAX_SAFE_INTEGER }],
    ['FOLLOW|@bob|-1', 'conversation.follow', { to: '@bob', after: Number.NaN }],
    ['FOLLOW|@bob|', 'conversation.follow', { to: '@bob', after: Number.NaN }],
    ['FOLLOW|@bob|1e3', 'conversation.follow', { to: '@bob', after: Number.NaN }],
    ['LOGOUT', 'session.end', {}],
  ])('%s asks for %s with %j', (line, operation, params) => {
    expect(callOf(line)).toMatchObject({ operation, params });
  });

  it('PING is answered by the door, and QUIT closes', () => {
    expect([pipeCodec.read('PING'), pipeCodec.read('QUIT')]).toEqual([
      { kind: 'answer', text: 'PONG' },
      { kind: 'close' },
    ]);
  });

  it.each([
    'REGISTER',
    'REGISTER|alice',
    'REGISTER|alice|a|b',
    'AUTH|alice',
    'AUTH|alice|a|b',
    'SALT',
    'SALT|alice|x',
    'TOKEN',
    'TOKEN|a|b',
    'SEND',
    'SEND|#lobby',
    'USERS|',
    'FOLLOW|#lobby',
    'FOLLOW|#lobby|0|0',
    'LOGOUT|alice',
    'PING|',
    'QUIT|now',
    'SEND|#lobby|\\x',
    'SEND|#lobby|\0',
    'SEND|#lobby|a\rb',
    'AUTH|alice|some words\\',
  ])('%j does not fit, and is answered under its verb', (line) => {
    const verb = line.split('|')[0];
    expect(pipeCodec.read(line)).toEqual({ kind: 'answer', text: `${verb}|FAILURE|invalid` });
  });

  it.each(['HELLO|x', '|', 'auth|a|b', ' PING', 'PING ', 'constructor|x', '__proto__|x', 'PI\\nNG', 'P\0|'])(
    '%j has no verb',
    (line) => {
      expect(pipeCodec.read(line)).toEqual({
        kind: 'bad',
        text: 'ERROR|unsupported|there is no such verb',
      });
    },
  );

  it('is understood or refused whatever it is, and never throws', () => {
    const verbs = ['REGISTER', 'AUTH', 'SALT', 'TOKEN', 'SEND', 'USERS', 'FOLLOW', 'LOGOUT', 'PING', 'QUIT'];
    fc.assert(
      fc.property(fc.constantFrom('', ...verbs), anything, (verb, rest) => {
        const request = pipeCodec.read(`${verb}${rest}`);
        if ('text' in request) expect(request.text).toMatch(/^(ERROR\||PONG$|[A-Z]+\|FAILURE\|invalid$)/);
      }),
    );
  });
});

describe('an answer of the pipe protocol', () => {
  it.each<[string, unknown[], string]>([
    ['REGISTER|alice|some words', [{ user_id: 'u' }], 'REGISTER|SUCCESS'],
    ['AUTH|alice|some words', [{ session_token: 'cs1_x' }], 'AUTH|SUCCESS|cs1_x'],
    [`AUTH|alice|v1.x`, [{ session_token: 'cs1_x' }], 'AUTH|SUCCESS|cs1_x'],
    ['SALT|alice', [{ realm: 'r', salt: 's', cost: 12 }], 'SALT|SUCCESS|r|s|12'],
    ['TOKEN|cs1_x', [{ username: 'alice' }], 'TOKEN|SUCCESS|alice'],
    ['SEND|#lobby|x', [{ id: 'i', seq: 7 }], 'SEND|SUCCESS|i|7'],
    ['USERS', [{ users: [{ username: 'alice' }, { username: 'bob' }] }], 'USERS|SUCCESS|alice|bob'],
    ['USERS', [{ users: [] }], 'USERS|SUCCESS'],
    [
      'USERS',
      [{ users: [{ username: 'alice' }] }, { users: [{ username: 'bob' }] }],
      'USERS|SUCCESS|alice|bob',
    ],
    ['FOLLOW|@Bob|3', [{ following: [{ to: '@bob', after: 3 }] }], 'FOLLOW|SUCCESS|@bob'],
    ['LOGOUT', [{}], 'LOGOUT|SUCCESS'],
  ])('to %s after %j is %s', (line, results, answer) => {
    expect(callOf(line).answer(results)).toBe(answer);
  });

  it('of a listing goes on as long as there is a next page', () => {
    const { next } = callOf('USERS');
    expect([next?.({ next: 'bob' }), next?.({ next: null })]).toEqual([{ after: 'bob' }, undefined]);
  });

  it.each(errorCodes)('that refuses has the code %s and nothing else', (code) => {
    const error = new ChatError(code, 'why | not', { field: 'x', retryAfterMs: 5 });
    for (const line of ['REGISTER|a|b', 'AUTH|a|b', 'AUTH|a|v1.', 'SALT|a', 'TOKEN|a', 'SEND|a|b', 'USERS']) {
      const verb = line.split('|')[0];
      expect(callOf(line).refuse(error, loggedIn)).toBe(`${verb}|FAILURE|${code}`);
    }
  });

  it('to no request has the code and the words', () => {
    expect(pipeCodec.spell(new ChatError('too-large', 'a|b\n'))).toBe('ERROR|too-large|a\\pb\\n');
  });
});

describe('an event of the pipe protocol', () => {
  it('is a message with its conversation, number, time, sender and text', () => {
    expect(told(message({ text: 'a | b \\ c\nd\r' }))).toBe(
      'MESSAGE|#lobby|7|2026-03-01T12:00:00.678Z|bob|a \\p b \\\\ c\\nd\\r\n',
    );
  });

  it('tells of an encrypted message that it is one', () => {
    expect(told(message({ envelope: 'AAAA' }, { to: '@bob' as ConversationName }))).toBe(
      'MESSAGE|@bob|7|2026-03-01T12:00:00.678Z|bob|[encrypted: read it with chat]\n',
    );
  });

  it('gives every text back, on one line', () => {
    fc.assert(
      fc.property(field, (text) => {
        const line = told(message({ text }));
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(readPipe(line.slice(0, -1))?.at(-1)).toBe(text);
      }),
    );
  });

  it.each<[EndReason, string]>([
    ['logged-out', 'ERROR|unauthenticated|the session has ended: it was logged out\n'],
    ['revoked', 'ERROR|unauthenticated|the session has ended: it was revoked\n'],
    ['expired', 'ERROR|unauthenticated|the session has ended: it has expired\n'],
    ['replaced', 'ERROR|unauthenticated|the session has ended: another login took its place\n'],
    [
      'refresh-reused',
      'ERROR|unauthenticated|the session has ended: one of its refresh tokens was used twice\n',
    ],
    [
      'credentials-changed',
      'ERROR|unauthenticated|the session has ended: the password or second factor of its account was changed\n',
    ],
    ['disabled', 'ERROR|unauthenticated|the session has ended: its account is disabled\n'],
    ['shutting-down', 'ERROR|unavailable|the server is shutting down\n'],
    ['unavailable', 'ERROR|unavailable|the server cannot serve now\n'],
  ])('of an end by %s is %s', (reason, line) => {
    expect(told({ type: 'session-ended', reason })).toBe(line);
  });

  it('of any other kind is nothing, and several stand in their order', () => {
    const to = '#lobby' as ConversationName;
    const others: ChatEvent[] = [
      { type: 'presence', user: 'bob' as Username, online: true },
      { type: 'lagging', to },
      { type: 'caught-up', to, seq: 3 },
    ];
    expect(told(...others)).toBe('');
    expect(told(message({ text: 'one' }), ...others, message({ text: 'two' })).match(/one|two/g)).toEqual([
      'one',
      'two',
    ]);
  });
});
