import * as z from 'zod';
import { badToken, ChatError } from '../../errors.ts';
import type { Start } from '../../feed/followers.ts';
import { conversationName } from '../../model/conversation-name.ts';
import type { ConversationView } from '../../model/message.ts';
import { type CallContext, operation } from '../../operation.ts';
import type { StartingPoint } from '../../ports/store/conversations.ts';
import { conversation, instant, messageId, seq } from '../shapes.ts';
import { refused } from './refused.ts';

/** Where reading begins, at most one of them; none means: with what is sent from now on. */
const start = {
  after: seq.optional(),
  after_id: messageId.optional(),
  since: instant.optional(),
  last: z.number().int().min(0).max(1_000_000).optional(),
};

const input = z
  .strictObject({
    to: conversation.optional(),
    ...start,
    cursors: z.record(z.string().max(64), seq).optional(),
  })
  .superRefine((given, context) => {
    const points = [given.after, given.after_id, given.since, given.last].filter(
      (point) => point !== undefined,
    );
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (points.length > 1) refuse('after', 'give at most one of after, after_id, since and last');
    if (given.to && given.cursors) refuse('cursors', 'goes without to');
    if (!given.to && (given.after !== undefined || given.after_id !== undefined)) {
      refuse('to', 'after and after_id need a conversation');
    }
  });

/**
 * Streams what is stored after a starting point, then what is stored from now on, without gap or repeat, as `message` events
 * (protocol). With `to` one conversation; without it all of the caller's, those that begin later too, each after its entry in
 * `cursors` or else by `since` or `last`. The answer precedes the events and says where each stream begins.
 */
export const follow = operation({
  name: 'conversation.follow',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input,
  output: z.object({
    following: z.array(z.object({ to: z.string(), after: z.number() })),
    at: instant,
  }),
  async handle(given, context) {
    const { services, session, peer, now } = context;
    if (!peer.events) throw new ChatError('unsupported', 'this connection cannot be pushed to');
    const point = startingPoint(given);
    let starts: Start[] = [];
    services.feed.noteLeaving(peer);
    if (given.to) {
      const conversation = await services.store.openConversation({
        userId: session.userId,
        ref: given.to,
        now,
      });
      if ('kind' in conversation) throw refused(conversation, given.to);
      const { after = await resolve(context, conversation, point) } = given;
      checkPosition(conversation, after, 'after');
      starts.push({ conversation, after });
      if (!peer.session) throw badToken();
      for (const { after } of starts) {
        if (!services.feed.follow(peer, conversation, after)) throw refused({ kind: 'not-member' }, given.to);
      }
    } else {
      const cursors = new Map(Object.entries(given.cursors ?? {}));
      // Before the list is read, so that nothing begins unseen between the two.
      const letGo = services.feed.holdNew(peer);
      try {
        for (const conversation of await services.store.conversations({ userId: session.userId })) {
          const name = conversationName(conversation.ref);
          const after = cursors.get(name) ?? (await resolve(context, conversation, point));
          checkPosition(conversation, after, `cursors.${name}`);
          starts.push({ conversation, after });
        }
        if (!peer.session) throw badToken();
        starts = services.feed.followAll(peer, starts);
      } finally {
        letGo();
      }
    }
    return {
      following: starts.map(({ conversation, after }) => ({ to: conversationName(conversation.ref), after })),
      at: new Date(now).toISOString(),
    };
  },
});

/**
 * Nobody has read further than there is: a server that was set back to an older backup would otherwise leave out what is sent
 * until it has caught up with its reader.
 */
function checkPosition({ ref, lastSeq }: ConversationView, after: number, field: string): void {
  if (after <= lastSeq) return;
  const ends = `${conversationName(ref)} ends with message ${lastSeq}`;
  throw new ChatError('invalid', `${ends}, before ${after}: was the server set back to a backup?`, { field });
}

function startingPoint(given: z.output<typeof input>): StartingPoint | undefined {
  if (given.after_id !== undefined) return { id: given.after_id };
  if (given.since !== undefined) return { since: Date.parse(given.since) };
  return given.last === undefined ? undefined : { last: given.last };
}

async function resolve(
  { services }: CallContext,
  view: ConversationView,
  from: StartingPoint | undefined,
): Promise<number> {
  if (!from) return view.lastSeq;
  const after = await services.store.startingSeq({ conversation: view.id, from });
  if (after === undefined) {
    throw new ChatError('not-found', 'after_id: there is no such message in this conversation', {
      field: 'after_id',
    });
  }
  return after;
}
