import { deepEqual, equal, ok, partialDeepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { turn, until } from '../../../test/server/support/until.ts';
import {
  closeFrame,
  connectWebSocket,
  frame,
  opcodes,
  type RawWebSocket,
} from '../../../test/server/support/websocket.ts';
import { type FuzzedDoor, type FuzzTarget, fuzzConnections, linesPerConnection } from './sessions.ts';

/** What one connection sends, one after the other. */
type Item =
  | { readonly kind: 'text'; readonly text: string; readonly fragments: number }
  | { readonly kind: 'ping'; readonly payload: string }
  /** What ends the connection, with the code that says why. */
  | { readonly kind: 'mistake'; readonly bytes: Buffer; readonly code: number };

interface FuzzedConnection {
  readonly items: readonly Item[];
  /** Sizes of the pieces that it is sent in, used over and over; 1 is byte by byte. */
  readonly pieces: readonly number[];
}

/** Requests of a person; the number makes each one's id its own. */
function templates(index: number): Array<(n: number) => string> {
  const next = `surfer${(index + 1) % fuzzConnections}`;
  const request = (method: string, params: object) => (n: number) =>
    JSON.stringify({ jsonrpc: '2.0', id: `c${index}-${n}`, method, params });
  return [
    request('ping', {}),
    request('account.me', {}),
    request('user.list', {}),
    request('session.list', {}),
    request('conversation.list', {}),
    request('conversation.follow', { to: '#lobby' }),
    request('conversation.unfollow', { to: '#lobby' }),
    request('message.send', { to: '#lobby', text: `hello from ${index}` }),
    request('message.send', { to: `@${next}`, text: 'with \\ " \t and \u202e' }),
    request('message.send', { to: '@nobody', text: 'x' }),
    request('message.send', { to: '#lobby', text: '' }),
    request('message.history', { to: '#lobby', limit: 3 }),
    request('login.resume', { session_token: `cs1_${'A'.repeat(43)}` }),
    request('login.begin', { message: 'n,,n=nobody,r=fyko+d2lbbFgONRv9qkxdawL' }),
    request('session.revoke', { id: '00000000-0000-7000-8000-000000000000' }),
    request('no.such', { __proto__: 1 }),
    (n) => `{"jsonrpc":"2.0","id":${n},"method":"ping"}`,
    (n) => `{"jsonrpc":"2.0","id":null,"method":"room.list","params":{"n":${n}}}`,
    () => '{"jsonrpc":"2.0","method":"message.send","params":{"to":"#lobby","text":"unasked"}}',
    () => '{"jsonrpc":"2.0","id":"ping-1","result":{}}',
    () => '{"type":"Authenticate","user_id":"u","session_token":"t"}',
    () => '{"type":"Other"}',
    () => '[]',
    () => '',
  ];
}

function messageText(index: number): fc.Arbitrary<string> {
  const good = fc
    .record({ make: fc.constantFrom(...templates(index)), n: fc.integer({ min: 1, max: 1_000_000_000 }) })
    .map(({ make, n }) => make(n));
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('change', 'insert', 'remove', 'repeat', 'cut'),
    unit: fc.oneof(fc.constantFrom(...'{}[]":,\\0\u0000 \n.e-'), fc.string({ unit: 'binary', maxLength: 1 })),
  });
  const mutated = fc.tuple(good, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([text, edits]) => {
    let changed = text;
    for (const { at, kind, unit } of edits) {
      const place = at % (changed.length + 1);
      const [head, tail] = [changed.slice(0, place), changed.slice(place)];
      if (kind === 'change') changed = head + unit + tail.slice(1);
      else if (kind === 'insert') changed = head + unit + tail;
      else if (kind === 'remove') changed = head + tail.slice(1);
      else if (kind === 'repeat') changed = head + head + tail;
      else changed = head;
    }
    return changed;
  });
  return fc
    .oneof(
      { arbitrary: good, weight: 60 },
      { arbitrary: mutated, weight: 60 },
      { arbitrary: fc.string({ unit: 'binary', maxLength: 40 }), weight: 10 },
      { arbitrary: fc.json({ maxDepth: 3 }), weight: 10 },
    )
    .map((text) => Buffer.from(text).toString());
}

const mistakes: ReadonlyArray<readonly [Buffer, number]> = [
  [frame('{}', { isMasked: false }), 1002],
  [frame('{}', { reserved: 4 }), 1002],
  [frame('{}', { opcode: 7 }), 1002],
  [frame('{}', { opcode: opcodes.continuation }), 1002],
  [frame('x', { opcode: opcodes.ping, isFinal: false }), 1002],
  [frame('{}', { opcode: opcodes.binary }), 1003],
  [frame(Buffer.of(0xff)), 1007],
  [frame('', { announced: 131_073 }), 1009],
  [closeFrame(4_000, 'enough'), 4_000],
];

function fuzzedConnection(index: number): fc.Arbitrary<FuzzedConnection> {
  const item: fc.Arbitrary<Item> = fc.oneof(
    {
      arbitrary: fc.record({
        kind: fc.constant('text' as const),
        text: messageText(index),
        fragments: fc.constantFrom(1, 1, 1, 2, 5),
      }),
      weight: 100,
    },
    {
      arbitrary: fc.record({
        kind: fc.constant('ping' as const),
        payload: fc.string({ unit: 'grapheme-ascii', maxLength: 125 }),
      }),
      weight: 5,
    },
    {
      arbitrary: fc
        .constantFrom(...mistakes)
        .map(([bytes, code]) => ({ kind: 'mistake' as const, bytes, code })),
      weight: 1,
    },
  );
  return fc.record({
    items: fc.array(item, { minLength: linesPerConnection, maxLength: linesPerConnection }),
    pieces: fc.oneof(
      fc.constant([1 << 20]),
      fc.constant([1]),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 }),
    ),
  });
}

function bytesOf(items: readonly Item[]): Buffer {
  return Buffer.concat(
    items.map((item) => {
      if (item.kind === 'mistake') return item.bytes;
      if (item.kind === 'ping') return frame(item.payload, { opcode: opcodes.ping });
      const bytes = Buffer.from(item.text);
      const size = Math.ceil(bytes.length / item.fragments);
      return Buffer.concat(
        Array.from({ length: item.fragments }, (_, at) =>
          frame(bytes.subarray(at * size, (at + 1) * size), {
            opcode: at === 0 ? opcodes.text : opcodes.continuation,
            isFinal: at === item.fragments - 1,
          }),
        ),
      );
    }),
  );
}

/** What must be said to what one connection has sent; written without the codec's help. */
interface Expected {
  /** The ids of the answers, as JSON, sorted. */
  readonly ids: readonly string[];
  readonly authFailures: number;
  /** What the connection may be closed with. */
  readonly codes: readonly number[];
}

function expectedOf(items: readonly Item[]): Expected {
  const ids: string[] = [];
  let authFailures = 0;
  let badInARow = 0;
  for (const item of items) {
    if (item.kind === 'mistake') return { ids: ids.sort(), authFailures, codes: [item.code] };
    if (item.kind === 'ping') continue;
    const said = answerTo(item.text);
    badInARow = said === 'bad' ? badInARow + 1 : 0;
    if (said === 'bad') ids.push('null');
    else if (said === 'authenticate') authFailures += 1;
    else if (said !== undefined) ids.push(said.id);
    if (badInARow === 10) {
      // If its own end, or a mistake in a frame, has been read by then, that is what is answered.
      const mistake = items.find(({ kind }) => kind === 'mistake');
      const codes = [1008, mistake?.kind === 'mistake' ? mistake.code : 1000];
      return { ids: ids.sort(), authFailures, codes };
    }
  }
  return { ids: ids.sort(), authFailures, codes: [1000] };
}

function answerTo(text: string): 'bad' | 'authenticate' | { readonly id: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'bad';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'bad';
  const { jsonrpc, id, method, params, type } = value as Record<string, unknown>;
  if (jsonrpc !== '2.0') return type === 'Authenticate' ? 'authenticate' : 'bad';
  const isNumber = typeof id === 'number' && Math.abs(id) <= Number.MAX_SAFE_INTEGER;
  if (id !== undefined && id !== null && typeof id !== 'string' && !isNumber) return 'bad';
  if (method === undefined && ('result' in value || 'error' in value)) return undefined;
  if (typeof method !== 'string') return 'bad';
  if (params !== undefined && (typeof params !== 'object' || params === null || Array.isArray(params))) {
    return 'bad';
  }
  return id === undefined ? undefined : { id: JSON.stringify(id) };
}

async function send(socket: RawWebSocket, bytes: Buffer, pieces: readonly number[]): Promise<void> {
  const { client } = socket;
  let sent = 0;
  for (let index = 0; sent < bytes.length && !client.hasEnded && !client.isClosed; index++) {
    const size = pieces[index % pieces.length] ?? 1;
    socket.write(bytes.subarray(sent, sent + size));
    sent += size;
    await turn();
  }
}

/** A person with a session that lives as long as the test. */
interface Person {
  readonly name: string;
  readonly first: string;
}

/** Answers how many messages were answered. */
function check(person: Person, items: readonly Item[], socket: RawWebSocket): number {
  const expected = expectedOf(items);
  const said = socket.messages as Array<Record<string, unknown>>;
  // What is no request is answered at once, before what waits for the store.
  const greetings = said.filter(({ type }) => type === 'AuthSuccess');
  deepEqual(
    greetings.map(({ username }) => username),
    [person.name],
  );
  const messages = said.filter((message) => !greetings.includes(message));
  const answers = messages.filter((message) => 'id' in message);
  const failures = messages.filter(({ type }) => type === 'AuthFailure');
  const events = messages.filter(({ method }) => method !== undefined && method !== 'ping');
  deepEqual(answers.map(({ id }) => JSON.stringify(id)).sort(), expected.ids);
  equal(failures.length, expected.authFailures);
  ok(expected.codes.includes(socket.closed?.code ?? 0), `closed with ${socket.closed?.code}`);
  equal(answers.length + failures.length + events.length, messages.length);
  // What others write to each other is not told here.
  for (const { method, params } of events) {
    const { to, sender } = params as { to: string; sender: string };
    deepEqual([method, to === '#lobby' || sender === person.name || to === `@${sender}`], ['message', true]);
  }
  return answers.length;
}

/** What is said in a round over WebSockets: over one each of several people, and over one whose frames are spoilt. */
interface FuzzedSockets {
  readonly right: readonly FuzzedConnection[];
  readonly wrong: FuzzedConnection;
  readonly edits: ReadonlyArray<{ readonly at: number; readonly byte: number }>;
}

/** The WebSocket door: each message is answered once, to whom it came from, and mistakes close with their code. */
export async function fuzzWebSockets(target: FuzzTarget): Promise<FuzzedDoor<FuzzedSockets>> {
  const people: Person[] = [];
  for (let index = 0; index < fuzzConnections; index++) {
    const name = `surfer${index}`;
    await target.register(name, 'some words');
    const { user_id, session_token } = await target.logIn(name, 'some words');
    people.push({ name, first: JSON.stringify({ type: 'Authenticate', user_id, session_token }) });
  }
  const open = async (person: Person): Promise<RawWebSocket> => {
    const socket = await connectWebSocket(target.port);
    socket.say(person.first);
    return socket;
  };
  const [first] = people as [Person];
  const spoil = async ({ wrong, edits }: FuzzedSockets): Promise<void> => {
    const socket = await open(first);
    const bytes = bytesOf(wrong.items);
    for (const { at, byte } of edits) bytes[at % bytes.length] = byte;
    await send(socket, bytes, wrong.pieces);
    socket.client.socket.end();
    await until(() => socket.client.hasEnded || socket.client.isClosed);
    socket.client.socket.destroy();
  };
  return {
    rounds: fc.record({
      right: fc.tuple(...people.map((_, index) => fuzzedConnection(index))),
      // Bytes changed in the frames themselves: any of them may be a length or an opcode.
      wrong: fuzzedConnection(0),
      edits: fc.array(fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) }), {
        minLength: 1,
        maxLength: 5,
      }),
    }),
    async play(round) {
      const played = people.map(async (person, index) => {
        const { items, pieces } = round.right[index] as FuzzedConnection;
        const socket = await open(person);
        await send(socket, Buffer.concat([bytesOf(items), closeFrame(1000)]), pieces);
        await socket.closing();
        socket.client.socket.destroy();
        return check(person, items, socket);
      });
      const [judged] = await Promise.all([Promise.all(played), spoil(round)]);
      const login = await open(first);
      login.call(1, 'account.me');
      await login.messageCount(2);
      login.client.socket.destroy();
      partialDeepStrictEqual(login.messages, [
        { type: 'AuthSuccess' },
        { id: 1, result: { username: first.name } },
      ]);
      return judged.reduce((sum, count) => sum + count);
    },
  };
}
