import fc from 'fast-check';
import { expect, it } from 'vitest';
import { httpStatuses } from '../../../src/core/codecs/problem.ts';
import { FakePeer } from '../../core/support/chat.ts';
import { fuzzConnections, fuzzInputs, fuzzSeed, play } from './support/fuzz.ts';
import { type HttpAnswer, httpClient, readAnswers, request } from './support/http.ts';
import { type ChatAtPort, chatAtPort } from './support/real-chat.ts';

const password = 'words of a bot';
const requestsPerConnection = 10;
/** A failure is not made smaller: what happened hangs on what came before, which no smaller run has. */
const parameters = {
  seed: fuzzSeed,
  numRuns: Math.ceil(fuzzInputs / (fuzzConnections * requestsPerConnection)),
  endOnFailure: true,
};

/** Who sends on a connection. */
interface Bot {
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
function echo({ token }: Bot, mark: string, headers: Record<string, string> = {}): Sent {
  return {
    bytes: Buffer.from(request('GET', `/api/rooms?${mark}=1`, { token, headers }), 'latin1'),
    due: (answer) =>
      expect(answer).toMatchObject({
        status: 400,
        body: { code: 'invalid', field: mark, detail: `${mark}: there is no such field in the query here` },
      }),
  };
}

function sent(bot: Bot, mark: string, drawn: Drawn): Sent {
  const { kind, text, edits, bytes } = drawn;
  const { name, token } = bot;
  switch (kind) {
    case 'echo':
      return echo(bot, mark);
    case 'header':
      return echo(bot, mark, { 'X-Fuzz': text });
    case 'me':
      return {
        bytes: Buffer.from(request('GET', '/api/account', { token })),
        due: (answer) => expect(answer).toMatchObject({ status: 200, body: { username: name } }),
      };
    case 'send':
      return { bytes: message(token, mark), due: ({ status }) => expect(status).toBe(201) };
    case 'login':
      return {
        bytes: Buffer.from(
          request('POST', '/api/auth/login', { body: { username: name, password: `${password}${mark}` } }),
        ),
        due: ({ status }) => expect(status).toBe(401),
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
        bytes: pageRequest(bot, mark, drawn),
        due: ({ status }) => expect(status).toBe(drawn.page === '/register' ? 409 : 401),
      };
    case 'form': {
      const whole = pageRequest(bot, mark, drawn);
      const start = whole.indexOf('\r\n\r\n') + 4;
      for (const { at, byte } of edits) whole[start + (at % (whole.length - start))] = byte;
      return { bytes: whole, due: 'one' };
    }
    case 'wild':
      return {
        bytes: edited(edits.length % 2 === 0 ? message(token, mark) : pageRequest(bot, mark, drawn), edits),
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

function pageRequest({ name }: Bot, mark: string, { page, form }: Drawn): Buffer {
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
  expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  if (status < 300) return;
  expect(status < 500 || status === 501 || status === 505).toBe(true);
  expect(headers['content-type']).toBe('application/problem+json');
  const { code } = body as { code: keyof typeof httpStatuses };
  expect(body).toMatchObject({ type: 'about:blank', status });
  expect(httpStatuses[code]).toBeDefined();
}

/** Answers how many requests had just the answer, or the one answer, that was due. */
function check(bot: Bot, session: readonly Sent[], text: string): number {
  const { answers, rest } = readAnswers(Buffer.from(text));
  expect(rest.toString()).toBe('');
  for (const answer of answers) isAnswer(answer);
  let checked = 0;
  for (const [index, { due }] of session.entries()) {
    if (due === 'whatever') break;
    const answer = answers[index];
    if (!answer) throw new Error(`request ${index} was not answered; what came: ${text}`);
    if (due !== 'one') due(answer);
    checked += 1;
  }
  if (checked === session.length) expect(answers.length).toBe(session.length);
  // What comes after nonsense may be part of it; yet what is answered is this connection's, in order, and once.
  const seen = answers.flatMap(({ body }) => {
    const [, mine, number] =
      /^m(\d)-(\d+)$/.exec((body as { field?: string } | undefined)?.field ?? '') ?? [];
    return number === undefined ? [] : [[`bot${mine}`, Number(number)] as const];
  });
  expect(seen.every(([name]) => name === bot.name)).toBe(true);
  expect(seen.every(([, number], index) => index === 0 || number > (seen[index - 1]?.[1] ?? 0))).toBe(true);
  return checked;
}

async function bots(at: ChatAtPort): Promise<Bot[]> {
  const made: Bot[] = [];
  for (let index = 0; index < fuzzConnections; index++) {
    const name = `bot${index}`;
    await at.register(name, password);
    const opened = await at.t.call(new FakePeer(), 'login.password', { username: name, password });
    made.push({ name, token: opened.session_token });
  }
  return made;
}

it(`HTTP answers ${fuzzInputs} requests of nonsense and sense each once and in order, and still serves`, async () => {
  console.info(`http fuzz: CHAT_FUZZ_SEED=${fuzzSeed}`);
  const at = await chatAtPort();
  const all = await bots(at);
  // Somebody else: an account has so many sessions, and the bots need theirs.
  await at.register('visitor', password);
  const session = fc.record({
    drawn: fc.array(drawing, { minLength: requestsPerConnection - 1, maxLength: requestsPerConnection - 1 }),
    pieces,
  });
  const group = fc.tuple(...all.map(() => session));
  let checked = 0;
  await fc.assert(
    fc.asyncProperty(group, async (sessions) => {
      const requests = sessions.map((one, index) => {
        const bot = all[index] as Bot;
        // The first one says that this is HTTP.
        return [
          echo(bot, `m${index}-0`),
          ...one.drawn.map((draw, n) => sent(bot, `m${index}-${n + 1}`, draw)),
        ];
      });
      const texts = await Promise.all(
        requests.map((list, index) =>
          play(at.port, {
            bytes: Buffer.concat(list.map(({ bytes }) => bytes)),
            pieces: sessions[index]?.pieces ?? [1],
          }),
        ),
      );
      for (const [index, list] of requests.entries()) {
        checked += check(all[index] as Bot, list, texts[index] ?? '');
      }
      const http = await httpClient(at.port);
      const login = await http.ask('POST', '/api/auth/login', { body: { username: 'visitor', password } });
      expect(login).toMatchObject({ status: 200, body: { username: 'visitor' } });
      http.client.socket.destroy();
    }),
    parameters,
  );
  expect([at.failures, at.t.failures]).toEqual([[], []]);
  // Most requests must have met an open connection, or this shows little.
  expect(checked).toBeGreaterThan(0.4 * fuzzInputs);
}, 600_000);
