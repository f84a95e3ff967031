import { equal, ok, partialDeepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { httpStatuses } from '../../../src/core/codecs/problem.ts';
import {
  type HttpAnswer,
  httpClient,
  readAnswers,
  request,
} from '../../../test/server/doors/support/http.ts';
import { type FuzzedDoor, type FuzzTarget, fuzzConnections, play } from './sessions.ts';

const password = 'words of a bot';
/** Requests of one connection in a round. */
export const requestsPerConnection = 10;

/** Who sends on a connection. */
interface Asker {
  readonly name: string;
  readonly token: string;
}

/** One request as it is drawn: what it is about, and what is made of its bytes. */
interface Drawn {
  readonly kind:
    | 'echo'
    | 'me'
    | 'send'
    | 'login'
    | 'header'
    | 'path'
    | 'body'
    | 'page'
    | 'form'
    | 'wild'
    | 'random';
  /** Which page, and which kind of body it is sent. */
  readonly page: string;
  readonly form: keyof typeof forms;
  readonly text: string;
  readonly edits: readonly Edit[];
  readonly bytes: Uint8Array;
}

interface Edit {
  readonly at: number;
  readonly how: 'change' | 'insert' | 'remove' | 'repeat' | 'cut';
  readonly byte: number;
}

/** What has to come back for a request: just this, some one answer, or whatever (it may have no end, or be two). */
type Due = ((answer: HttpAnswer) => void) | 'one' | 'whatever';

interface Sent {
  readonly bytes: Buffer;
  readonly due: Due;
}

const pages = ['/register', '/login', '/protected', '/dashboard', '/logout'];

/** The kinds of a page's body. */
const forms = {
  urlencoded: (fields: Record<string, string>) => ({
    type: 'application/x-www-form-urlencoded',
    body: new URLSearchParams(fields).toString(),
  }),
  multipart: (fields: Record<string, string>) => ({
    type: 'multipart/form-data; boundary=fuzz',
    body: `${Object.entries(fields)
      .map(([name, value]) => `--fuzz\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
      .join('')}--fuzz--\r\n`,
  }),
  json: (fields: Record<string, string>) => ({ type: 'application/json', body: JSON.stringify(fields) }),
};

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(),
  how: fc.constantFrom('change', 'insert', 'remove', 'repeat', 'cut'),
  byte: fc.oneof(fc.constantFrom(...Buffer.from('\r\n\0 \t:;,/?%"{}')), fc.nat({ max: 255 })),
});
const pathUnit = fc.constantFrom(..."abcAPI019%/._~!$&'()*+,;=:@?-{}");
const headerUnit = fc.constantFrom(...'abc019 \t:;,/?%"{}\\\u00e9\u00ff');
const drawing: fc.Arbitrary<Drawn> = fc.record({
  kind: fc.oneof(
    {
      arbitrary: fc.constantFrom('echo', 'me', 'send', 'login', 'header', 'path', 'body', 'page', 'form'),
      weight: 18,
    },
    { arbitrary: fc.constantFrom('wild', 'random'), weight: 2 },
  ) as fc.Arbitrary<Drawn['kind']>,
  page: fc.constantFrom(...pages),
  form: fc.constantFrom('urlencoded', 'multipart', 'json') as fc.Arbitrary<Drawn['form']>,
  text: fc.oneof(
    fc.string({ unit: pathUnit, maxLength: 60 }),
    fc.string({ unit: headerUnit, maxLength: 60 }),
  ),
  edits: fc.array(edit, { minLength: 1, maxLength: 4 }),
  bytes: fc.uint8Array({ maxLength: 80 }),
});
const pieces = fc.oneof(
  fc.constant([1 << 20]),
  fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }),
);

/** A request that is answered with its own mark, whoever asks and whatever has happened. */
function echo({ token }: Asker, mark: string, headers: Record<string, string> = {}): Sent {
  return {
    bytes: Buffer.from(request('GET', `/api/rooms?${mark}=1`, { token, headers }), 'latin1'),
    due: (answer) =>
      partialDeepStrictEqual(answer, {
        status: 400,
        body: { code: 'invalid', field: mark, detail: `${mark}: there is no such field in the query here` },
      }),
  };
}

function sent(asker: Asker, mark: string, drawn: Drawn): Sent {
  const { kind, text, edits, bytes } = drawn;
  const { name, token } = asker;
  switch (kind) {
    case 'echo':
      return echo(asker, mark);
    case 'header':
      return echo(asker, mark, { 'X-Fuzz': text });
    case 'me':
      return {
        bytes: Buffer.from(request('GET', '/api/account', { token })),
        due: (answer) => partialDeepStrictEqual(answer, { status: 200, body: { username: name } }),
      };
    case 'send':
      return { bytes: message(token, mark), due: ({ status }) => equal(status, 201) };
    case 'login':
      return {
        bytes: Buffer.from(
          request('POST', '/api/auth/login', { body: { username: name, password: `${password}${mark}` } }),
        ),
        due: ({ status }) => equal(status, 401),
      };
    case 'path':
      return {
        bytes: Buffer.from(request('GET', `/api/${text.replaceAll(/[^!-~]/g, '')}`, { token })),
        due: 'one',
      };
    case 'body': {
      const whole = message(token, mark);
      const start = whole.indexOf('\r\n\r\n') + 4;
      for (const { at, byte } of edits) whole[start + (at % (whole.length - start))] = byte;
      return { bytes: whole, due: 'one' };
    }
    case 'page':
      // The name is taken, the password wrong, and nobody is logged in.
      return {
        bytes: pageRequest(asker, mark, drawn),
        due: ({ status }) => equal(status, drawn.page === '/register' ? 409 : 401),
      };
    case 'form': {
      const whole = pageRequest(asker, mark, drawn);
      const start = whole.indexOf('\r\n\r\n') + 4;
      for (const { at, byte } of edits) whole[start + (at % (whole.length - start))] = byte;
      return { bytes: whole, due: 'one' };
    }
    case 'wild':
      return {
        bytes: edited(edits.length % 2 === 0 ? message(token, mark) : pageRequest(asker, mark, drawn), edits),
        due: 'whatever',
      };
    case 'random':
      return { bytes: Buffer.from(bytes), due: 'whatever' };
  }
}

function message(token: string, mark: string): Buffer {
  return Buffer.from(
    request('POST', '/api/conversations/%23lobby/messages', { token, body: { text: mark } }),
  );
}

function pageRequest({ name }: Asker, mark: string, { page, form }: Drawn): Buffer {
  const { type, body } = forms[form]({ username: name, password: `${password}${mark}` });
  return Buffer.from(request('POST', page, { body, headers: { 'Content-Type': type } }));
}

function edited(bytes: Buffer, edits: readonly Edit[]): Buffer {
  let changed = bytes;
  for (const { at, how, byte } of edits) {
    const place = at % (changed.length + 1);
    const [head, tail] = [changed.subarray(0, place), changed.subarray(place)];
    if (how === 'change') changed = Buffer.concat([head, Buffer.of(byte), tail.subarray(1)]);
    else if (how === 'insert') changed = Buffer.concat([head, Buffer.of(byte), tail]);
    else if (how === 'remove') changed = Buffer.concat([head, tail.subarray(1)]);
    else if (how === 'repeat') changed = Buffer.concat([head, head, tail]);
    else changed = head;
  }
  return changed;
}

/** What an answer may be, whatever was asked. */
function isAnswer({ status, headers, body }: HttpAnswer): void {
  partialDeepStrictEqual(headers, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  if (status < 300) return;
  ok(status < 500 || status === 501 || status === 505, `answered with ${status}`);
  equal(headers['content-type'], 'application/problem+json');
  const { code } = body as { code: keyof typeof httpStatuses };
  partialDeepStrictEqual(body, { type: 'about:blank', status });
  ok(httpStatuses[code] !== undefined, `there is no code ${code}`);
}

/** Answers how many requests had just the answer, or the one answer, that was due. */
function check(asker: Asker, session: readonly Sent[], text: string): number {
  const { answers, rest } = readAnswers(Buffer.from(text));
  equal(rest.toString(), '');
  for (const answer of answers) isAnswer(answer);
  let checked = 0;
  for (const [index, { due }] of session.entries()) {
    if (due === 'whatever') break;
    const answer = answers[index];
    if (!answer) throw new Error(`request ${index} was not answered; what came: ${text}`);
    if (due !== 'one') due(answer);
    checked += 1;
  }
  if (checked === session.length) equal(answers.length, session.length);
  // What comes after nonsense may be part of it; yet what is answered is this connection's, in order, and once.
  const seen = answers.flatMap(({ body }) => {
    const [, mine, number] =
      /^m(\d)-(\d+)$/.exec((body as { field?: string } | undefined)?.field ?? '') ?? [];
    return number === undefined ? [] : [[`asker${mine}`, Number(number)] as const];
  });
  ok(
    seen.every(([name]) => name === asker.name),
    'an answer is that of another connection',
  );
  ok(
    seen.every(([, number], index) => index === 0 || number > (seen[index - 1]?.[1] ?? 0)),
    'an answer came twice, or out of order',
  );
  return checked;
}

async function askersAt(target: FuzzTarget): Promise<Asker[]> {
  const made: Asker[] = [];
  for (let index = 0; index < fuzzConnections; index++) {
    const name = `asker${index}`;
    await target.register(name, password);
    const opened = await target.logIn(name, password);
    made.push({ name, token: opened.session_token });
  }
  return made;
}

/** What one connection asks in a round. */
interface FuzzedRequests {
  readonly drawn: readonly Drawn[];
  readonly pieces: readonly number[];
}

/** HTTP: each request is answered once and in order. */
export async function fuzzHttp(target: FuzzTarget): Promise<FuzzedDoor<readonly FuzzedRequests[]>> {
  const askers = await askersAt(target);
  // Somebody else: an account has so many sessions, and the askers need theirs.
  await target.register('visitor', password);
  const length = requestsPerConnection - 1;
  const session = fc.record({ drawn: fc.array(drawing, { minLength: length, maxLength: length }), pieces });
  return {
    rounds: fc.tuple(...askers.map(() => session)),
    async play(sessions) {
      const played = askers.map(async (asker, index) => {
        const { drawn, pieces } = sessions[index] as FuzzedRequests;
        // The first one says that this is HTTP.
        const list = [
          echo(asker, `m${index}-0`),
          ...drawn.map((draw, n) => sent(asker, `m${index}-${n + 1}`, draw)),
        ];
        const bytes = Buffer.concat(list.map((one) => one.bytes));
        return check(asker, list, await play(target.port, { bytes, pieces }));
      });
      const judged = await Promise.all(played);
      const http = await httpClient(target.port);
      const login = await http.ask('POST', '/api/auth/login', { body: { username: 'visitor', password } });
      partialDeepStrictEqual(login, { status: 200, body: { username: 'visitor' } });
      http.client.socket.destroy();
      return judged.reduce((sum, count) => sum + count);
    },
  };
}
