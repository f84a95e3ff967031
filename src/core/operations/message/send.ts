import * as z from 'zod';
import type { MessageId } from '../../model/ids.ts';
import { instantText } from '../../model/instant.ts';
import type { SentBody } from '../../model/message.ts';
import { operation } from '../../operation.ts';
import { uuidV7 } from '../../random.ts';
import { refused } from '../conversation/refused.ts';
import { conversation, envelope, instant, label, text } from '../shapes.ts';

/**
 * Stores a message and answers after the commit. The same sender with the same `key` gets the first answer again, also with
 * another body, and nothing is stored twice (protocol, "message.send").
 */
export const send = operation({
  name: 'message.send',
  access: 'session',
  cost: 'message',
  audited: false,
  overlaps: true,
  input: z
    .strictObject({
      to: conversation,
      text: text.optional(),
      envelope: envelope.optional(),
      key: label.optional(),
    })
    .refine((input) => (input.text === undefined) !== (input.envelope === undefined), {
      error: 'give either text or envelope',
      path: ['text'],
    }),
  output: z.object({ id: z.string(), seq: z.number(), sent_at: instant }),
  async handle({ to, text: clear, envelope: sealed, key }, { services, session, now }) {
    const body: SentBody = clear === undefined ? { envelope: sealed ?? '' } : { text: clear };
    const outcome = await services.store.appendMessage({
      id: uuidV7() as MessageId,
      senderId: session.userId,
      sender: session.username,
      to,
      key,
      sentAt: now,
      body,
    });
    if (!('seq' in outcome)) throw refused(outcome, to);
    const { id, seq, sentAt } = outcome;
    if (outcome.kind === 'stored') {
      services.bus.publish({
        type: 'message',
        conversation: outcome.conversation,
        audience: outcome.audience,
        message: { seq, id, sender: session.username, sentAt, body },
      });
    }
    return { id, seq, sent_at: instantText(sentAt) };
  },
});
