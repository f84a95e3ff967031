import type fs from 'node:fs';
import { expect, it } from 'vitest';
import { storeGauges } from '../../../src/server/store/sqlite/gauges.ts';
import { type HostFileSystem, systemFiles } from '../../../src/server/store/sqlite/host-files.ts';
import { timedHost } from '../../../src/server/store/sqlite/timed-host.ts';

const count = (counts: readonly number[]): number => counts.reduce((sum, one) => sum + one, 0);

/** A host on which each file has the number of its place in what was opened. */
function fakeHost(): { host: HostFileSystem; fail: { with: string | undefined } } {
  const fail: { with: string | undefined } = { with: undefined };
  let opened = 0;
  const failing = () => {
    if (fail.with !== undefined) throw Object.assign(new Error(fail.with), { code: fail.with });
  };
  const host = {
    ...systemFiles,
    openSync: () => opened++,
    closeSync: () => {},
    writeSync: () => {
      failing();
      return 1;
    },
    fdatasyncSync: failing,
    fsyncSync: () => {},
  };
  return { host: host as unknown as typeof fs, fail };
}

it('counts each sync, and takes a checkpoint from the first write to the database until that is synced', () => {
  const gauges = storeGauges();
  const { host } = fakeHost();
  const timed = timedHost(host, gauges);
  const database = timed.openSync('/data/chat.db', 'r+');
  const log = timed.openSync('/data/chat.db-wal', 'r+');
  const read = () => {
    const { syncSeconds, checkpointSeconds, checkpointAt } = gauges.read(0).file;
    return [count(syncSeconds.counts), count(checkpointSeconds.counts), checkpointAt !== undefined];
  };
  timed.writeSync(log, Buffer.from('x'), 0, 1, 0);
  timed.fdatasyncSync(log);
  timed.fdatasyncSync(database);
  expect(read()).toEqual([2, 0, false]);
  timed.writeSync(database, Buffer.from('x'), 0, 1, 0);
  timed.writeSync(database, Buffer.from('x'), 0, 1, 4_096);
  timed.fdatasyncSync(log);
  expect(read()).toEqual([3, 0, false]);
  timed.fdatasyncSync(database);
  expect(read()).toEqual([4, 1, true]);
  timed.fsyncSync(database);
  expect(read()).toEqual([5, 1, true]);
});

it('takes no checkpoint from one that failed, from a file that was closed, nor from before there is a log', () => {
  const gauges = storeGauges();
  const { host, fail } = fakeHost();
  const timed = timedHost(host, gauges);
  const checkpoints = () => count(gauges.read(0).file.checkpointSeconds.counts);
  const write = (fd: number) => timed.writeSync(fd, Buffer.from('x'), 0, 1, 0);
  let database = timed.openSync('/data/chat.db', 'r+');
  write(database);
  timed.fdatasyncSync(database);
  expect(checkpoints()).toBe(0);
  timed.openSync('/data/chat.db-wal', 'r+');
  for (const failing of [write, timed.fdatasyncSync]) {
    write(database);
    fail.with = 'ENOSPC';
    expect(() => failing(database)).toThrowError('ENOSPC');
    fail.with = undefined;
    timed.fdatasyncSync(database);
    expect(checkpoints()).toBe(0);
  }
  write(database);
  timed.closeSync(database);
  database = timed.openSync('/data/chat.db', 'r+');
  timed.fdatasyncSync(database);
  expect(checkpoints()).toBe(0);
  write(database);
  timed.fdatasyncSync(database);
  expect(checkpoints()).toBe(1);
});

it('counts writes that found the disk full, and no others that failed', () => {
  const gauges = storeGauges();
  const { host, fail } = fakeHost();
  const timed = timedHost(host, gauges);
  const write = () => timed.writeSync(timed.openSync('/data/chat.db', 'r+'), Buffer.from('x'), 0, 1, 0);
  for (const code of ['ENOSPC', 'EDQUOT', 'EIO']) {
    fail.with = code;
    expect(write).toThrowError(code);
  }
  expect(gauges.read(0).file.fullDisk).toBe(2);
});

it('shares what it counts with whoever has the memory', () => {
  const here = storeGauges();
  const there = storeGauges(here.memory);
  there.set('indexLag', 7);
  there.syncSeconds.observe(0.000_3);
  there.batchCalls.observe(5);
  const { indexLag, file, batchCalls, queue } = here.read(3);
  expect([indexLag, count(file.syncSeconds.counts), file.syncSeconds.sum, batchCalls.sum, queue]).toEqual([
    7, 1, 0.000_3, 5, 3,
  ]);
  expect(count(here.read(0).commitSeconds.counts)).toBe(0);
});
