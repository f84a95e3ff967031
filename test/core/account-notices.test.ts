import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pipeCodec } from '../../src/core/codecs/pipe.ts';
import { slashCodec } from '../../src/core/codecs/slash.ts';
import { maxQueuedBytes } from '../../src/core/policy.ts';
import {
  FakePeer,
  loggedIn,
  login,
  openChat,
  peer,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';
import { Network } from './support/network.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');
beforeEach(() => void vi.useFakeTimers({ now: start, toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

const noticesOf = (connection: FakePeer) => connection.told().filter(({ type }) => type === 'account-notice');

const newDevice = {
  type: 'account-notice',
  kind: 'new-device',
  door: 'line',
  address: '192.0.2.9',
  device: 'laptop',
  at: '2026-03-01T12:00:00.000Z',
};

async function failLogin(t: TestChat, ...hosts: number[]): Promise<void> {
  const wrong = { username: 'alice', password: 'no such words' };
  for (const host of hosts) {
    const stranger = peer({ address: `198.51.100.${host}`, door: 'pipe' });
    expect((await refusal(t.call(stranger, 'login.password', wrong))).code).toBe('unauthenticated');
  }
}

describe('a login from a new device', () => {
  it('is told to the account’s other connections, and to nobody else', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const [one, other, bob] = [
      await loggedIn(t, 'alice', { device: { label: 'phone' } }),
      new FakePeer(),
      await loggedIn(t, 'bob'),
    ];
    await t.call(other, 'login.resume', { session_token: one.opened.session_token });
    const laptop = await loggedIn(t, 'alice', { device: { label: 'laptop' }, address: '192.0.2.9' });
    expect([one, other, bob, laptop].map(noticesOf)).toEqual([[newDevice], [newDevice], [], []]);
  });

  it('is told once: not of a login on the same device again, nor of a token that is taken up again', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const watcher = await loggedIn(t, 'alice');
    const { opened } = await loggedIn(t, 'alice', { device: { label: 'laptop' }, address: '192.0.2.9' });
    const again = await login(t, peer(), 'alice', { device: { id: opened.device_id } });
    await t.call(peer(), 'login.resume', { session_token: again.session_token });
    await t.call(peer(), 'session.refresh', { refresh_token: again.refresh_token });
    expect(noticesOf(watcher)).toEqual([newDevice]);
  });

  it('is told of a device that is another account’s, which is new to this one', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const watcher = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await login(t, peer(), 'alice', { device: { id: bob.opened.device_id, label: 'shared' } });
    expect(noticesOf(watcher)).toMatchObject([{ kind: 'new-device', device: 'shared' }]);
  });

  it('is told on every node, and not to one that has logged out or left', async () => {
    const network = new Network();
    const t = await openChat({ bus: () => network.open() });
    const beside = await openChat({ beside: t, bus: () => network.open() });
    await register(t, 'alice');
    const there = await loggedIn(beside, 'alice');
    const out = await loggedIn(beside, 'alice');
    await beside.call(out, 'session.end', {});
    const gone = await loggedIn(t, 'alice');
    gone.leave();
    there.pushed.length = 0;
    await loggedIn(t, 'alice', { device: { label: 'laptop' }, address: '192.0.2.9' });
    expect([there, out, gone].map((one) => noticesOf(one).length)).toEqual([1, 0, 0]);
  });

  it('is not pushed to who does not read: nobody else’s logins fill up a queue', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const slow = await loggedIn(t, 'alice');
    slow.queuedBytes = maxQueuedBytes + 1;
    await loggedIn(t, 'alice');
    slow.queuedBytes = maxQueuedBytes;
    await loggedIn(t, 'alice', { device: { label: 'laptop' }, address: '192.0.2.9' });
    expect(noticesOf(slow)).toEqual([newDevice]);
  });
});

describe('failed logins', () => {
  it('are told from the fifth on, with how many they are since the last good one, and the latest', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await failLogin(t, 1, 2, 3, 4);
    expect(noticesOf(alice)).toEqual([]);
    await failLogin(t, 5, 6, 7, 8);
    expect(noticesOf(bob)).toEqual([]);
    expect(noticesOf(alice)).toEqual([
      {
        type: 'account-notice',
        kind: 'failed-logins',
        door: 'pipe',
        address: '198.51.100.5',
        failures: 5,
        at: '2026-03-01T12:00:00.000Z',
      },
    ]);
  });
});

it.each([slashCodec, pipeCodec])('the door $door has no word for it and gets nothing', async ({ events }) => {
  const t = await openChat();
  await register(t, 'alice');
  const reader = await loggedIn(t, 'alice', { events: events ?? null });
  reader.pushed.length = 0;
  await loggedIn(t, 'alice');
  expect(reader.pushed).toEqual([]);
});
