import fc from 'fast-check';
import { connectClear, type TestClient } from '../../../test/server/support/client.ts';
import { turn } from '../../../test/server/support/until.ts';

/** Connections at a time. */
export const fuzzConnections = 4;
/** Lines, or messages, of one of them in a round. */
export const linesPerConnection = 25;

/** Who a door is fuzzed by: made on a server in this process, or in another one. */
export interface FuzzTarget {
  readonly port: number;
  /** Makes an open account. */
  register(username: string, password: string): Promise<void>;
  /** What `login.salt` tells of a name. */
  salt(username: string): Promise<{ salt: string; realm: string; cost: number }>;
  /** Opens a session that goes on without a connection. */
  logIn(username: string, password: string): Promise<{ user_id: string; session_token: string }>;
}

/** A door that can be fuzzed, in rounds. */
export interface FuzzedDoor<Round> {
  readonly rounds: fc.Arbitrary<Round>;
  /** Says all of a round over several connections at a time, and logs in afterwards. Answers how many answers were judged; throws where one is wrong. */
  play(round: Round): Promise<number>;
}

/** What one connection sends, and in which pieces. */
export interface FuzzedSession {
  readonly bytes: Buffer;
  /** Sizes of the pieces, used over and over; 1 is byte by byte. */
  readonly pieces: readonly number[];
}

/** Anything that a line may be: a valid one, a valid one with a few bytes changed, text, or bytes. */
function line(valid: readonly string[], last: readonly string[]): fc.Arbitrary<Buffer> {
  const good = fc.constantFrom(...valid).map((text) => Buffer.from(text));
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('change', 'insert', 'remove', 'repeat', 'cut'),
    // Seldom a byte that is no UTF-8 by itself: that closes the connection.
    byte: fc.oneof(
      { arbitrary: fc.constantFrom(...Buffer.from('|\\/@#"{}[],:1\r\n\0 \t')), weight: 20 },
      { arbitrary: fc.nat({ max: 127 }), weight: 20 },
      { arbitrary: fc.nat({ max: 255 }), weight: 1 },
    ),
  });
  const mutated = fc.tuple(good, fc.array(edit, { minLength: 1, maxLength: 4 })).map(([bytes, edits]) => {
    let changed = bytes;
    for (const { at, kind, byte } of edits) {
      const place = at % (changed.length + 1);
      const [head, tail] = [changed.subarray(0, place), changed.subarray(place)];
      if (kind === 'change') changed = Buffer.concat([head, Buffer.of(byte), tail.subarray(1)]);
      else if (kind === 'insert') changed = Buffer.concat([head, Buffer.of(byte), tail]);
      else if (kind === 'remove') changed = Buffer.concat([head, tail.subarray(1)]);
      else if (kind === 'repeat') changed = Buffer.concat([head, head, tail]);
      else changed = head;
    }
    return changed;
  });
  return fc.oneof(
    { arbitrary: good, weight: 60 },
    { arbitrary: mutated, weight: 80 },
    { arbitrary: fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text)), weight: 30 },
    { arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
    // With nothing that closes the connection, one more good line.
    {
      arbitrary: fc.constantFrom(...(last.length > 0 ? last : valid)).map((text) => Buffer.from(text)),
      weight: 1,
    },
  );
}

/** What is said at a door: `first`, so that the door is known, then mostly `valid` lines, and seldom one of `last`. */
export interface FuzzedLanguage {
  readonly first: string;
  readonly valid: readonly string[];
  /** What closes the connection, if there is anything of the kind. */
  readonly last: readonly string[];
}

/** Sessions in a door's language, and in much else. */
export function fuzzedSession({ first, valid, last }: FuzzedLanguage): fc.Arbitrary<FuzzedSession> {
  const end = fc.constantFrom('\n', '\n', '\n', '\r\n', '\n\n');
  return fc
    .record({
      lines: fc.array(fc.tuple(line(valid, last), end), {
        minLength: linesPerConnection,
        maxLength: linesPerConnection,
      }),
      pieces: fc.oneof(
        { arbitrary: fc.constant([1 << 20]), weight: 4 },
        // A hundred times the turns and writes of the others: a hundred of the 800 sessions of a run.
        { arbitrary: fc.constant([1]), weight: 1 },
        {
          arbitrary: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }),
          weight: 3,
        },
      ),
    })
    .map(({ lines, pieces }) => ({
      bytes: Buffer.concat([
        Buffer.from(first),
        ...lines.flatMap(([bytes, ending]) => [bytes, Buffer.from(ending)]),
      ]),
      pieces,
    }));
}

/** Sends a session and ends this side; answers everything that came until the server closed. */
export async function play(port: number, { bytes, pieces }: FuzzedSession): Promise<string> {
  const client: TestClient = await connectClear(port, { allowHalfOpen: true });
  let sent = 0;
  for (let index = 0; sent < bytes.length && !client.hasEnded && !client.isClosed; index++) {
    const size = pieces[index % pieces.length] ?? 1;
    client.write(bytes.subarray(sent, sent + size));
    sent += size;
    await turn();
  }
  client.socket.end();
  await client.ended();
  client.socket.destroy();
  if (client.error) throw client.error;
  return client.text;
}

/** Lines as a server cuts them: without ends, the last one also when it is not finished; empty ones left out. */
export function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    const line = bytes.subarray(start, bytes[end - 1] === 0x0d && end > start ? end - 1 : end);
    lines.push(line);
    start = end + 1;
  }
  return lines.filter((line) => line.length > 0);
}
