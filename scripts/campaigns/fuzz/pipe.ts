import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { formatHashedPassword } from '../../../src/core/crypto/hashed-password.ts';
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
async function saltAnswers({ salt: saltOf }: FuzzTarget, index: number): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (const username of [`bot${index}`, `nobody${index}`]) {
    const { salt, realm, cost } = await saltOf(username);
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
  ok(text === '' || text.endsWith('\n'), 'the last line has no end');
  const lines = text.split('\n').slice(0, -1);
  const answers = lines.filter((line) => !line.startsWith('MESSAGE|'));
  const patterns = expected(session.bytes, salts);
  equal(
    answers.length,
    patterns.length,
    `${answers.length} answers to ${patterns.length} lines: ${JSON.stringify(answers)}`,
  );
  for (const [index, pattern] of patterns.entries()) {
    if (typeof pattern === 'string') equal(answers[index], pattern);
    else match(answers[index] ?? '', pattern);
  }
  deepEqual(
    answers.filter((line) => line.includes('|FAILURE|internal')),
    [],
  );
  const conversations = followed(answers);
  for (const line of lines.filter((one) => one.startsWith('MESSAGE|'))) {
    const [, to = '', seq = '', time = ''] = line.split('|');
    ok(conversations.has(to), `told of ${to}, which is not followed`);
    match(seq, /^\d+$/);
    match(time, /^\d{4}-.*Z$/);
  }
  return answers.length;
}

/** The pipe door: each line is answered once and in order. */
export async function fuzzPipes(target: FuzzTarget): Promise<FuzzedDoor<readonly FuzzedSession[]>> {
  const salts: Array<ReadonlyMap<string, string>> = [];
  for (let index = 0; index < fuzzConnections; index++) {
    await target.register(`bot${index}`, password);
    salts.push(await saltAnswers(target, index));
  }
  const session = (index: number) => fuzzedSession({ first: 'PING\n', valid: valid(index), last: ['QUIT'] });
  return {
    rounds: fc.tuple(...salts.map((_, index) => session(index))),
    async play(group) {
      const texts = await Promise.all(group.map((one) => play(target.port, one)));
      const judged = group.map((one, index) => check(one, salts[index] ?? new Map(), texts[index] ?? ''));
      const login = await play(target.port, {
        bytes: Buffer.from(`AUTH|bot0|${password}\nSEND|@bot0|still here\nLOGOUT\nQUIT\n`),
        pieces: [1 << 20],
      });
      match(login, /^AUTH\|SUCCESS\|cs1_[\w-]{43}\nSEND\|SUCCESS\|[0-9a-f-]{36}\|\d+\nLOGOUT\|SUCCESS\n$/);
      return judged.reduce((sum, count) => sum + count);
    },
  };
}
