import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { httpRoutes } from '../../../src/core/codecs/http-json.ts';
import {
  type HttpInput,
  type HttpRoute,
  httpRoute,
  pathFields,
  readHttp,
  refuseSecretsInQuery,
} from '../../../src/core/codecs/http-route.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { operations } from '../../../src/core/operations/index.ts';

const nameOf = ({ method, path }: HttpRoute): string => `${method} ${path}`;
const named: ReadonlyArray<readonly [string, HttpRoute]> = httpRoutes.map((route) => [nameOf(route), route]);

/** Every field that some input of an operation may have. */
function fieldsOf(name: string): Set<string> {
  const operation = operations.find((one) => one.name === name);
  if (!operation) throw new Error(`no operation ${name}`);
  const schema = z.toJSONSchema(operation.input, { io: 'input', unrepresentable: 'any' });
  const shapes = (schema.anyOf ?? [schema]) as Array<{ properties?: object }>;
  return new Set(shapes.flatMap(({ properties }) => Object.keys(properties ?? {})));
}

describe('the list of the HTTP API', () => {
  it('has no two entries for one request', () => {
    const names = named.map(([name]) => name);
    expect(names).toEqual([...new Set(names)]);
  });

  it.each(named)('names an operation and only fields that it takes, each in one place: %s', (_, route) => {
    const { operation, path, query = {}, headers = {}, body = [], fixed = {} } = route;
    const fields = [
      ...pathFields(path),
      ...Object.keys(query),
      ...Object.values(headers),
      ...body,
      ...Object.keys(fixed),
    ];
    expect([...fields].sort()).toEqual([...new Set(fields)].sort());
    const taken = fieldsOf(operation);
    expect(fields.filter((field) => !taken.has(field))).toEqual([]);
  });

  it('changes nothing by GET, and takes no body there', () => {
    const gets = httpRoutes.filter(({ method }) => method === 'GET');
    expect(new Set(gets.map(({ operation }) => operation))).toEqual(
      new Set([
        'account.begin-register',
        'account.me',
        'account.export',
        'admin.audit',
        'admin.invites',
        'admin.stats',
        'admin.users',
        'account.begin-change-password',
        'certificate.list',
        'session.list',
        'user.list',
        'room.list',
        'room.members',
        'conversation.list',
        'message.history',
        'message.search',
      ]),
    );
    expect(gets.filter(({ body }) => body !== undefined)).toEqual([]);
  });

  it('lets nobody subscribe who cannot be told anything', () => {
    expect(
      httpRoutes.flatMap(({ query, body }) => [...Object.keys(query ?? {}), ...(body ?? [])]),
    ).not.toContain('watch');
  });
});

const route = httpRoute({
  method: 'POST',
  path: '/x/{to}/y/{room}',
  summary: 'All that a route may have.',
  operation: 'message.history',
  query: { after: 'number', newest: 'flag', name: 'text' },
  headers: { 'idempotency-key': 'key' },
  body: ['text', 'device'],
  fixed: { all: true },
  status: 200,
});
const empty: HttpInput = { path: { to: '#a', room: 'b' }, query: {}, headers: {}, body: undefined };

/** What is refused, whole. */
function refused(parts: Partial<HttpInput>): object {
  try {
    return { read: readHttp(route, { ...empty, ...parts }) };
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    return { code: error.code, message: error.message, ...error.details };
  }
}
const invalid = (message: string, field?: string): object => ({
  code: 'invalid',
  message,
  ...(field === undefined ? {} : { field }),
});

describe('a request is read', () => {
  it('from its path, query, headers and body, and with what is always the same', () => {
    const read = readHttp(route, {
      path: { to: '#a', room: 'b' },
      query: { after: '12', newest: 'true', name: 'é' },
      headers: { 'idempotency-key': 'k', 'content-type': 'application/json' },
      body: { text: 'hi', device: { label: 'pc' } },
    });
    expect(read).toEqual({
      to: '#a',
      room: 'b',
      after: 12,
      newest: true,
      name: 'é',
      key: 'k',
      text: 'hi',
      device: { label: 'pc' },
      all: true,
    });
  });

  it.each([undefined, null, {}])('with nothing but its path when the body is %j', (body) => {
    expect(readHttp(route, { ...empty, body })).toEqual({ to: '#a', room: 'b', all: true });
  });

  it('by the names in its path', () => {
    expect([pathFields('/x/{to}/y/{room}'), pathFields('/x')]).toEqual([['to', 'room'], []]);
  });

  it.each([
    ['0', 0],
    ['007', 7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('with %s as a number', (after, number) => {
    expect(readHttp(route, { ...empty, query: { after } })).toMatchObject({ after: number });
  });

  it.each(['', ' 1', '1 ', '-1', '+1', '1.0', '1e3', '0x10', 'NaN', '12345678901234567', '１'])(
    'never with %j as a number',
    (after) => {
      expect(refused({ query: { after } })).toEqual(invalid('after: a whole number is expected', 'after'));
    },
  );

  it.each([
    ['true', true],
    ['false', false],
  ])('with %s as a flag', (newest, flag) => {
    expect(readHttp(route, { ...empty, query: { newest } })).toMatchObject({ newest: flag });
  });

  it.each(['', '1', 'TRUE', 'yes'])('never with %j as a flag', (newest) => {
    expect(refused({ query: { newest } })).toEqual(invalid('newest: true or false is expected', 'newest'));
  });
});

describe('a request is refused', () => {
  it.each([
    [
      'an unknown parameter',
      { query: { limit: '1' } },
      invalid('limit: there is no such field in the query here', 'limit'),
    ],
    ['a parameter given twice', { query: { after: ['1', '2'] } }, invalid('after: give it once', 'after')],
    [
      'a name that every object has',
      { query: { toString: '1' } },
      invalid('toString: there is no such field in the query here', 'toString'),
    ],
    [
      'a field of the body in the query',
      { query: { text: 'hi' } },
      invalid('text: there is no such field in the query here', 'text'),
    ],
    [
      'an unknown field',
      { body: { txt: 'hi' } },
      invalid('txt: there is no such field in the body here', 'txt'),
    ],
    [
      'a field of the path in the body',
      { body: { to: '#other' } },
      invalid('to: there is no such field in the body here', 'to'),
    ],
    [
      "what is not the caller's to say",
      { body: { all: false } },
      invalid('all: there is no such field in the body here', 'all'),
    ],
    [
      '__proto__ as a field',
      { body: JSON.parse('{"__proto__":{"admin":true}}') },
      invalid('__proto__: there is no such field in the body here', '__proto__'),
    ],
    ['a list as the body', { body: [] }, invalid('the body is a JSON object')],
    ['a text as the body', { body: 'hi' }, invalid('the body is a JSON object')],
    ['false as the body', { body: false }, invalid('the body is a JSON object')],
  ] as ReadonlyArray<readonly [string, Partial<HttpInput>, object]>)('for %s', (_, parts, error) => {
    expect(refused(parts)).toEqual(error);
  });

  it('with a name that cannot forge a line, shortened', () => {
    const name = `\r\n\u001b[2J\u202e${'x'.repeat(100)}`;
    const shown = `????2J?${'x'.repeat(57)}`;
    expect(refused({ body: { [name]: 1 } })).toEqual(
      invalid(`${shown}: there is no such field in the body here`, shown),
    );
  });

  it('for a body where none is taken', () => {
    const bare = httpRoute({ method: 'GET', path: '/x', summary: '', operation: 'account.me', status: 200 });
    expect(() => readHttp(bare, { ...empty, path: {}, body: { a: 1 } })).toThrow(
      'a: there is no such field in the body here',
    );
    expect(readHttp(bare, { ...empty, path: {}, body: {} })).toEqual({});
  });

  it('leaving no trace in other objects', () => {
    refused({ body: JSON.parse('{"__proto__":{"admin":true}}') });
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe('a secret in a URL', () => {
  it.each([
    'token',
    'session_token',
    'access_token',
    'auth_token',
    'refresh_token',
    'csrf_token',
    'Password',
    'PASSWD',
    'hashed_password',
    'client_secret',
    'otp',
    'verifier',
    'Authorization',
    'credential',
    'proof',
  ])('is refused by its name and never repeated: %s', (name) => {
    let thrown: unknown;
    try {
      refuseSecretsInQuery({ limit: '1', [name]: 'hush' });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toEqual(
      new ChatError('invalid', `${name}: secrets never stand in a URL; send it in a header or a body`, {
        field: name,
      }),
    );
    expect(JSON.stringify(thrown) + String(thrown)).not.toContain('hush');
  });

  it.each([
    ['q', { q: 'cs1_hush' }],
    ['q', { q: ['x', 'cr1_hush'] }],
    ['the query', { cs1_hush: '1' }],
  ])('is refused by its looks, whatever it is called, and never repeated: in %s', (named, query) => {
    expect(() => refuseSecretsInQuery(query)).toThrow(
      new ChatError('invalid', `${named}: secrets never stand in a URL; send it in a header or a body`, {
        field: named,
      }),
    );
  });

  it('is not seen in what the API takes there', () => {
    const known = httpRoutes.flatMap(({ query }) => Object.keys(query ?? {}));
    expect(known.length).toBeGreaterThan(0);
    for (const name of known) expect(() => refuseSecretsInQuery({ [name]: '1' })).not.toThrow();
  });
});
