import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChatError } from '../../../src/core/errors.ts';
import { sqliteStore, storeIn } from '../../../src/server/store/sqlite/store.ts';
import { inRoom, message, people } from '../../contract/support/people.ts';
import { opened, seqs, texts } from './support/database.ts';
import { simulatedDisk } from './support/simulated-disk.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-sync-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const failing = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

describe('a sync that fails', () => {
  test('ends the store: everything is refused from then on, and the process is told once', async () => {
    const fail = join(directory, 'fail');
    const told: ChatError[] = [];
    const workerData = { directory, fail };
    const worker = new Worker(new URL('./support/failing-worker.ts', import.meta.url), { workerData });
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    const store = await storeIn(worker, (error) => told.push(error));
    const [alice] = await people(store, 'alice');
    const send = (text: string) => store.appendMessage(message(alice, inRoom('lobby'), { body: { text } }));
    expect(await send('one')).toMatchObject({ kind: 'stored', seq: 1 });
    fs.writeFileSync(fail, '');
    const outcomes = await Promise.allSettled([send('lost'), store.account(alice.username), send('lost')]);
    fs.rmSync(fail);
    outcomes.push(...(await Promise.allSettled([store.account(alice.username), send('late')])));
    expect(told).toMatchObject([
      { code: 'unavailable', message: 'the store has failed: EIO: i/o error, fdatasync' },
    ]);
    expect(outcomes).toEqual(outcomes.map(() => ({ status: 'rejected', reason: told[0] })));
    await ended;
    await store.close();
    // What was acknowledged is there; what was not may be.
    const again = await sqliteStore({ directory, onFatal: (error) => told.push(error) });
    const conversation = (await again.conversations({ userId: alice.id }))[0];
    const found = conversation && (await again.messages({ conversation: conversation.id, limit: 10 }));
    expect(found?.[0]).toMatchObject({ seq: 1, body: { text: 'one' } });
    await again.close();
    expect(told).toHaveLength(1);
  });

  test.each(['ENOSPC', 'EIO', 'EINTR'])('is never tried again, whatever its reason (%s)', async (code) => {
    const disk = simulatedDisk();
    let fails = false;
    const host = {
      ...disk.host,
      fdatasyncSync(fd: number) {
        if (fails) throw Object.assign(new Error(`${code} once`), { code });
        disk.host.fdatasyncSync(fd);
      },
    };
    const database = await opened('/simulated', { host });
    const alice = database.join('alice');
    expect(seqs(database.say(alice, 'one'))).toEqual([1]);
    fails = true;
    expect(failing(() => database.say(alice, 'two'))).toMatchObject({ message: `${code} once` });
    fails = false;
    // The disk works again, but what it holds is unknown.
    expect(failing(() => database.say(alice, 'three'))).toMatchObject({ message: `${code} once` });
    expect(failing(() => database.said())).toMatchObject({ message: `${code} once` });
    database.database.abandon();
    const after = await opened('/simulated', { host: disk.afterPowerCut(() => 0).host });
    expect(texts(after.said())).toEqual(['one']);
    after.database.close();
  });

  test('ends the store too when it is a checkpoint’s, although the commit was on disk', async () => {
    const disk = simulatedDisk();
    let syncsOfDatabase = 0;
    let databaseFd = -1;
    const host = {
      ...disk.host,
      openSync(path: string, flags: number) {
        const fd = disk.host.openSync(path, flags);
        if (path.endsWith('chat.db')) databaseFd = fd;
        return fd;
      },
      fdatasyncSync(fd: number) {
        if (fd === databaseFd && ++syncsOfDatabase > 0 && armed) throw new Error('the checkpoint’s');
        disk.host.fdatasyncSync(fd);
      },
    } as typeof disk.host;
    let armed = false;
    const database = await opened('/simulated', { host });
    const alice = database.join('alice');
    armed = true;
    const long = 'x'.repeat(16_000);
    const failure = failing(() => {
      for (let i = 0; i < 100; i++) database.say(alice, ...Array.from({ length: 50 }, () => long));
    });
    expect(failure).toMatchObject({ message: 'the checkpoint’s' });
    database.database.abandon();
  });
});

describe('the store’s thread', () => {
  test('that dies takes the store with it, and the process is told', async () => {
    const told: ChatError[] = [];
    const worker = new Worker('setTimeout(() => process.exit(3), 0)', { eval: true });
    await expect(storeIn(worker, (error) => told.push(error))).rejects.toMatchObject({ code: 'unavailable' });
    expect(told).toHaveLength(1);
  });

  test('closes once, and refuses what comes later', async () => {
    const store = await sqliteStore({
      directory,
      onFatal(error) {
        throw error;
      },
    });
    const [alice] = await people(store, 'alice');
    const last = store.appendMessage(message(alice, inRoom('lobby')));
    await Promise.all([store.close(), store.close()]);
    expect(await last).toMatchObject({ seq: 1 });
    await expect(store.account(alice.username)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the store is closed',
    });
    await store.close();
    expect(fs.readdirSync(directory)).toEqual(['chat.db']);
  });
});
