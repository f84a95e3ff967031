import { match } from 'node:assert/strict';
import { connectClear, connectSecure, type TestClient } from '../../support/client.ts';
import { until } from '../../support/until.ts';

/** One answer as it came over the wire. */
export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; without `date` and `content-length`, which have been checked. */
  readonly headers: Record<string, string>;
  /** Parsed when it is JSON; undefined when there was none. */
  readonly body: unknown;
}

/** What goes with a request. */
export interface Asking {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is text or bytes already. */
  readonly body?: unknown;
}

/** The headers of every answer in clear text, written down once more. */
export const standing: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const stays = { connection: 'keep-alive', 'keep-alive': 'timeout=120' };
const closes = { connection: 'close' };

/** A good answer, whole; `undefined` for one without a body. */
export function good(
  status: number,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  const type = body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' };
  return { status, headers: { ...standing, ...stays, ...type, ...headers }, body };
}

/** A problem document, whole. */
export function refusedWith(
  [status, title, code]: readonly [number, string, string],
  detail: string,
  {
    headers = {},
    isLast = false,
    ...more
  }: {
    headers?: Readonly<Record<string, string>>;
    /** True when the connection closes after it. */
    isLast?: boolean;
    field?: string;
    retry_after_ms?: number;
    error_id?: string;
  } = {},
): HttpAnswer {
  return {
    status,
    headers: {
      ...standing,
      ...(isLast ? closes : stays),
      'content-type': 'application/problem+json',
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...headers,
    },
    body: { type: 'about:blank', title, status, detail, code, ...more },
  };
}

/** Status, phrase and code of the refusals that are asked for most. */
export const problems = {
  invalid: [400, 'Bad Request', 'invalid'],
  unauthenticated: [401, 'Unauthorized', 'unauthenticated'],
  forbidden: [403, 'Forbidden', 'forbidden'],
  notFound: [404, 'Not Found', 'not-found'],
  method: [405, 'Method Not Allowed', 'unsupported'],
  slow: [408, 'Request Timeout', 'timeout'],
  conflict: [409, 'Conflict', 'conflict'],
  tooLarge: [413, 'Content Too Large', 'too-large'],
  mediaType: [415, 'Unsupported Media Type', 'unsupported'],
  expectation: [417, 'Expectation Failed', 'invalid'],
  rateLimited: [429, 'Too Many Requests', 'rate-limited'],
  headersTooLarge: [431, 'Request Header Fields Too Large', 'invalid'],
  internal: [500, 'Internal Server Error', 'internal'],
  unavailable: [503, 'Service Unavailable', 'unavailable'],
  version: [505, 'HTTP Version Not Supported', 'invalid'],
} as const satisfies Readonly<Record<string, readonly [number, string, string]>>;

/** Takes whole answers off the front of what came; throws when it is not HTTP as RFC 9112 has it. */
export function readAnswers(
  bytes: Buffer,
  isHead: (index: number) => boolean = () => false,
): { answers: HttpAnswer[]; rest: Buffer } {
  const answers: HttpAnswer[] = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return { answers, rest };
    const [first = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const [, status = ''] = /^HTTP\/1\.1 (\d{3}) [^\r\n]+$/.exec(first) ?? [];
    if (status === '') throw new Error(`no status line: ${JSON.stringify(first.slice(0, 100))}`);
    const headers = readHeaders(lines);
    const hasBody = Number(status) >= 200 && status !== '204' && !isHead(answers.length);
    const length = Number(headers['content-length'] ?? 0);
    if (hasBody && headers['content-length'] === undefined) throw new Error('a body without a length');
    const whole = end + 4 + (hasBody ? length : 0);
    if (rest.length < whole) return { answers, rest };
    const text = rest.subarray(end + 4, whole).toString();
    rest = rest.subarray(whole);
    answers.push({ status: Number(status), ...taken(headers, text) });
  }
}

function readHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name = '', value = ''] = /^([\w-]+): ([^\r\n]*)$/.exec(line) ?? [];
    if (name === '') throw new Error(`no header: ${line}`);
    const lower = name.toLowerCase();
    if (Object.hasOwn(headers, lower)) throw new Error(`twice: ${name}`);
    headers[lower] = value;
  }
  return headers;
}

function taken(
  { date, 'content-length': _, ...headers }: Record<string, string>,
  text: string,
): Omit<HttpAnswer, 'status'> {
  // RFC 9110 section 6.6.1.
  if (date !== undefined) match(date, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
  if (text === '') return { headers, body: undefined };
  return { headers, body: headers['content-type']?.includes('json') ? JSON.parse(text) : text };
}

/** Spells a request. */
export function request(method: string, path: string, { token, headers, body }: Asking = {}): string {
  const isText = typeof body === 'string';
  const text = body === undefined || isText ? (body as string | undefined) : JSON.stringify(body);
  const all: Record<string, string> = {
    Host: 'chat.example',
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    ...(text === undefined
      ? {}
      : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(text)) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text ?? ''}`;
}

/** One connection that asks over HTTP and takes the answers apart. */
export class HttpClient {
  readonly client: TestClient;
  readonly #methods: string[] = [];
  #read = 0;

  constructor(client: TestClient) {
    this.client = client;
  }

  /** Everything that was answered so far. */
  get answers(): HttpAnswer[] {
    return readAnswers(this.client.received, (index) => this.#methods[index] === 'HEAD').answers;
  }

  /** Sends bytes that the caller has spelled. */
  write(bytes: string | Uint8Array): void {
    this.client.write(bytes);
  }

  /** Asks and answers what came back; requests of one client are made one after the other. */
  async ask(method: string, path: string, asking: Asking = {}): Promise<HttpAnswer> {
    this.#methods.push(method);
    this.write(request(method, path, asking));
    return this.next();
  }

  /** The next answer that has not been handed out. */
  async next(): Promise<HttpAnswer> {
    const index = this.#read;
    this.#read += 1;
    await until(() => this.client.isClosed || this.client.hasEnded || this.answers.length > index);
    const answer = this.answers[index];
    if (!answer) throw new Error(`closed without this answer; what came: ${this.client.text}`);
    return answer;
  }

  /** Everything that came until the server ended its side, which has to be whole answers. */
  async toTheEnd(): Promise<HttpAnswer[]> {
    await this.client.ended();
    const { answers, rest } = readAnswers(this.client.received, (index) => this.#methods[index] === 'HEAD');
    if (rest.length > 0) throw new Error(`no whole answer: ${rest}`);
    return answers;
  }
}

/** Opens a connection to ask on. */
export async function httpClient(port: number, way: 'clear' | 'tls' = 'clear'): Promise<HttpClient> {
  return new HttpClient(
    way === 'tls' ? await connectSecure(port) : await connectClear(port, { allowHalfOpen: true }),
  );
}
