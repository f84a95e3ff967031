import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { opened } from './support/database.ts';

const mebibyte = 1_048_576;
let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'chat-log-size-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

it('the log shrinks to 64 MiB once what made it larger is in the database, and nothing is lost by that', async () => {
  const chat = await opened(directory);
  const logBytes = (): number => fs.statSync(join(directory, 'chat.db-wal')).size;
  const alice = chat.join('alice');
  const large = 'x'.repeat(10 * mebibyte);
  chat.database.hold();
  for (let stored = 0; stored < 7; stored += 1) chat.say(alice, large);
  expect(logBytes()).toBeGreaterThan(70 * mebibyte);
  chat.database.release();
  // The first brings the log into the database, the second begins it anew.
  chat.say(alice, 'one');
  chat.say(alice, 'two');
  expect(logBytes()).toBe(64 * mebibyte);
  expect(chat.said().map(({ body }) => ('text' in body ? body.text.length : 0))).toEqual([
    ...Array(7).fill(large.length),
    3,
    3,
  ]);
  chat.database.close();
});
