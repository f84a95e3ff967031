import * as z from 'zod';
import { conversationName } from '../../model/conversation-name.ts';
import { instantText } from '../../model/instant.ts';
import { wireBody } from '../../model/message.ts';
import { operation } from '../../operation.ts';
import { maxPageCharacters } from '../../policy.ts';
import { readable } from '../conversation/readable.ts';
import { conversation, historyLimit, message, seq } from '../shapes.ts';

/**
 * A page of a conversation in order of seq, strictly between `after` and `before`: the first rows, or the newest ones. It has
 * fewer than `limit` when they are large. Two who have not written to each other have none, and looking begins no conversation.
 */
export const history = operation({
  name: 'message.history',
  access: 'session',
  cost: 'none',
  audited: false,
  // Each answer may be large: the next is made when there is room for it.
  overlaps: false,
  input: z.strictObject({
    to: conversation,
    after: seq.optional(),
    before: seq.optional(),
    limit: historyLimit.default(100),
    newest: z.boolean().default(false),
  }),
  output: z.object({ to: z.string(), messages: z.array(message), last_seq: z.number() }),
  async handle({ to, after, before, limit, newest }, context) {
    const view = await readable(context, to);
    if (!view) return { to: conversationName(to), last_seq: 0, messages: [] };
    const rows = await context.services.store.messages({
      conversation: view.id,
      limit,
      newest,
      maxCharacters: maxPageCharacters,
      ...(after === undefined ? {} : { after }),
      ...(before === undefined ? {} : { before }),
    });
    const name = conversationName(to);
    return {
      to: name,
      last_seq: view.lastSeq,
      messages: rows.map((row) => ({
        to: name,
        seq: row.seq,
        id: row.id,
        sender: row.sender,
        sent_at: instantText(row.sentAt),
        ...wireBody(row.body),
      })),
    };
  },
});
