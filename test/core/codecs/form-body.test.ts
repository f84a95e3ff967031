import { describe, expect, test } from 'vitest';
import { maxFormFields, readForm, UnknownFormKind } from '../../../src/core/codecs/form-body.ts';
import { ChatError } from '../../../src/core/errors.ts';

const bytes = (body: string | readonly number[]): Uint8Array<ArrayBuffer> =>
  typeof body === 'string' ? new Uint8Array(new TextEncoder().encode(body)) : Uint8Array.from(body);

const fields = ['username', 'email', 'password'];
const read = (contentType: string | undefined, body: string | readonly number[], allowed = fields) =>
  readForm(contentType, bytes(body), allowed);

/** What was refused, whole. */
async function refusal(reading: Promise<unknown>) {
  const error = await reading.then(
    (value) => {
      throw new Error(`not refused, but read as ${JSON.stringify(value)}`);
    },
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ChatError)) throw error;
  return { code: error.code, message: error.message, ...error.details };
}

const urlEncoded = 'application/x-www-form-urlencoded';
const multipart = 'multipart/form-data; boundary=XX';
const part = (name: string, value: string, more = '') =>
  `--XX\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
const end = '--XX--\r\n';

describe('a form is read', () => {
  test.each([
    ['URL-encoded', urlEncoded, 'username=alice&password=a%20b%2B+%C3%A4%26'],
    ['URL-encoded, with a charset', `${urlEncoded}; charset=UTF-8`, '&username=alice&&password=a+b%2b+ä%26&'],
    ['multipart', multipart, part('username', 'alice') + part('password', 'a b+ ä&') + end],
    [
      'multipart, in other letters',
      'Multipart/Form-Data; boundary="XX"',
      part('username', 'alice') + part('password', 'a b+ ä&') + end,
    ],
    ['JSON', 'application/json', '{"username":"alice","password":"a b+ ä&"}'],
    ['JSON, with a charset', 'application/json;charset="utf-8"', '{"username":"alice","password":"a b+ ä&"}'],
  ])('the same, whatever it is written in: %s', async (_name, contentType, body) => {
    expect(await read(contentType, body)).toEqual({ username: 'alice', password: 'a b+ ä&' });
  });

  test.each([undefined, urlEncoded, multipart, 'application/json', 'text/plain'])(
    'as an empty one when it has no bytes (%s)',
    async (contentType) => {
      expect(await read(contentType, '')).toEqual({});
    },
  );

  test('with a name that has no value as an empty text', async () => {
    expect(await read(urlEncoded, 'username&password=')).toEqual({ username: '', password: '' });
  });

  test('with what JSON has besides texts, for the operation to judge', async () => {
    expect(await read('application/json', '{"username":5,"password":[null]}')).toEqual({
      username: 5,
      password: [null],
    });
  });
});

describe('a form of another kind is not read', () => {
  test.each([
    undefined,
    'text/plain',
    'application/xml',
    'application/json; charset=utf-16',
    `${urlEncoded}; charset=latin1`,
    'application/jsonp',
    'multipart/mixed; boundary=XX',
    ',',
  ])('%s', async (contentType) => {
    await expect(read(contentType, 'username=alice')).rejects.toBeInstanceOf(UnknownFormKind);
  });
});

describe('a form is refused', () => {
  test.each([
    [urlEncoded, 'username=alice&username=bob'],
    [urlEncoded, 'username=alice&%75sername=alice'],
    [multipart, part('username', 'alice') + part('username', 'bob') + end],
  ])('when a field stands there twice: %s', async (contentType, body) => {
    expect(await refusal(read(contentType, body))).toEqual({
      code: 'invalid',
      message: 'username: give it once',
      field: 'username',
    });
  });

  test.each([
    [urlEncoded, (name: string) => `${encodeURIComponent(name)}=1`],
    [multipart, (name: string) => part(name, '1') + end],
    ['application/json', (name: string) => `{${JSON.stringify(name)}:{"isAdmin":true}}`],
  ])('15.3.6: when a field is no field here, __proto__ and its like too: %s', async (contentType, spell) => {
    for (const name of ['__proto__', 'constructor', 'toString', 'isAdmin', 'Username']) {
      expect(await refusal(read(contentType, spell(name)))).toEqual({
        code: 'invalid',
        message: `${name}: there is no such field here`,
        field: name,
      });
    }
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
  });

  test('naming a field of a stranger’s choice only in plain letters, and not all of it', async () => {
    const field = `a?b${'x'.repeat(61)}`;
    expect(await refusal(read(urlEncoded, `a%1Bb${'x'.repeat(500)}=1`))).toEqual({
      code: 'invalid',
      message: `${field}: there is no such field here`,
      field,
    });
  });

  test('when it brings a file', async () => {
    const body = part('username', 'alice') + part('password', 'x', '; filename="x.txt"') + end;
    expect(await refusal(read(multipart, body))).toEqual({
      code: 'invalid',
      message: 'password: files are not taken here',
      field: 'password',
    });
  });

  test.each([
    ['cut off in a part', part('username', 'alice')],
    ['cut off in a header', '--XX\r\nContent-Dis'],
    ['with another boundary', part('username', 'alice').replaceAll('XX', 'YY')],
    ['without a name', '--XX\r\nContent-Disposition: form-data\r\n\r\nalice\r\n--XX--\r\n'],
    ['no multipart at all', 'username=alice'],
  ])('when it is broken multipart: %s', async (_name, body) => {
    const broken = { code: 'invalid', message: 'the body is not a multipart form' };
    expect(await refusal(read(multipart, body))).toEqual(broken);
    expect(await refusal(read('multipart/form-data', body))).toEqual(broken);
  });

  test.each(['username=%', 'username=%zz', 'username=%ff', '%80=1'])(
    'when it is broken URL-encoding: %s',
    async (body) => {
      expect(await refusal(read(urlEncoded, body))).toEqual({
        code: 'invalid',
        message: 'the body is not a URL-encoded form',
      });
    },
  );

  test.each(['{', 'username=alice', '"x"x', '['.repeat(100_000)])(
    'when it is broken JSON: %.20s',
    async (body) => {
      expect(await refusal(read('application/json', body))).toEqual({
        code: 'invalid',
        message: 'the body is not JSON',
      });
    },
  );

  test.each(['null', '5', '"x"', '[]'])('when its JSON is no object: %s', async (body) => {
    expect(await refusal(read('application/json', body))).toEqual({
      code: 'invalid',
      message: 'the body is a JSON object',
    });
  });

  test.each([urlEncoded, multipart, 'application/json'])('when it is not UTF-8: %s', async (contentType) => {
    expect(await refusal(read(contentType, [0x61, 0xff, 0xfe]))).toEqual({
      code: 'invalid',
      message: 'the body is not UTF-8',
    });
  });

  test('when it has more fields than any form, and not at the limit', async () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `f${index}`);
    const all = names(maxFormFields + 1);
    const spellings = [
      [urlEncoded, (many: string[]) => many.map((name) => `${name}=1`).join('&')],
      [multipart, (many: string[]) => many.map((name) => part(name, '1')).join('') + end],
      [
        'application/json',
        (many: string[]) => JSON.stringify(Object.fromEntries(many.map((name) => [name, '1']))),
      ],
    ] as const;
    for (const [contentType, spell] of spellings) {
      const most = await read(contentType, spell(names(maxFormFields)), all);
      expect(Object.keys(most)).toHaveLength(maxFormFields);
      expect(await refusal(read(contentType, spell(all), all))).toEqual({
        code: 'too-large',
        message: `a form has at most ${maxFormFields} fields`,
      });
    }
  });
});
