import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import {
  type FuzzedDoor,
  type FuzzedSession,
  type FuzzTarget,
  fuzzConnections,
  fuzzedSession,
  linesOf,
  play,
} from './sessions.ts';

const password = 'words of a person';
const isRefusal = /^error: (no such user|a message has at least one character)$/;
const isPlain = /^[ -[\]-~]+$/;
const time = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /;

/** Who talks on a connection, and to whom. */
interface Person {
  readonly name: string;
  readonly first: string;
  readonly valid: readonly string[];
}

function person(index: number): Person {
  const name = `person${index}`;
  return {
    name,
    first: `/login ${name} ${password}\n`,
    valid: [
      `/login ${name} ${password}`,
      '/login',
      `/login ${name} cs1_${'A'.repeat(43)}`,
      `/register ${name} ${password}`,
      `/register new${index} ${password}`,
      '/register',
      `/register new${index}`,
      '/users',
      '/help',
      `hello from ${index}`,
      `with \\ and \t tab and \u202e of ${index}`,
      `@person${(index + 1) % fuzzConnections} to another`,
      `@${name} to myself`,
      '@nobody to nobody',
      `@${name}`,
    ],
  };
}

/** What a line of a person who is logged in must be answered with; written without the codec's help. */
type Expected = { readonly answer: RegExp } | { readonly own: 'public' | 'private'; readonly text: string };

function expected(bytes: Buffer): { answers: Expected[]; refusal: string | undefined } {
  const answers: Expected[] = [];
  for (const line of linesOf(bytes).slice(1)) {
    if (!isUtf8(line)) return { answers, refusal: 'error: the line is not UTF-8' };
    const text = line.toString();
    const word = text.split(/\s/)[0];
    if (text.startsWith('/')) {
      if (/^\/exit(\s|$)/.test(text) && text.slice(6) === '') return { answers, refusal: undefined };
      answers.push({ answer: commandAnswer(word ?? '') });
    } else answers.push({ own: text.startsWith('@') ? 'private' : 'public', text });
  }
  return { answers, refusal: undefined };
}

function commandAnswer(word: string): RegExp {
  if (word === '/login') return /^error: user is already logged in$/;
  if (word === '/register') {
    return /^(Registration Succeeded|error: (user already exists|a password or .*|a name is needed: .*|username: .*|password: .*))$/;
  }
  if (word === '/users') return /^([a-z0-9][a-z0-9._-]*( |$))+$|^error: unknown command$/;
  return /^error: unknown command$/;
}

/** Answers how many lines were answered. */
function check({ name }: Person, session: FuzzedSession, text: string): number {
  ok(text.endsWith('\n'), 'the last line has no end');
  const [greeting, ...lines] = text.split('\n').slice(0, -1);
  equal(greeting, 'Authentication Succeeded');
  const { answers, refusal } = expected(session.bytes);
  const told = lines.filter((line) => time.test(line));
  const isOwn = (line: string) => line.slice(20).startsWith(`${name}: `);
  const own = told.filter(isOwn);
  /** Answers, each with how many own lines came before it. */
  const said: Array<{ line: string; ownBefore: number }> = [];
  let ownBefore = 0;
  for (const line of lines) {
    if (!time.test(line)) said.push({ line, ownBefore });
    else if (isOwn(line)) ownBefore += 1;
  }
  if (refusal !== undefined) equal(said.pop()?.line, refusal);
  // A public line always comes back, and never again at a later login; a private one comes back or is refused; and nothing is answered before it.
  let back = 0;
  for (const one of answers) {
    const next = said[0];
    if ('answer' in one) match(next?.line ?? '', one.answer);
    else if (one.own === 'public' || !isRefusal.test(next?.line ?? '')) {
      back += 1;
      continue;
    }
    ok(next && next.ownBefore >= back, `${next?.line} came before what was said earlier`);
    said.shift();
  }
  deepEqual(said, []);
  equal(own.length, back);
  // The public ones in order and as they were sent; what is shown escaped is not compared.
  const publicly = own
    .map((line) => line.slice(`${name}: `.length + 20))
    .filter((text) => !text.startsWith('@'));
  const sent = answers.flatMap((one) => ('own' in one && one.own === 'public' ? [one.text] : []));
  deepEqual(
    publicly.map((text, at) => (isPlain.test(sent[at] ?? '') ? text : sent[at])),
    sent,
  );
  // What others say is either public or to this person, and nothing of it moves a cursor.
  for (const line of told) {
    const [, sender = '', recipient] = /^(\S+): (?:@(\S+) )?/.exec(line.slice(20)) ?? [];
    doesNotMatch(line, /\p{Cc}/u);
    if (recipient !== undefined && sender !== name && /^person\d$/.test(recipient)) {
      equal(recipient, name);
    }
  }
  return answers.length;
}

/** The slash door: each line is answered once and in order. */
export async function fuzzSlashes(target: FuzzTarget): Promise<FuzzedDoor<readonly FuzzedSession[]>> {
  const people = Array.from({ length: fuzzConnections }, (_, index) => person(index));
  for (const { name } of people) await target.register(name, password);
  return {
    rounds: fc.tuple(...people.map((one) => fuzzedSession({ ...one, last: ['/exit'] }))),
    async play(group) {
      const texts = await Promise.all(group.map((session) => play(target.port, session)));
      const judged = people.map((one, index) =>
        check(one, group[index] as FuzzedSession, texts[index] ?? ''),
      );
      const login = await play(target.port, {
        bytes: Buffer.from(`/login person0 ${password}\nstill here\n/exit\n`),
        pieces: [1 << 20],
      });
      match(login, /^Authentication Succeeded\n(.*\n)*\S+ \S+ person0: still here\n/);
      return judged.reduce((sum, count) => sum + count);
    },
  };
}
