import type { Memory } from '../queries/memory.ts';
import type { MessageRow } from '../queries/messages.ts';
import type { Session } from './session.ts';
import { keptText } from './text.ts';

/** Characters of one statement's messages, beyond which the next one begins. */
const maxCharacters = 1_048_576;

/** Rows go as one text each way they are many: the database takes a row apart faster than it takes one more statement. */
const insertRows = `INSERT INTO messages (conversation_id, seq, id, sender_id, sent_at, latest_at, body, envelope, idempotency_key)
SELECT conversation, seq, id, "senderId", "sentAt", "latestAt", body, envelope, key
FROM json_to_recordset($1::json) AS new (conversation int8, seq int8, id text, "senderId" text, "sentAt" int8, "latestAt" int8,
  body text, envelope text, key text)
ON CONFLICT (idempotency_key, sender_id) WHERE idempotency_key IS NOT NULL DO NOTHING`;

/** By a list and not by a join: for that the planner would read every conversation there is, up to some thousands of them. */
export const updateHeads = `UPDATE conversations SET last_seq = ($2::jsonb -> id::text ->> 0)::int8, latest_at = ($2::jsonb -> id::text ->> 1)::int8
WHERE id = ANY ($1::int8[])`;

/**
 * Stores rows of messages, in few statements however many they are. False when a message's key was known: that one was not stored, and
 * those after it in its conversation are not where they should be.
 */
export async function insertMessages(session: Session, messages: readonly MessageRow[]): Promise<boolean> {
  const counts = await Promise.all(
    statementsOf(messages).map(async (some) => {
      const { rowCount } = await session.prepared('insert_messages', insertRows, [JSON.stringify(some)]);
      return rowCount === some.length;
    }),
  );
  return counts.every(Boolean);
}

/** What `writeBack` does, in one statement. */
export async function writeHeads(session: Session, memory: Memory): Promise<void> {
  const heads = memory.takeAhead();
  if (heads.length === 0) return;
  const values = Object.fromEntries(heads.map(({ id, lastSeq, latestAt }) => [id, [lastSeq, latestAt]]));
  const ids = `{${heads.map(({ id }) => id).join(',')}}`;
  await session.prepared('write_heads', updateHeads, [ids, JSON.stringify(values)]);
}

function statementsOf(messages: readonly MessageRow[]): MessageRow[][] {
  const statements: MessageRow[][] = [];
  let characters = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const { body, envelope, key } = message;
    if (characters >= maxCharacters) {
      statements.push([]);
      characters = 0;
    }
    characters += (body ?? envelope ?? '').length;
    statements.at(-1)?.push({
      ...message,
      body: body && sentText(body),
      envelope: envelope && sentText(envelope),
      key: key && sentText(key),
    });
  }
  return statements;
}

/** As a parameter of its own is sent, which half of a pair of surrogates has no place in either. */
const sentText = (text: string): string => keptText(text).toWellFormed();
