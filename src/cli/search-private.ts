import type { WireMessage } from '../client/connection.ts';
import { hasTerms, parseSearch } from '../core/search-terms.ts';
import type { CommandContext } from './command.ts';
import { keyStoreOf } from './key-store.ts';
import { openPrivateReader } from './private-reader.ts';
import { callTimeoutMs, type LoggedIn } from './session.ts';

/** So many of the newest messages of each private conversation are looked at. */
export const searchedOfEach = 2_000;

/** What was found among encrypted messages. */
export interface PrivateMatches {
  /** Newest first. */
  readonly messages: readonly WireMessage[];
  /** Conversations that have more than was looked at. */
  readonly cut: readonly string[];
}

/**
 * Looks for words in one's own encrypted messages, which no server can: they are fetched, opened and read here. Nothing is found on a machine
 * that has no keys of the account.
 */
export async function searchPrivate(
  context: CommandContext,
  { connection, username }: Pick<LoggedIn, 'connection' | 'username'>,
  { q, to }: { readonly q: string; readonly to?: string },
): Promise<PrivateMatches> {
  const terms = parseSearch(q);
  const store = await keyStoreOf(context, username);
  const isOfRoom = to?.startsWith('#') === true;
  if (isOfRoom || (await store?.load()) === undefined) return { messages: [], cut: [] };
  const { conversations } = await connection.call('conversation.list', {}, { timeoutMs: callTimeoutMs });
  const searched = conversations.filter(
    (one) => one.to.startsWith('@') && (to === undefined || one.to === to) && one.last_seq > 0,
  );
  const reader = openPrivateReader(context, () => username);
  const found: WireMessage[] = [];
  try {
    for (const { to: name } of searched) {
      const from = { last: searchedOfEach };
      for await (const message of context.host.client.history({ connection, to: name, from })) {
        if (message.envelope === undefined) continue;
        const opened = await reader.open(message);
        if (opened.text !== undefined && hasTerms(opened.text, terms)) found.push(opened);
      }
    }
  } finally {
    await reader.close();
  }
  return {
    messages: found.sort((one, other) => Date.parse(other.sent_at) - Date.parse(one.sent_at)),
    cut: searched.filter((one) => one.last_seq > searchedOfEach).map((one) => one.to),
  };
}
