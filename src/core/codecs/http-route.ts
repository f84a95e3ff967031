import type * as z from 'zod';
import { ChatError } from '../errors.ts';
import type { OperationName, OutputOf } from '../operations/index.ts';

/** How the text of a query parameter is read. */
export type QueryKind = 'text' | 'number' | 'flag';

/** One request of the HTTP API as data: an operation, and where in a request its input stands. */
export interface HttpRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/api/rooms/{room}`; what stands in braces is the operation's input field of that name. */
  readonly path: string;
  /** One sentence for people, in the description of the API. */
  readonly summary: string;
  readonly operation: OperationName;
  /** Of an answer that is no error; 204 has no body. */
  readonly status: 200 | 201 | 204;
  /** Input fields that may stand in the query. */
  readonly query?: Readonly<Record<string, QueryKind>>;
  /** Input fields that headers carry, by the header's name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Input fields that may stand in a JSON body; without it there is none. */
  readonly body?: readonly string[];
  /** Input that is the same in every request. */
  readonly fixed?: Readonly<Record<string, unknown>>;
  /** The shape of the body of an answer, where it is not the operation's. */
  readonly output?: z.ZodType;
  /** Spells what the operation answered. */
  readonly answer?: (result: never) => unknown;
}

/** Declares a route and checks what it does with its operation's answer. */
export function httpRoute<N extends OperationName>(
  route: Omit<HttpRoute, 'operation' | 'answer'> & {
    readonly operation: N;
    readonly answer?: (result: OutputOf<N>) => unknown;
  },
): HttpRoute {
  return route;
}

/** What a request carries, each part as the door has taken it apart. */
export interface HttpInput {
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON; undefined when the request had no body. */
  readonly body: unknown;
}

/** What nobody may put in an address: it ends up in histories and logs (ASVS 14.2.1). */
const secretNames = /token|password|passwd|secret|otp|verifier|authorization|credential|^proof$|^code$/i;

/** A token of ours, under whatever name. */
const tokenShape = /^c[sr]1_/;

/** Refuses a secret in the query, whatever is asked there: `invalid`, without its value; `where` is the place for it. */
export function refuseSecretsInQuery(
  query: Readonly<Record<string, unknown>>,
  where = 'in a header or a body',
): void {
  for (const [name, value] of Object.entries(query)) {
    const isToken = tokenShape.test(name);
    const holdsToken = [value].flat().some((one) => typeof one === 'string' && tokenShape.test(one));
    if (!isToken && !holdsToken && !secretNames.test(name)) continue;
    const field = isToken ? 'the query' : shown(name);
    throw new ChatError('invalid', `${field}: secrets never stand in a URL; send it ${where}`, { field });
  }
}

/** The names of the fields in a path's braces. */
export function pathFields(path: string): string[] {
  return [...path.matchAll(/\{([a-z_]+)\}/g)].map(([, name]) => name ?? '');
}

/** Puts the parts of a request together as the operation's input; `invalid` names what has no place. */
export function readHttp(route: HttpRoute, { path, query, headers, body }: HttpInput): unknown {
  const input: Record<string, unknown> = Object.create(null);
  for (const [name, value] of bodyFields(route, body)) input[name] = value;
  for (const [name, text] of Object.entries(query)) {
    const kind = route.query && Object.hasOwn(route.query, name) ? route.query[name] : undefined;
    if (!kind) throw unknownField(name, 'the query');
    if (typeof text !== 'string') throw new ChatError('invalid', `${name}: give it once`, { field: name });
    input[name] = readQuery(name, text, kind);
  }
  for (const [header, field] of Object.entries(route.headers ?? {})) {
    const value = headers[header];
    if (value !== undefined) input[field] = value;
  }
  for (const field of pathFields(route.path)) input[field] = path[field];
  return { ...input, ...route.fixed };
}

function bodyFields(route: HttpRoute, body: unknown): Array<[string, unknown]> {
  if (body === undefined || body === null) return [];
  if (typeof body !== 'object' || Array.isArray(body)) {
    throw new ChatError('invalid', 'the body is a JSON object');
  }
  const fields = Object.entries(body);
  const stranger = fields.find(([name]) => !route.body?.includes(name));
  if (stranger) throw unknownField(stranger[0], 'the body');
  return fields;
}

function readQuery(field: string, text: string, kind: QueryKind): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      // `Number` would take '', ' 1' and '0x10' too.
      if (/^\d{1,16}$/.test(text)) return Number(text);
      throw new ChatError('invalid', `${field}: a whole number is expected`, { field });
    case 'flag':
      if (text === 'true' || text === 'false') return text === 'true';
      throw new ChatError('invalid', `${field}: true or false is expected`, { field });
  }
}

function unknownField(name: string, where: string): ChatError {
  const field = shown(name);
  return new ChatError('invalid', `${field}: there is no such field in ${where} here`, { field });
}

/** A stranger's name, safe in a sentence of ours. */
function shown(name: string): string {
  return name.slice(0, 64).replace(/[^\w.-]/g, '?');
}
