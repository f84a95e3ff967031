import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { conversationName } from '../../model/conversation-name.ts';
import { operation } from '../../operation.ts';
import { conversation, seq } from '../shapes.ts';
import { readable } from './readable.ts';

/** Moves the caller's read marker forward, never back; answers where it stands. */
export const markRead = operation({
  name: 'conversation.mark-read',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ to: conversation, seq }),
  output: z.object({ to: z.string(), read_seq: z.number() }),
  async handle({ to, seq: upTo }, context) {
    const view = await readable(context, to);
    const lastSeq = view?.lastSeq ?? 0;
    if (upTo > lastSeq) {
      throw new ChatError('invalid', `seq: the last message is number ${lastSeq}`, { field: 'seq' });
    }
    if (!view) return { to: conversationName(to), read_seq: 0 };
    const { services, session } = context;
    const mark = { conversation: view.id, userId: session.userId, seq: upTo };
    return { to: conversationName(to), read_seq: await services.store.markRead(mark) };
  },
});
