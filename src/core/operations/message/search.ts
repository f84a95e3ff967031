import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { conversationName } from '../../model/conversation-name.ts';
import { instantText } from '../../model/instant.ts';
import { wireBody } from '../../model/message.ts';
import { operation } from '../../operation.ts';
import { searchRows } from '../../policy.ts';
import type { Searchable } from '../../ports/store/search.ts';
import { searchNewest } from '../../search.ts';
import { parseSearch } from '../../search-terms.ts';
import { readable } from '../conversation/readable.ts';
import { conversation, message, messageId } from '../shapes.ts';

/**
 * Finds messages by their words, newest first, in all that the caller may read or in `to` alone. `next` is the `before` of the
 * next page, or null when there is nothing more. `complete` is false while messages are left out that are not in the index yet.
 */
export const search = operation({
  name: 'message.search',
  access: 'session',
  cost: 'search',
  audited: false,
  // Its work is many small steps of the store: one search of a connection at a time.
  overlaps: false,
  input: z.strictObject({
    q: z.string(),
    to: conversation.optional(),
    before: messageId.optional(),
    limit: z.number().int().min(1).max(searchRows.most).default(searchRows.usual),
  }),
  output: z.object({ messages: z.array(message), next: z.string().nullable(), complete: z.boolean() }),
  async handle({ q, to, before, limit }, context) {
    const { store } = context.services;
    const { userId } = context.session;
    const terms = parseSearch(q);
    let conversations: readonly Searchable[];
    if (to === undefined) conversations = await store.searchable({ userId });
    else {
      const view = await readable(context, to);
      const latestAt = Number.MAX_SAFE_INTEGER;
      conversations = view ? [{ id: view.id, ref: to, lastSeq: view.lastSeq, latestAt }] : [];
    }
    const position = before === undefined ? undefined : await store.messagePosition({ userId, id: before });
    if (before !== undefined && position === undefined)
      throw new ChatError('not-found', `there is no message ${before}: search again`, { field: 'before' });
    const { matches, isWhole } = await searchNewest(store, {
      userId,
      terms,
      conversations,
      before: position,
      // One more than is shown says whether there are more.
      limit: limit + 1,
    });
    const page = matches.slice(0, limit);
    return {
      messages: page.map(({ in: ref, message: found }) => ({
        to: conversationName(ref),
        seq: found.seq,
        id: found.id,
        sender: found.sender,
        sent_at: instantText(found.sentAt),
        ...wireBody(found.body),
      })),
      next: matches.length > limit ? (page.at(-1)?.message.id ?? null) : null,
      complete: isWhole,
    };
  },
});
