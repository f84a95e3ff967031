import { expect, it } from 'vitest';
import { endSessionsOf } from '../../src/core/login/end-sessions.ts';
import type { UserId } from '../../src/core/model/ids.ts';
import type { Session } from '../../src/core/model/session.ts';
import type { Services } from '../../src/core/services.ts';
import { badToken, loggedIn, openChat, peer, refusal, register } from './support/chat.ts';

/** The parts that it needs, over a real store; what it tells the sessions of this and other nodes is kept. */
function servicesOf(store: Services['store']) {
  const told: unknown[] = [];
  const sessions = { ended: (...end: unknown[]) => void told.push(end) } as unknown as Services['sessions'];
  return { services: { store, sessions } as Services, told };
}

it('ends all of an account’s sessions but the one that asked, and says which (ASVS 7.4.3)', async () => {
  const t = await openChat();
  await register(t, 'alice', 'bob');
  const [own, one, other, bob] = [
    await loggedIn(t, 'alice'),
    await loggedIn(t, 'alice'),
    await loggedIn(t, 'alice'),
    await loggedIn(t, 'bob'),
  ];
  const { services, told } = servicesOf(t.store);
  const { id: except, userId, username } = own.session as Session;
  const ids = await endSessionsOf(services, { userId, username, except }, 'credentials-changed');
  expect(ids.toSorted()).toEqual([one.opened.session_id, other.opened.session_id].toSorted());
  expect(told).toEqual([[ids, 'credentials-changed', { of: 'alice' }]]);
  const resume = ({ opened }: typeof own) =>
    t.call(peer(), 'login.resume', { session_token: opened.session_token });
  for (const alive of [own, bob]) await expect(resume(alive)).resolves.toBeDefined();
  expect(await endSessionsOf(services, { userId, except }, 'credentials-changed')).toEqual([]);
});

it('ends every session of an account for who is not logged in to it, and no other account’s', async () => {
  const t = await openChat();
  await register(t, 'alice', 'bob');
  const alice = await loggedIn(t, 'alice');
  const bob = await loggedIn(t, 'bob');
  const { services } = servicesOf(t.store);
  const userId = alice.opened.user_id as UserId;
  expect(await endSessionsOf(services, { userId }, 'credentials-changed')).toEqual([alice.session?.id]);
  expect(await t.store.existingSessions([bob.session?.id ?? ('' as never)])).toHaveLength(1);
  expect(
    await refusal(t.call(peer(), 'session.refresh', { refresh_token: alice.opened.refresh_token })),
  ).toEqual(badToken);
});
