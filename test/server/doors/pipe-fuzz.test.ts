import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatHashedPassword } from '../../../src/core/crypto/hashed-password.ts';
import { errorCodes } from '../../../src/core/errors.ts';
import { FakePeer } from '../../core/support/chat.ts';
import {
  type FuzzedSession,
  fuzzConnections,
  fuzzedSession,
  fuzzInputs,
  fuzzParameters,
  fuzzSeed,
  linesOf,
  play,
} from './support/fuzz.ts';
import { type ChatAtPort, chatAtPort } from './support/real-chat.ts';

const verbs = ['REGISTER', 'AUTH', 'SALT', 'TOKEN', 'SEND', 'USERS', 'FOLLOW', 'LOGOUT'];
const password = 'words of a bot';

/** What a client of this connection says when nothing is wrong; each has its own name. */
function valid(index: number): string[] {
  const name = `bot${index}`;
  return [
    `REGISTER|${name}|${password}`,
    `REGISTER|new${index}|${password}`,
    `AUTH|${name}|${password}`,
    `AUTH|${name}|wrong words`,
    `AUTH|${name}|${formatHashedPassword(new Uint8Array(32).fill(index))}`,
    `SALT|${name}`,
    `SALT|nobody${index}`,
    `TOKEN|cs1_${'A'.repeat(43)}`,
    `SEND|#lobby|words | of \\p bot \\n ${index}`,
    `SEND|@bot${(index + 1) % fuzzConnections}|to another bot`,
    'SEND|@nobody|to nobody',
    'USERS',
    'FOLLOW|#lobby|1000000',
    `FOLLOW|@bot${(index + 1) % fuzzConnections}|0`,
    `FOLLOW|@${name}|1`,
    'LOGOUT',
    'PING',
  ];
}

/** The answers that a session must get: the text or a pattern of each, in order. Written without the codec's help. */
function expected(bytes: Buffer, salts: ReadonlyMap<string, string>): Array<RegExp | string> {
  const answers: Array<RegExp | string> = [];
  let bad = 0;
  for (const line of linesOf(bytes)) {
    if (!isUtf8(line)) return [...answers, /^ERROR\|invalid\|the line is not UTF-8$/];
    const text = line.toString();
    const verb = text.split('|')[0] ?? '';
    if (text === 'QUIT') return answers;
    if (verbs.includes(verb) || verb === 'PING' || verb === 'QUIT') {
      bad = 0;
      const exact = salts.get(text);
      if (exact !== undefined) answers.push(exact);
      else if (text === 'PING') answers.push(/^PONG$/);
      else answers.push(new RegExp(`^${verb}\\|(SUCCESS(\\|.*)?|FAILURE\\|(${errorCodes.join('|')}))$`));
    } else {
      bad += 1;
      answers.push(/^ERROR\|unsupported\|there is no such verb$/);
      if (bad === 10) return answers;
    }
  }
  return answers;
}

/** What `SALT` must answer for this connection's own names: an answer that strayed would be another. */
async function saltAnswers({ t }: ChatAtPort, index: number): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (const username of [`bot${index}`, `nobody${index}`]) {
    const { salt, realm, cost } = await t.call(new FakePeer(), 'login.salt', { username });
    answers.set(`SALT|${username}`, `SALT|SUCCESS|${realm}|${salt}|${cost}`);
  }
  return answers;
}

/** Conversations that a connection has asked to follow, in the reader's words. */
function followed(answers: readonly string[]): Set<string> {
  const prefix = 'FOLLOW|SUCCESS|';
  return new Set(answers.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length)));
}

/** Answers how many answers were checked. */
function check(session: FuzzedSession, salts: ReadonlyMap<string, string>, text: string): number {
  expect(text === '' || text.endsWith('\n')).toBe(true);
  const lines = text.split('\n').slice(0, -1);
  const answers = lines.filter((line) => !line.startsWith('MESSAGE|'));
  const patterns = expected(session.bytes, salts);
  expect(answers.length, JSON.stringify(answers)).toBe(patterns.length);
  for (const [index, pattern] of patterns.entries()) {
    if (typeof pattern === 'string') expect(answers[index]).toBe(pattern);
    else expect(answers[index]).toMatch(pattern);
  }
  expect(answers.filter((line) => line.includes('|FAILURE|internal'))).toEqual([]);
  const conversations = followed(answers);
  for (const line of lines.filter((one) => one.startsWith('MESSAGE|'))) {
    const [, to = '', seq = '', time = ''] = line.split('|');
    expect(conversations.has(to)).toBe(true);
    expect([seq, time]).toEqual([expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d{4}-.*Z$/)]);
  }
  return answers.length;
}

it(`the pipe door answers ${fuzzInputs} lines of nonsense and sense each once and in order, and still serves`, async () => {
  console.info(`pipe fuzz: CHAT_FUZZ_SEED=${fuzzSeed}`);
  const at = await chatAtPort();
  const salts: Array<ReadonlyMap<string, string>> = [];
  for (let index = 0; index < fuzzConnections; index++) {
    await at.register(`bot${index}`, password);
    salts.push(await saltAnswers(at, index));
  }
  const sessions = fc.tuple(
    ...Array.from({ length: fuzzConnections }, (_, index) =>
      fuzzedSession({ first: 'PING\n', valid: valid(index), last: ['QUIT'] }),
    ),
  );
  let checked = 0;
  await fc.assert(
    fc.asyncProperty(sessions, async (group) => {
      const texts = await Promise.all(group.map((session) => play(at.port, session)));
      for (const [index, session] of group.entries()) {
        checked += check(session, salts[index] ?? new Map(), texts[index] ?? '');
      }
      const login = await play(at.port, {
        bytes: Buffer.from(`AUTH|bot0|${password}\nSEND|@bot0|still here\nLOGOUT\nQUIT\n`),
        pieces: [1 << 20],
      });
      expect(login).toMatch(
        /^AUTH\|SUCCESS\|cs1_[\w-]{43}\nSEND\|SUCCESS\|[0-9a-f-]{36}\|\d+\nLOGOUT\|SUCCESS\n$/,
      );
    }),
    fuzzParameters,
  );
  expect([at.failures, at.t.failures]).toEqual([[], []]);
  // Most lines must have met an open connection, or this shows little.
  expect(checked).toBeGreaterThan(0.6 * fuzzInputs);
}, 600_000);
