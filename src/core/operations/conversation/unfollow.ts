import { z } from 'zod';
import { operation } from '../../operation.ts';
import { conversation } from '../shapes.ts';
import { refused } from './refused.ts';

/** Stops the stream of one conversation on this connection, or without `to` of all of them and of new ones. */
export const unfollow = operation({
  name: 'conversation.unfollow',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ to: conversation.optional() }),
  output: z.object({}),
  async handle({ to }, { services, session, peer, now }) {
    if (!to) {
      services.feed.unfollow(peer);
      return {};
    }
    const view = await services.store.openConversation({ userId: session.userId, ref: to, now });
    if ('kind' in view) throw refused(view, to);
    services.feed.unfollow(peer, view.id);
    return {};
  },
});
