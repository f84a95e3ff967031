import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** What a client of PostgreSQL is asked, as the store asks. */
interface Question {
  readonly text: string;
  readonly values?: readonly unknown[];
}

type Ask = (this: object, question: Question, ...more: unknown[]) => Promise<unknown>;

/** How long after its answer a commit is sent, in milliseconds. */
const hastyMs = 100;

/** Puts something else in the place of what asks PostgreSQL; answers what puts it back. */
function replaceAsking(replace: (ask: Ask) => Ask): () => void {
  const real = pg.Client.prototype.query as unknown as Ask;
  pg.Client.prototype.query = replace(real) as never;
  return () => {
    pg.Client.prototype.query = real as never;
  };
}

/** From now on a commit of messages is answered before it is made. Answers what ends that. */
export function answerBeforeCommits(): () => void {
  const late = new WeakMap<object, Promise<unknown>>();
  /** Those that have put messages into a transaction. */
  const storing = new WeakSet<object>();
  return replaceAsking(
    (ask) =>
      async function (this: object, question: Question) {
        const before = late.get(this);
        if (/^insert into "?messages"? /i.test(question.text)) storing.add(this);
        if (question.text === 'COMMIT' && storing.delete(this)) {
          const commit = delay(hastyMs).then(() => ask.call(this, question));
          commit.catch(() => {});
          late.set(this, commit);
          return { command: 'COMMIT', rows: [], rowCount: null };
        }
        // In its order, on a connection that has a commit before it.
        await before?.catch(() => {});
        return await ask.call(this, question);
      },
  );
}

/** From now on nobody locks a row before its seq is believed. Answers what ends that. */
export function lockNothing(): () => void {
  const clause = / for no key update of "\w+"$/;
  return replaceAsking(
    (ask) =>
      function (this: object, question: Question, ...more) {
        const isLocking = clause.test(question.text);
        return ask.call(
          this,
          isLocking ? { ...question, text: question.text.replace(clause, '') } : question,
          ...more,
        );
      },
  );
}

/** From now on nobody is told where conversations end. Answers what ends that. */
export function hideHeads(): () => void {
  return replaceAsking(
    (ask) =>
      async function (this: object, question: Question, ...more) {
        const answer = await ask.call(this, question, ...more);
        const isHeads = /^select "id", "last_seq" from "conversations" where "id" in/.test(question.text);
        return isHeads ? { ...(answer as object), rows: [], rowCount: 0 } : answer;
      },
  );
}

/** From now on a session is as it was when it was asked for first. Answers what ends that. */
export function rememberSessions(): () => void {
  const known = new Map<string, unknown>();
  return replaceAsking(
    (ask) =>
      async function (this: object, question: Question, ...more) {
        if (!/^select .* from "sessions" .*"token_hash" = \$1/.test(question.text))
          return await ask.call(this, question, ...more);
        const token = JSON.stringify(question.values);
        const answer = known.get(token) ?? (await ask.call(this, question, ...more));
        if ((answer as { rows: readonly unknown[] }).rows.length > 0) known.set(token, answer);
        return answer;
      },
  );
}

/** Takes away what would keep two messages from having one seq, whatever a store does. */
export async function allowDoubledSeqs(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query({ text: 'ALTER TABLE messages DROP CONSTRAINT IF EXISTS messages_pkey' });
  await client.end();
}
