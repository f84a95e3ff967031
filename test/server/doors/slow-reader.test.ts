import { afterEach, describe, expect, it, vi } from 'vitest';
import { feedPage, maxQueuedBytes } from '../../../src/core/policy.ts';
import { Connection } from '../../../src/server/connection.ts';
import { FakePeer } from '../../core/support/chat.ts';
import type { TestClient } from '../support/client.ts';
import { until } from '../support/until.ts';
import { type ChatAtPort, chatAtPort } from './support/real-chat.ts';

afterEach(() => void vi.restoreAllMocks());

const password = 'words of a reader';
/** More than the buffers of the system take for one connection, in messages of nearly the greatest size. */
const messages = 1_200;
const text = 'x'.repeat(16_000);
/** What waits at most: what a reader is fed at once more than fits, with what stands around each text. */
const mostQueued = maxQueuedBytes + 1.1 * feedPage.characters;

/** How a door logs in, and which lines of it are messages. */
interface Reading {
  readonly login: (name: string) => string;
  readonly answers: readonly RegExp[];
  readonly isMessage: (line: string) => boolean;
}

const doors: ReadonlyArray<readonly [string, Reading]> = [
  [
    'slash',
    {
      login: (name) => `/login ${name} ${password}\n/users\n`,
      answers: [/^Authentication Succeeded$/, /\breader\b/],
      isMessage: (line) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d writer: /.test(line),
    },
  ],
  [
    'pipe',
    {
      login: (name) => `AUTH|${name}|${password}\nFOLLOW|#lobby|0\nFOLLOW|@writer|0\n`,
      answers: [/^AUTH\|SUCCESS\|/, /^FOLLOW\|SUCCESS\|#lobby$/, /^FOLLOW\|SUCCESS\|@writer$/],
      isMessage: (line) => line.startsWith('MESSAGE|'),
    },
  ],
];

/** Remembers the most that ever waited for one connection, each time that an event was added to it. */
function watchQueues(): { most: number } {
  const seen = { most: 0 };
  const { push } = Connection.prototype;
  vi.spyOn(Connection.prototype, 'push').mockImplementation(function (this: Connection, bytes) {
    push.call(this, bytes);
    seen.most = Math.max(seen.most, this.queuedBytes);
  });
  return seen;
}

async function writer({ t, register }: ChatAtPort): Promise<(to: string, body: string) => Promise<unknown>> {
  await register('writer', password);
  const peer = new FakePeer();
  await t.call(peer, 'login.password', { username: 'writer', password, ends_with_connection: true });
  return (to, body) => t.send(peer, 'message.send', { to, text: body });
}

async function reader(at: ChatAtPort, name: string, { login, answers }: Reading): Promise<TestClient> {
  const client = await at.connect();
  client.write(login(name));
  await client.lineCount(answers.length);
  for (const [index, line] of client.text.split('\n').slice(0, -1).entries()) {
    expect(line).toMatch(answers[index] ?? /^$/);
  }
  return client;
}

function told(client: TestClient, { isMessage }: Reading): string[] {
  return client.text.split('\n').slice(0, -1).filter(isMessage);
}

/** Waits until as many messages have come as were sent. */
async function toldAll(client: TestClient, door: Reading): Promise<void> {
  await client.lineCount(door.answers.length + messages);
  await until(() => told(client, door).length >= messages);
}

describe.each(doors)('a slow reader at the %s door', (_name, door) => {
  it.each([
    ['one after the other', 1],
    ['many at once', messages],
  ])(
    'has 1 MiB waiting at most of %s, slows nobody, and is told everything when it reads again',
    async (_how, atOnce) => {
      const at = await chatAtPort();
      const queues = watchQueues();
      const send = await writer(at);
      for (const name of ['reader', 'quick']) await at.register(name, password);
      const slow = await reader(at, 'reader', door);
      const quick = await reader(at, 'quick', door);
      slow.socket.pause();
      for (let number = 0; number < messages; number += atOnce) {
        await Promise.all(
          Array.from({ length: atOnce }, (_, at) => send('#lobby', `${number + at} ${text}`)),
        );
      }
      await toldAll(quick, door);
      const all = told(quick, door);
      expect(all).toHaveLength(messages);
      expect(slow.receivedBytes).toBeLessThan((messages * text.length) / 2);
      expect(queues.most).toBeGreaterThan(maxQueuedBytes);
      expect(queues.most).toBeLessThan(mostQueued);
      slow.socket.resume();
      await toldAll(slow, door);
      expect(told(slow, door)).toEqual(all);
      await send('#lobby', 'and live again');
      for (const client of [slow, quick]) {
        await until(() => client.text.endsWith('and live again\n'));
        expect(told(client, door)).toHaveLength(messages + 1);
      }
      expect(queues.most).toBeLessThan(mostQueued);
    },
  );

  it('that was away and does not take what it missed has 1 MiB waiting at most, and misses nothing', async () => {
    const at = await chatAtPort();
    const queues = watchQueues();
    const send = await writer(at);
    await at.register('reader', password);
    for (let number = 0; number < messages; number++) await send('@reader', `${number} ${text}`);
    const slow = await at.connect();
    slow.socket.pause();
    slow.write(door.login('reader'));
    // The first bytes of it are on their way; the rest is held back by this end.
    await until(() => queues.most > 100_000);
    await at.t.quiet();
    expect(queues.most).toBeLessThan(mostQueued);
    slow.socket.resume();
    await toldAll(slow, door);
    const numbers = told(slow, door).map((line) => Number(/(\d+) x+$/.exec(line)?.[1]));
    expect(numbers).toEqual(Array.from({ length: messages }, (_, number) => number));
    expect(queues.most).toBeLessThan(mostQueued);
  });
});
