import type { WireMessage } from '../client/connection.ts';
import { noKeysText } from '../client/no-keys.ts';
import { hasTerms, parseSearch } from '../core/search-terms.ts';
import type { CommandContext } from './command.ts';
import { keyStoreOf } from './key-store.ts';
import { grouped } from './pace.ts';
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
  /** Of messages that could not be looked into: how many, and why. */
  readonly notes: readonly string[];
}

/**
 * Looks for words in one's own encrypted messages, which no server can: they are fetched, opened and read here. What cannot be
 * opened is told, as all is on a machine that has no keys of the account.
 */
export async function searchPrivate(
  context: CommandContext,
  { connection, username }: Pick<LoggedIn, 'connection' | 'username'>,
  { q, to }: { readonly q: string; readonly to?: string },
): Promise<PrivateMatches> {
  const terms = parseSearch(q);
  const nothing = { messages: [], cut: [], notes: [] };
  if (to?.startsWith('#')) return nothing;
  const { conversations } = await connection.call('conversation.list', {}, { timeoutMs: callTimeoutMs });
  const searched = conversations.filter(
    (one) => one.to.startsWith('@') && (to === undefined || one.to === to) && one.last_seq > 0,
  );
  if (searched.length === 0) return nothing;
  const store = await keyStoreOf(context, username);
  if ((await store?.load()) === undefined)
    return { ...nothing, notes: [`encrypted messages were not searched: ${noKeysText}`] };
  const reader = openPrivateReader(context, () => username);
  const unopened = new Map<string, number>();
  const found: WireMessage[] = [];
  try {
    for (const { to: name } of searched) {
      const from = { last: searchedOfEach };
      for await (const message of context.host.client.history({ connection, to: name, from })) {
        if (message.envelope === undefined) continue;
        const opened = await reader.open(message);
        if (opened.text === undefined) {
          const why = whyNot(opened);
          unopened.set(why, (unopened.get(why) ?? 0) + 1);
        } else if (hasTerms(opened.text, terms)) found.push(opened);
      }
    }
  } finally {
    await reader.close();
  }
  return {
    messages: found.sort((one, other) => Date.parse(other.sent_at) - Date.parse(one.sent_at)),
    cut: searched.filter((one) => one.last_seq > searchedOfEach).map((one) => one.to),
    notes: [...unopened].map(
      ([why, count]) =>
        `${count === 1 ? '1 encrypted message was' : `${grouped(count)} encrypted messages were`} not searched: ${why}`,
    ),
  };
}

/** Why a message has no text, in the same words for all that have the same reason. */
function whyNot({ unsealed }: WireMessage): string {
  return unsealed?.kind === 'locked' ? unsealed.why : 'it did not hold; chat tail shows which, and why';
}
