import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lobby } from '../../../src/core/model/conversation-name.ts';
import { inRoom, message } from '../../contract/support/people.ts';
import { type OpenedDatabase, opened } from './support/database.ts';

/** What one thing asks of the files, in calls to the host: SQLite reads one page with each. */
interface Cost {
  readonly reads: number;
  readonly writes: number;
}

const whats = ['start', 'oldest', 'middle', 'newest', 'last', 'repeated', 'send', 'unread'] as const;
type What = (typeof whats)[number];

const few = 100;
const many = 20_000;
let directory: string;
const costs = new Map<number, Readonly<Record<What, Cost>>>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-growth-'));
  for (const count of [few, many]) costs.set(count, await costsAt(count));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Makes a database with so many messages, and counts what each thing costs right after a start, when nothing of it is in memory. */
async function costsAt(count: number): Promise<Record<What, Cost>> {
  const place = await mkdtemp(join(directory, 'database-'));
  const made = await opened(place);
  const alice = made.join('alice');
  const first = message(alice, inRoom(lobby), { key: 'first', sentAt: 1 as never });
  made.batch(['appendMessage', first]);
  for (let stored = 1; stored < count; stored += 1_000) {
    const texts = Array.from({ length: Math.min(1_000, count - stored) }, (_, i) => `message ${stored + i}`);
    made.say(alice, ...texts);
  }
  made.database.close();

  async function cost(work?: (database: OpenedDatabase) => unknown): Promise<Cost> {
    let reads = 0;
    let writes = 0;
    const host = {
      ...fs,
      readSync(fd: number, into: Uint8Array, offset: number, length: number, position: number): number {
        reads += 1;
        return fs.readSync(fd, into, offset, length, position);
      },
      writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number): number {
        writes += 1;
        return fs.writeSync(fd, from, offset, length, position);
      },
    } as typeof fs;
    const again = await opened(place, { host });
    const atStart = { reads, writes };
    work?.(again);
    const cost = work ? { reads: reads - atStart.reads, writes: writes - atStart.writes } : atStart;
    again.database.close();
    return cost;
  }

  const page = (after: number) => cost((on) => on.batch(['messages', { conversation: 1, after, limit: 50 }]));
  return {
    start: await cost(),
    oldest: await page(0),
    middle: await page(count / 2),
    newest: await cost((on) => on.batch(['messages', { conversation: 1, newest: true, limit: 50 }])),
    last: await cost((on) => on.batch(['startingSeq', { conversation: 1, from: { last: 10 } }])),
    repeated: await cost((on) => on.batch(['appendMessage', { ...first, id: alice.id as never }])),
    send: await cost((on) => on.say(alice, 'one more')),
    unread: await cost((on) => on.batch(['conversations', { userId: alice.id }])),
  };
}

test.each(whats)(
  'with 200 times as many messages stored, %s reads and writes no more than a few pages more',
  (what) => {
    const [before, after] = [costs.get(few)?.[what], costs.get(many)?.[what]];
    if (!before || !after) throw new Error('nothing was measured');
    expect(before.reads).toBeGreaterThan(0);
    expect(after.reads).toBeLessThanOrEqual(before.reads + 8);
    expect(after.writes).toBeLessThanOrEqual(before.writes + 4);
  },
);
