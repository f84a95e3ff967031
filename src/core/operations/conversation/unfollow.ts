import * as z from 'zod';
import { operation } from '../../operation.ts';
import { conversation } from '../shapes.ts';
import { readable } from './readable.ts';

/** Stops the stream of one conversation on this connection, or without `to` of all of them and of new ones. */
export const unfollow = operation({
  name: 'conversation.unfollow',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ to: conversation.optional() }),
  output: z.object({}),
  async handle({ to }, context) {
    const { services, peer } = context;
    if (!to) {
      services.feed.unfollow(peer);
      return {};
    }
    const view = await readable(context, to);
    if (view) services.feed.unfollow(peer, view.id);
    return {};
  },
});
