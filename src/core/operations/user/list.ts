import * as z from 'zod';
import { operation } from '../../operation.ts';
import { afterName, nextName, pageLimit } from '../shapes.ts';

/**
 * Who is online, or with `all` every account, in order of name, a page at a time. With `watch` this connection is told
 * `presence` from now on: changes after the list that is answered.
 */
export const list = operation({
  name: 'user.list',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({
    all: z.boolean().default(false),
    watch: z.boolean().default(false),
    after: afterName,
    limit: pageLimit.default(1_000),
  }),
  output: z.object({
    users: z.array(z.object({ username: z.string(), online: z.boolean() })),
    next: nextName,
  }),
  async handle({ all, watch, after, limit }, { services, peer }) {
    const { store, presence } = services;
    if (watch) presence.watch(peer);
    const names = all
      ? await store.usernames({ after, limit })
      : presence
          .online()
          .filter((name) => name > after)
          .slice(0, limit);
    return {
      users: names.map((username) => ({ username, online: presence.isOnline(username) })),
      next: names.length < limit ? null : (names.at(-1) ?? null),
    };
  },
});
