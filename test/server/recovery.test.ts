import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditChain } from '../../src/core/audit-chain.ts';
import type { SessionId } from '../../src/core/model/ids.ts';
import type { Username } from '../../src/core/model/username.ts';
import { oneTimeCodeDigest } from '../../src/core/one-time-code.ts';
import { oneTimeCodeMs } from '../../src/core/policy.ts';
import type { NewSession } from '../../src/core/ports/store/sessions.ts';
import { openDataDirectory } from '../../src/server/data-directory/data-directory.ts';
import { recoverIn } from '../../src/server/recovery.ts';
import { type EmbeddedStore, sqliteStore } from '../../src/server/store/sqlite/store.ts';
import { opening, people } from '../contract/support/people.ts';

const settings = { realm: 'chat.example', serverSecret: new Uint8Array(32).fill(7) };
const alice = 'alice' as Username;
const bob = 'bob' as Username;
let place: string;
let directory: string;

/** Works on the store of the server while that runs, which is while nobody recovers anything. */
async function running<Result>(work: (store: EmbeddedStore) => Promise<Result>): Promise<Result> {
  const held = await openDataDirectory(directory);
  const store = await sqliteStore({
    directory,
    onFatal: (error) => {
      throw error;
    },
  });
  try {
    return await work(store);
  } finally {
    await store.close();
    await held.close();
  }
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing was refused',
    ({ code, message }) => ({ code, message }),
  );

/** The session of alice, who has a second factor. */
let session: NewSession;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'chat-recovery-'));
  directory = join(place, 'data');
  await running(async (store) => {
    await store.settings(settings);
    const [account] = await people(store, 'alice', 'bob');
    const secret = new Uint8Array(20);
    await store.beginSecondFactor({ userId: account.id, secret, now: 1 });
    const except = '' as SessionId;
    await store.confirmSecondFactor({ userId: account.id, secret, step: 1, now: 1, codes: [], except });
    session = opening({ ...account, hasSecondFactor: true });
    await store.openSession(session);
  });
});
afterAll(() => rm(place, { recursive: true, force: true }));

describe('whoever has the data directory', () => {
  it('6.4.1: makes a code for an hour, or takes a second factor away, and is seen in the audit trail', async () => {
    const before = Date.now();
    const nobody = 'nobody' as Username;
    const missing = { code: 'not-found', message: 'there is no user @nobody' };
    const none = { code: 'conflict', message: 'this account has no second factor' };
    const { code, expiresAt } = await recoverIn(directory, async (recovery) => {
      expect(await failure(recovery.resetCode(nobody))).toEqual(missing);
      expect(await failure(recovery.takeSecondFactor(nobody))).toEqual(missing);
      expect(await failure(recovery.takeSecondFactor(bob))).toEqual(none);
      expect(await recovery.takeSecondFactor(alice)).toBe(1);
      expect(await failure(recovery.takeSecondFactor(alice))).toEqual(none);
      return await recovery.resetCode(bob);
    });
    expect(expiresAt).toBeGreaterThanOrEqual(before + oneTimeCodeMs);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + oneTimeCodeMs);
    await running(async (store) => {
      const hash = oneTimeCodeDigest(code);
      expect((await store.accountOfResetCode({ hash, now: expiresAt - 1 }))?.username).toBe('bob');
      expect(await store.sessionByToken(session.tokenHash)).toBeUndefined();
      const account = await store.account(alice);
      expect(account?.hasSecondFactor).toBe(false);
      expect(account?.factorTakenAt).toBeGreaterThanOrEqual(before);
      const { rows } = await store.auditPage({ after: 0, limit: 100 });
      expect(rows.map(({ operation, user, door }) => [operation, user, door])).toEqual([
        ['operator.take-second-factor', 'alice', null],
        ['operator.reset', 'bob', null],
      ]);
      expect((await store.auditEnds(auditChain(settings))).isSealed).toBe(true);
    });
  });

  it('is refused while a server has it', async () => {
    const held = await openDataDirectory(directory);
    expect(await failure(recoverIn(directory, (recovery) => recovery.resetCode(alice)))).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(String(process.pid)),
    });
    await held.close();
  });

  it('makes no directory and no database where there is none', async () => {
    const empty = join(place, 'empty');
    await mkdir(empty, { mode: 0o700 });
    for (const wrong of [join(place, 'none'), empty]) {
      expect(await failure(recoverIn(wrong, (recovery) => recovery.resetCode(alice)))).toEqual({
        code: 'not-found',
        message: `there is no database of a server in ${wrong}: give its data directory`,
      });
    }
    expect(existsSync(join(place, 'none'))).toBe(false);
    expect(await readdir(empty)).toEqual([]);
    const file = join(place, 'file');
    await writeFile(file, 'x');
    expect(await failure(recoverIn(file, (recovery) => recovery.resetCode(alice)))).toEqual({
      code: 'unavailable',
      message: `${file} is no directory: give another with --data`,
    });
  });

  it('lets go of the directory whatever happens', async () => {
    await expect(
      recoverIn(directory, async () => {
        throw new Error('meant');
      }),
    ).rejects.toThrow('meant');
    await (await openDataDirectory(directory)).close();
  });
});
