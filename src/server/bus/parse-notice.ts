import * as z from 'zod';
import type { Notice } from '../../core/ports/bus.ts';

type OfType<T extends Notice['type']> = Extract<Notice, { type: T }>;

/** A shape whose texts and numbers have names in the model. It is the publisher who has checked what they stand for. */
function shape<T>(schema: z.ZodType): z.ZodType<T> {
  return schema as z.ZodType<T>;
}

const text = z.string().max(1_024);
const count = z.int().min(0);
const body = z.union([
  z.strictObject({ text: z.string() }),
  z.strictObject({ envelope: z.string() }),
  z.strictObject({ erased: z.literal(true) }),
]);
const ref = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('room'), room: text }),
  z.strictObject({ kind: z.literal('direct'), peer: text }),
]);
const conversation = z.strictObject({ id: count, ref, lastSeq: count, readSeq: count });

const names = z.array(text).max(1_000_000);
const news = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('changes'), at: count, came: names, left: names }),
  z.strictObject({ kind: z.literal('whole'), at: count, piece: count, pieces: count, users: names }),
  z.strictObject({ kind: z.literal('beat'), at: count, users: count }),
  z.strictObject({ kind: z.literal('ask'), of: text.optional() }),
  z.strictObject({ kind: z.literal('gone') }),
]);

const membership = { userId: text, user: text, conversation };

/** What each notice looks like. One without an entry here does not compile, and one that does not fit is not heard. */
const shapes: { readonly [T in Notice['type']]: z.ZodType<OfType<T>> } = {
  message: shape(
    z.strictObject({
      type: z.literal('message'),
      conversation: count,
      audience: z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('room'), room: text }),
        z.strictObject({ kind: z.literal('direct'), users: z.tuple([text, text]) }),
      ]),
      message: z.strictObject({ seq: count, id: text, sender: text, sentAt: count, body }),
    }),
  ),
  'sessions-ended': shape(
    z.strictObject({ type: z.literal('sessions-ended'), ids: z.array(text), reason: text }),
  ),
  'session-changed': shape(z.strictObject({ type: z.literal('session-changed'), id: text })),
  'account-notice': shape(
    z.strictObject({
      type: z.literal('account-notice'),
      user: text,
      except: text.optional(),
      event: z.strictObject({
        type: z.literal('account-notice'),
        kind: z.enum(['new-device', 'failed-logins']),
        door: text,
        address: text,
        device: text.optional(),
        failures: count.optional(),
        at: count,
      }),
    }),
  ),
  'member-joined': shape(z.strictObject({ type: z.literal('member-joined'), ...membership })),
  'member-left': shape(z.strictObject({ type: z.literal('member-left'), ...membership })),
  'messages-taken': shape(
    z.strictObject({
      type: z.literal('messages-taken'),
      node: text,
      taken: z.array(z.tuple([text, count])).max(100_000),
    }),
  ),
  presence: shape(z.strictObject({ type: z.literal('presence'), node: text, news })),
};

/** Reads one notice of another node; undefined for anything else, also for what only a newer version knows. */
export function parseNotice(value: unknown): Notice | undefined {
  if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
  const { type } = value;
  if (typeof type !== 'string' || !Object.hasOwn(shapes, type)) return undefined;
  return shapes[type as Notice['type']].safeParse(value).data;
}
