import * as z from 'zod';
import { conversationName } from '../../model/conversation-name.ts';
import { operation } from '../../operation.ts';

/** The caller's conversations, each with its last message's number and the caller's read marker. */
export const list = operation({
  name: 'conversation.list',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({}),
  output: z.object({
    conversations: z.array(z.object({ to: z.string(), last_seq: z.number(), read_seq: z.number() })),
  }),
  async handle(_input, { services, session }) {
    const views = await services.store.conversations({ userId: session.userId });
    return {
      conversations: views.map((view) => ({
        to: conversationName(view.ref),
        last_seq: view.lastSeq,
        read_seq: view.readSeq,
      })),
    };
  },
});
