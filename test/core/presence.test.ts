import { describe, expect, it } from 'vitest';
import { jsonRpcEvents } from '../../src/core/codecs/json-rpc.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { maxQueuedBytes } from '../../src/core/policy.ts';
import { createPresence, type Presence } from '../../src/core/presence.ts';
import { createTurn } from '../../src/core/turn.ts';
import { loggedIn, login, openChat, peer, register, turnOver } from './support/chat.ts';

const alice = parseUsername('alice');
const bob = parseUsername('bob');
const told = (user: string, online: boolean) => ({ type: 'presence', user, online });

/** Presence with one who watches. */
function watched(): { presence: Presence; watcher: ReturnType<typeof peer> } {
  const presence = createPresence(createTurn(setImmediate));
  const watcher = peer();
  presence.watch(watcher);
  return { presence, watcher };
}

describe('presence', () => {
  it('tells once that somebody came and once that they left, however many connections they have', async () => {
    const { presence, watcher } = watched();
    for (const _ of [1, 2, 3]) {
      presence.arrived(alice);
      await turnOver();
    }
    expect(watcher.told()).toEqual([told('alice', true)]);
    for (const _ of [1, 2]) {
      presence.left(alice);
      await turnOver();
    }
    expect(watcher.told()).toEqual([told('alice', true)]);
    expect(presence.isOnline(alice)).toBe(true);
    presence.left(alice);
    expect(presence.isOnline(alice)).toBe(false);
    await turnOver();
    expect(watcher.told()).toEqual([told('alice', true), told('alice', false)]);
  });

  it('tells the changes of one turn together, and nothing of who left and came back', async () => {
    const { presence, watcher } = watched();
    presence.arrived(bob);
    await turnOver();
    presence.arrived(alice);
    presence.left(bob);
    presence.arrived(bob);
    presence.left(alice);
    presence.arrived(alice);
    await turnOver();
    expect(watcher.told()).toEqual([told('bob', true), told('alice', true)]);
    expect(watcher.pushed).toHaveLength(2);
    presence.left(alice);
    presence.left(bob);
    expect(presence.online()).toEqual([]);
    await turnOver();
    expect(watcher.pushed).toHaveLength(3);
    expect(watcher.told().slice(2)).toEqual([told('alice', false), told('bob', false)]);
  });

  it('ignores one who leaves without having come', async () => {
    const { presence, watcher } = watched();
    presence.left(alice);
    await turnOver();
    expect(watcher.told()).toEqual([]);
  });

  it('tells a slow watcher the final state when it has read, and the others at once', async () => {
    const { presence, watcher } = watched();
    const slow = peer();
    presence.watch(slow);
    Object.assign(slow, { isSlow: true, queuedBytes: maxQueuedBytes + 1 });
    for (const change of [
      () => presence.arrived(alice),
      () => presence.arrived(bob),
      () => presence.left(alice),
    ]) {
      change();
      await turnOver();
    }
    expect(slow.told()).toEqual([]);
    expect(watcher.told()).toEqual([told('alice', true), told('bob', true), told('alice', false)]);
    slow.isSlow = false;
    slow.drain();
    await turnOver();
    expect(slow.told()).toEqual([told('alice', false), told('bob', true)]);
    presence.arrived(alice);
    await turnOver();
    expect(slow.told().at(-1)).toEqual(told('alice', true));
  });

  it('does not hold a watcher for slow at exactly 1 MiB', async () => {
    const { presence, watcher } = watched();
    watcher.queuedBytes = maxQueuedBytes;
    presence.arrived(alice);
    await turnOver();
    expect(watcher.told()).toEqual([told('alice', true)]);
  });

  it('encodes once for all watchers of one codec', async () => {
    const { presence, watcher } = watched();
    const other = peer();
    const spelled = peer({ events: { name: 'other', encode: (events) => jsonRpcEvents.encode(events) } });
    presence.watch(other);
    presence.watch(spelled);
    presence.arrived(alice);
    await turnOver();
    expect(other.pushed[0]).toBe(watcher.pushed[0]);
    expect(spelled.pushed[0]).not.toBe(watcher.pushed[0]);
    expect(spelled.told()).toEqual(watcher.told());
  });

  it('forgets a slow watcher that leaves or watches no longer', async () => {
    const { presence } = watched();
    const [gone, turned] = [peer(), peer()];
    for (const slow of [gone, turned]) {
      presence.watch(slow);
      Object.assign(slow, { isSlow: true, queuedBytes: maxQueuedBytes + 1 });
    }
    presence.arrived(alice);
    await turnOver();
    gone.leave();
    presence.unwatch(turned);
    turned.drain();
    await turnOver();
    expect([gone.told(), turned.told()]).toEqual([[], []]);
  });
});

describe('user.list', () => {
  it('answers who is online, or everybody, in order of name and page by page', async () => {
    const t = await openChat();
    await register(t, 'carol', 'alice', 'bob');
    const connection = await loggedIn(t, 'carol');
    await loggedIn(t, 'alice');
    expect(await t.call(connection, 'user.list', {})).toEqual({
      users: [
        { username: 'alice', online: true },
        { username: 'carol', online: true },
      ],
      next: null,
    });
    expect(await t.call(connection, 'user.list', { all: true, limit: 2 })).toEqual({
      users: [
        { username: 'alice', online: true },
        { username: 'bob', online: false },
      ],
      next: 'bob',
    });
    expect(await t.call(connection, 'user.list', { all: true, limit: 2, after: 'bob' })).toEqual({
      users: [{ username: 'carol', online: true }],
      next: null,
    });
    expect(await t.call(connection, 'user.list', { after: 'alice', limit: 1 })).toEqual({
      users: [{ username: 'carol', online: true }],
      next: 'carol',
    });
  });

  it('does not count a connection that cannot be pushed to', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const connection = await loggedIn(t, 'alice');
    await loggedIn(t, 'bob', { events: null, door: 'http' });
    expect((await t.call(connection, 'user.list', {})).users).toEqual([{ username: 'alice', online: true }]);
  });

  it('with watch tells each later change, until the watcher is logged out', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const watcher = await loggedIn(t, 'alice');
    await t.quiet();
    await t.call(watcher, 'user.list', { watch: true });
    await t.call(watcher, 'user.list', { watch: true });
    const connection = await loggedIn(t, 'bob');
    await t.quiet();
    await t.call(connection, 'session.end', {});
    await t.quiet();
    await login(t, connection, 'bob');
    await t.quiet();
    connection.leave();
    await t.quiet();
    const changes = [told('bob', true), told('bob', false), told('bob', true), told('bob', false)];
    expect(watcher.told()).toEqual(changes);
    await t.call(watcher, 'session.end', {});
    await loggedIn(t, 'bob');
    await t.quiet();
    expect(watcher.told()).toEqual(changes);
  });
});
