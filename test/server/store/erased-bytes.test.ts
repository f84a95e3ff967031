import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { auditChain } from '../../../src/core/audit-chain.ts';
import type { Account } from '../../../src/core/model/account.ts';
import type { StoreCall } from '../../../src/server/store/store-calls.ts';
import { inRoom, message, opening, person, verifier } from '../../contract/support/people.ts';
import { type OpenedDatabase, opened } from './support/database.ts';

const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32) });

/** Enough for trees of some height, small enough to be made in a second. */
const rooms = 30;
const messages = 2_500;

/** Chance that is the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

let filled: { readonly path: string } & ReturnType<typeof fill>;

beforeAll(async () => {
  const path = mkdtempSync(join(tmpdir(), 'chat-filled-'));
  const on = await opened(path);
  filled = { path, ...fill(on) };
  // As a server that was killed leaves it, log and all.
  on.database.abandon();
});
afterAll(() => rmSync(filled.path, { recursive: true, force: true }));

/** A data directory that two people have filled; its server was killed. */
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'chat-erased-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  cpSync(filled.path, path, { recursive: true });
  return path;
}

/** How often each marker stands in any file of the directory: as text, in UTF-16, and as its bytes in hex and base64. */
function found(path: string, ...markers: readonly string[]): number[] {
  const files = readdirSync(path)
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file));
  return markers.map((marker) => {
    const bytes = Buffer.from(marker);
    const base64 = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
    const spellings = [
      bytes,
      Buffer.from(marker, 'utf16le'),
      Buffer.from(bytes.toString('hex')),
      Buffer.from(bytes.toString('hex').toUpperCase()),
      Buffer.from(base64),
    ];
    return files.reduce(
      (sum, file) => sum + spellings.reduce((count, spelling) => count + times(file, spelling), 0),
      0,
    );
  });
}

function times(file: Buffer, bytes: Buffer): number {
  let count = 0;
  for (let at = file.indexOf(bytes); at >= 0; at = file.indexOf(bytes, at + 1)) count += 1;
  return count;
}

/** What two people have left in a database: every text, key, label and address begins with a marker of its owner. */
function fill(on: OpenedDatabase): { alice: Account; bob: Account; count: Record<string, number> } {
  const random = numbers(7);
  const [alice, bob] = ['alice', 'bob'].map((name) => {
    const account = person(name, { email: `${name}MAIL@example.org` });
    const own = { ...verifier, storedKey: Buffer.from(`${name}VERIFIER`.padEnd(32)) };
    on.batch(['createAccount', { account, verifier: own, consent: { digest: 'd', at: 1, door: 'line' } }]);
    on.batch(['openSession', opening(account, { deviceLabel: `${name}LABEL`, address: `${name}ADDRESS` })]);
    return account;
  }) as [Account, Account];
  for (let room = 0; room < rooms; room++) {
    on.batch(['createRoom', { room: `room${room}`, by: alice.id, now: 1 }]);
    on.batch(['joinRoom', { room: `room${room}`, userId: bob.id, now: 1 }]);
  }
  const count: Record<string, number> = { alice: 0, bob: 0 };
  for (let sent = 0; sent < messages; ) {
    const calls: Array<readonly [StoreCall, unknown]> = [];
    for (let batch = random(20) + 1; batch > 0; batch--, sent++) {
      const by = random(2) ? alice : bob;
      count[by.username] = (count[by.username] ?? 0) + 1;
      const length = random(5) === 0 ? random(6_000) : random(200);
      const text = `${by.username}TEXT${sent}${'x'.repeat(length)}`;
      const key = random(2) ? `${by.username}KEY${sent}` : undefined;
      calls.push([
        'appendMessage',
        message(by, inRoom(`room${random(rooms)}`), { key, sentAt: sent, body: { text } }),
      ]);
    }
    on.batch(...calls);
  }
  return { alice, bob, count };
}

function value(results: readonly unknown[]): never {
  const [result] = results;
  if (typeof result !== 'object' || result === null || !('value' in result))
    throw new Error(JSON.stringify(result));
  return result.value as never;
}

function eraseAll(on: OpenedDatabase, account: Account): void {
  on.batch(['requestErasure', { userId: account.id, dueAt: 5_000 }]);
  let kind: string;
  do ({ kind } = value(on.batch(['eraseNext', { now: 5_000, skip: 0, chain }])));
  while (kind !== 'none');
}

function scrubAll(on: OpenedDatabase): void {
  let from: number | undefined = 0;
  while (from !== undefined)
    from = (value(on.batch(['scrub', { from }])) as { next: number | undefined }).next;
}

const ofAlice = [
  'aliceTEXT',
  'aliceKEY',
  'aliceLABEL',
  'aliceMAIL',
  'alicemail',
  'aliceADDRESS',
  'aliceVERIFIER',
];

test('what an account wrote is in no file after it was erased, and what another one wrote is there as it was', async () => {
  const path = directory();
  const on = await opened(path);
  const { alice, bob, count } = filled;
  for (const times of found(path, ...ofAlice)) expect(times).toBeGreaterThan(0);
  const texts = () =>
    Array.from({ length: rooms }, (_, room) =>
      (
        value(on.batch(['messages', { conversation: room + 2, limit: 10_000 }])) as Array<{
          sender: string;
          seq: number;
          body: object;
        }>
      ).filter(({ sender }) => sender === 'bob'),
    );
  const before = texts();
  expect(before.flat()).toHaveLength(count.bob ?? 0);

  eraseAll(on, alice);
  scrubAll(on);

  expect(found(path, ...ofAlice)).toEqual(ofAlice.map(() => 0));
  expect(texts()).toEqual(before);
  expect(on.integrity()).toBe('ok');
  expect(value(on.batch(['sessions', { userId: bob.id, now: 1_000, idleMs: 1_000 }]))).toHaveLength(1);
  on.database.close();
  expect(found(path, ...ofAlice)).toEqual(ofAlice.map(() => 0));

  const again = await opened(path);
  expect(again.integrity()).toBe('ok');
  again.database.close();
});

test.each([0, 1, 9, 40])(
  'a server that is killed after %i pieces of the work ends it when it starts again',
  async (pieces) => {
    const path = directory();
    const killed = await opened(path);
    const { alice } = filled;
    killed.batch(['requestErasure', { userId: alice.id, dueAt: 5_000 }]);
    for (let piece = 0; piece < pieces; piece++) killed.batch(['eraseNext', { now: 5_000, skip: 0, chain }]);
    // As SIGKILL leaves it: nothing goes from the log into the file.
    killed.database.abandon();
    const on = await opened(path);
    eraseAll(on, alice);
    scrubAll(on);
    expect(found(path, ...ofAlice)).toEqual(ofAlice.map(() => 0));
    expect(on.integrity()).toBe('ok');
    on.database.close();
  },
);

test('a server that is killed after the work, before the files are scrubbed, scrubs them when it starts again', async () => {
  const path = directory();
  const killed = await opened(path);
  eraseAll(killed, filled.alice);
  killed.database.abandon();
  expect(Math.max(...found(path, ...ofAlice))).toBeGreaterThan(0);
  const on = await opened(path);
  expect(value(on.batch(['eraseNext', { now: 5_000, skip: 0, chain }]))).toEqual({ kind: 'none' });
  scrubAll(on);
  expect(found(path, ...ofAlice)).toEqual(ofAlice.map(() => 0));
  on.database.close();
});

test('the text of messages that have reached their age is in no file, and that of younger ones is', async () => {
  const path = directory();
  const on = await opened(path);
  let step: { next: number | undefined } = { next: undefined };
  do step = value(on.batch(['expireMessages', { before: 2_400, after: step.next }]));
  while (step.next !== undefined);
  scrubAll(on);
  const old = Array.from({ length: 24 }, (_, hundred) => `TEXT${hundred * 100 + 7}x`);
  expect(found(path, ...old)).toEqual(old.map(() => 0));
  const young = Array.from({ length: 100 }, (_, one) => `TEXT${2_400 + one}`);
  expect(Math.min(...found(path, ...young))).toBeGreaterThan(0);
  expect(on.integrity()).toBe('ok');
  on.database.close();
});

test('nothing is done to the files when nothing was erased', async () => {
  const path = directory();
  const on = await opened(path);
  const log = statSync(join(path, 'chat.db-wal')).size;
  expect(value(on.batch(['scrub', { from: 0 }]))).toEqual({ next: undefined });
  expect(statSync(join(path, 'chat.db-wal')).size).toBe(log);
  on.database.close();
});
