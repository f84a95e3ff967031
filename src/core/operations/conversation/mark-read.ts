import { z } from 'zod';
import { ChatError } from '../../errors.ts';
import { conversationName } from '../../model/conversation-name.ts';
import { operation } from '../../operation.ts';
import { conversation, seq } from '../shapes.ts';
import { refused } from './refused.ts';

/** Moves the caller's read marker forward, never back; answers where it stands. */
export const markRead = operation({
  name: 'conversation.mark-read',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ to: conversation, seq }),
  output: z.object({ to: z.string(), read_seq: z.number() }),
  async handle({ to, seq: upTo }, { services, session, now }) {
    const { store } = services;
    const view = await store.openConversation({ userId: session.userId, ref: to, now });
    if ('kind' in view) throw refused(view, to);
    if (upTo > view.lastSeq) {
      throw new ChatError('invalid', `seq: the last message is number ${view.lastSeq}`, { field: 'seq' });
    }
    const readSeq = await store.markRead({ conversation: view.id, userId: session.userId, seq: upTo });
    return { to: conversationName(to), read_seq: readSeq };
  },
});
