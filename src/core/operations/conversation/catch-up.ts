import * as z from 'zod';
import { badToken, ChatError } from '../../errors.ts';
import type { Start } from '../../feed/followers.ts';
import { readingOf } from '../../message-event.ts';
import { type MissedStretch, sendMissed } from '../../missed.ts';
import { conversationName, isLobby } from '../../model/conversation-name.ts';
import { operation } from '../../operation.ts';
import { feedPageRows } from '../../policy.ts';
import { instant } from '../shapes.ts';

/**
 * For readers who are shown one stream (document 5): first what the caller has missed, oldest first, of the lobby at most the
 * `last` messages and of direct conversations all, then both live, those that begin later too. What the connection takes
 * counts as read. The answer comes after what was missed.
 */
export const catchUp = operation({
  name: 'conversation.catch-up',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ last: z.number().int().min(0).max(1_000).default(feedPageRows) }),
  output: z.object({
    missed: z.number(),
    following: z.array(z.object({ to: z.string(), after: z.number() })),
    at: instant,
  }),
  async handle({ last }, { services, session, peer, now }) {
    const { store, feed } = services;
    if (!peer.events) throw new ChatError('unsupported', 'this connection cannot be pushed to');
    feed.noteLeaving(peer);
    // Before the list is read, so that nothing begins unseen between the two.
    const letGo = feed.holdNew(peer, { takes: 'lobby-and-direct', marksRead: true });
    try {
      const conversations = (await store.conversations({ userId: session.userId })).filter(
        ({ ref }) => ref.kind === 'direct' || isLobby(ref),
      );
      const stretches = conversations.map((view): MissedStretch => {
        const after = isLobby(view.ref) ? Math.max(view.readSeq, view.lastSeq - last) : view.readSeq;
        return {
          conversation: view.id,
          reading: readingOf(view.ref, session.username),
          after,
          upTo: view.lastSeq,
        };
      });
      const missed = await sendMissed(store, peer, peer.events, stretches);
      if (!peer.session) throw badToken();
      const starts: Start[] = conversations.map((conversation) => ({
        conversation,
        after: conversation.lastSeq,
      }));
      const following = feed.followAll(peer, starts);
      return {
        missed,
        following: following.map(({ conversation, after }) => ({
          to: conversationName(conversation.ref),
          after,
        })),
        at: new Date(now).toISOString(),
      };
    } finally {
      letGo();
    }
  },
});
