import { deepEqual, equal, ok, partialDeepStrictEqual } from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { errorCodes } from '../../../src/core/errors.ts';
import {
  type FuzzedDoor,
  type FuzzedSession,
  type FuzzTarget,
  fuzzConnections,
  fuzzedSession,
  linesOf,
  play,
} from './sessions.ts';

const notJson = -32_700;
const notRequest = -32_600;
/** What a request may be refused with. */
const answerCodes: readonly string[] = errorCodes.filter((code) => code !== 'internal');
/** Stands for both, where a line is cut in the middle of its brackets. */
const eitherNumber = 0;
/** Lines in a row that are no request before the connection closes. */
const maxBadLines = 10;
/** Calls that may run beside each other; every other one waits for those before it, and those after it wait for it. */
const overlapping = ['message.send', 'account.me', 'no.such'];

/** Who calls on a connection. */
interface Caller {
  readonly name: string;
  readonly password: string;
  readonly first: string;
  readonly valid: readonly string[];
  /** What `login.salt` tells, by name: an answer that strayed from another connection would be another. */
  readonly salts: ReadonlyMap<string, unknown>;
}

function request(id: unknown, method: string, params: object = {}): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

/** What a client says when nothing is wrong, each call under many ids, so that an id seldom comes twice. */
function validLines(index: number, name: string, password: string): string[] {
  const other = `caller${(index + 1) % fuzzConnections}`;
  const calls: ReadonlyArray<readonly [string, object?]> = [
    ['ping'],
    ['account.me'],
    ['account.begin-register'],
    ['account.register', { username: name, password }],
    ['account.register', { username: `new${index}`, password }],
    ['login.salt', { username: name }],
    ['login.salt', { username: `nobody${index}` }],
    ['login.begin', { message: 'bm8=' }],
    ['login.password', { username: name, password, ends_with_connection: true }],
    ['login.password', { username: name, password: 'wrong words' }],
    ['login.resume', { session_token: `cs1_${'A'.repeat(43)}` }],
    ['session.list'],
    ['session.end'],
    ['message.send', { to: '#lobby', text: `to all from ${name} "\\ \u0007\u{1f4a5}` }],
    ['message.send', { to: `@${other}`, text: `from ${name}`, key: `key of ${name}` }],
    ['message.send', { to: `@${other}`, text: `also from ${name}` }],
    ['message.send', { to: '@nobody', text: 'x' }],
    ['message.history', { to: `@${other}`, limit: 2, newest: true }],
    ['conversation.follow', { to: '#lobby', last: 1 }],
    ['conversation.follow', { last: 1 }],
    ['conversation.unfollow'],
    ['conversation.list'],
    ['conversation.mark-read', { to: `@${other}`, seq: 1 }],
    ['room.create', { room: `room${index}` }],
    ['room.join', { room: `room${(index + 1) % fuzzConnections}` }],
    ['room.leave', { room: `room${(index + 1) % fuzzConnections}` }],
    ['room.list', { limit: 3 }],
    ['room.members', { room: 'lobby', limit: 3 }],
    ['user.list', { watch: true, limit: 3 }],
    ['no.such', { text: 'x' }],
  ];
  return Array.from({ length: 60 }, (_, round) =>
    calls.map(([method, params], at) => {
      const number = round * calls.length + at;
      return request(number % 3 === 0 ? number : `${name} ${number}`, method, params);
    }),
  ).flat();
}

/** Lines that are good and no call with an answer, or that are often got wrong. */
function otherLines(name: string): string[] {
  return [
    request(undefined, 'message.send', { to: '#lobby', text: `nobody waits, ${name}` }),
    request(null, 'account.me'),
    '{"jsonrpc":"2.0","id":"ping-1","result":{}}',
    '[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    '{"jsonrpc":"2.0","id":1e400,"method":"ping"}',
    '{"jsonrpc":"2.0","id":true,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    `${'['.repeat(65)}${']'.repeat(65)}`,
  ];
}

/** One request that must be answered, and where it stands among those that wait for each other. */
interface Expected {
  readonly id: string;
  readonly method: string;
  /** Answers come in this order; calls that may run beside each other have the same. Undefined for a ping: at once. */
  readonly place: number | undefined;
  readonly params: Record<string, unknown>;
}

/** What a session must be answered; written without the codec's help. */
function expected(bytes: Buffer): { calls: Expected[]; bad: number[] } {
  const calls: Expected[] = [];
  const bad: number[] = [];
  let inRow = 0;
  let place = 0;
  for (const line of linesOf(bytes)) {
    if (!isUtf8(line)) return { calls, bad: [...bad, notJson] };
    const frame = read(line.toString());
    if (typeof frame === 'number') {
      bad.push(frame);
      inRow += 1;
      if (inRow === maxBadLines) break;
      continue;
    }
    inRow = 0;
    const { id, method, params = {} } = frame;
    if (typeof method !== 'string') continue;
    const isBeside = overlapping.includes(method) || !isOperation(method);
    if (method !== 'ping' && !isBeside) place += 1;
    if (id !== undefined) {
      const at = method === 'ping' ? undefined : place;
      calls.push({ id: JSON.stringify(id), method, place: at, params: params as Record<string, unknown> });
    }
    if (method !== 'ping' && !isBeside) place += 1;
  }
  return { calls, bad };
}

const operations = new Set(
  validLines(0, 'x', 'x').map((line) => (JSON.parse(line) as { method: string }).method),
);

function isOperation(method: string): boolean {
  return operations.has(method) || method === 'conversation.catch-up';
}

/** The request or answer in a line, or JSON-RPC's number for what is neither. */
function read(text: string): Record<string, unknown> | number {
  const brackets = text.match(/[[{]/g)?.length ?? 0;
  if (brackets > 64) return /^\[{65}\]{65}$/.test(text) ? notRequest : eitherNumber;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return notJson;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return notRequest;
  const frame = value as Record<string, unknown>;
  const { jsonrpc, id, method, params } = frame;
  const isAnswer = method === undefined && ('result' in frame || 'error' in frame);
  const fits =
    jsonrpc === '2.0' &&
    (id === undefined ||
      id === null ||
      typeof id === 'string' ||
      (typeof id === 'number' && Math.abs(id) < 2 ** 53)) &&
    (isAnswer ||
      (typeof method === 'string' &&
        (params === undefined || (typeof params === 'object' && params !== null && !Array.isArray(params)))));
  return fits ? frame : notRequest;
}

interface Told {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { to?: string; sender?: string; text?: string };
  readonly result?: Record<string, unknown>;
  readonly error?: { code: number; data: { code: string } };
}

/** Answers how many requests and bad lines were answered. */
function check(caller: Caller, { bytes }: FuzzedSession, text: string): number {
  ok(text.endsWith('\n'), 'the last line has no end');
  const told = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Told);
  const { calls, bad } = expected(bytes);
  const isBad = ({ id, error }: Told) =>
    id === null && (error?.code === notJson || error?.code === notRequest);
  const numbers = told.filter(isBad).map(({ error }) => error?.code ?? 0);
  deepEqual(
    numbers.map((number, at) => (bad[at] === eitherNumber ? eitherNumber : number)),
    bad,
  );
  const answers = told.filter((one) => one.method === undefined && !isBad(one));
  // Each once, on the connection that asked, under its own id.
  const ids = (of: ReadonlyArray<{ id: string }>) => of.map(({ id }) => id).sort();
  deepEqual(ids(answers.map(({ id }) => ({ id: JSON.stringify(id) }))), ids(calls));
  const callsById = new Map<string, Expected[]>();
  for (const call of calls) callsById.set(call.id, [...(callsById.get(call.id) ?? []), call]);
  let place = 0;
  for (const { id, result, error } of answers) {
    if (error) ok(answerCodes.includes(error.data.code), `refused with ${error.data.code}`);
    else ok(typeof result === 'object' && result !== null, `answered with ${result}`);
    const [call, another] = callsById.get(JSON.stringify(id)) ?? [];
    // Two requests with one id are answered twice; which is which, nobody can tell.
    if (!call || another) continue;
    if (call.place !== undefined) {
      ok(call.place >= place, `${call.method} ${call.id} was answered too late`);
      place = call.place;
    }
    if (result) checkResult(caller, call, result);
  }
  for (const { method, params } of told) if (method === 'message') checkMessage(caller, params);
  return calls.length + bad.length;
}

/** What can only be this connection's. */
function checkResult({ name, salts }: Caller, { method, params }: Expected, result: object): void {
  const salt = method === 'login.salt' ? salts.get(String(params.username)) : undefined;
  if (salt) deepEqual(result, salt);
  if (method === 'account.me' || method === 'login.password')
    partialDeepStrictEqual(result, { username: name });
  if (method === 'ping') deepEqual(Object.keys(result).sort(), ['protocol', 'time']);
  if (method === 'message.history') partialDeepStrictEqual(result, { to: params.to });
}

/** A direct conversation is told under the other's name, and has nobody else's messages. */
function checkMessage({ name }: Caller, { to = '', sender }: NonNullable<Told['params']> = {}): void {
  if (to.startsWith('@'))
    ok([name, to.slice(1)].includes(sender ?? ''), `${name} was told what ${sender} said to ${to}`);
}

async function caller({ register, salt }: FuzzTarget, index: number): Promise<Caller> {
  const name = `caller${index}`;
  const password = `words of caller ${index}`;
  await register(name, password);
  const salts = new Map<string, unknown>();
  for (const username of [name, `nobody${index}`]) {
    salts.set(username, await salt(username));
  }
  const login = request('first', 'login.password', { username: name, password, ends_with_connection: true });
  const valid = validLines(index, name, password);
  // As often as one kind of call, each.
  const others = otherLines(name).flatMap((line) => Array.from({ length: 60 }, () => line));
  return { name, password, salts, first: `${login}\n`, valid: [...valid, ...others] };
}

/** What a client does after all that: logs in, says something and reads it again. */
async function checkLogin({ port }: FuzzTarget, { name, first }: Caller): Promise<void> {
  const text = await play(port, {
    bytes: Buffer.from(
      [
        first.trim(),
        request(2, 'message.send', { to: `@${name}`, text: 'still here' }),
        request(3, 'message.history', { to: `@${name}`, limit: 1, newest: true }),
        request(4, 'session.end'),
        '',
      ].join('\n'),
    ),
    pieces: [1 << 20],
  });
  const told = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  equal(told.length, 4);
  partialDeepStrictEqual(told, [
    { id: 'first', result: { username: name } },
    { id: 2, result: {} },
    { id: 3, result: { messages: [{ sender: name, text: 'still here' }] } },
    { id: 4, result: {} },
  ]);
}

/** The line door: each line is answered once, under its id; calls that wait for each other in order. */
export async function fuzzLines(target: FuzzTarget): Promise<FuzzedDoor<readonly FuzzedSession[]>> {
  const callers: Caller[] = [];
  for (let index = 0; index < fuzzConnections; index++) callers.push(await caller(target, index));
  return {
    rounds: fc.tuple(...callers.map((one) => fuzzedSession({ ...one, last: [] }))),
    async play(group) {
      const texts = await Promise.all(group.map((session) => play(target.port, session)));
      const judged = callers.map((one, index) =>
        check(one, group[index] as FuzzedSession, texts[index] ?? ''),
      );
      await checkLogin(target, callers[0] as Caller);
      return judged.reduce((sum, count) => sum + count);
    },
  };
}
