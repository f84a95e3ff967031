import type { PathLike } from 'node:fs';
import { databaseName } from './database-name.ts';
import type { StoreGauges } from './gauges.ts';
import { type HostFileSystem, isFull } from './host-files.ts';

/**
 * The file operations of `host`, with how long the disk takes for a sync. SQLite writes to the database's own file only when it brings the
 * log into it, and ends that with a sync of the file: so a checkpoint is known by its files, and what is before a commit's first
 * write to that file is none of it. One that fails is none either; without a log there is nothing to bring.
 */
export function timedHost(host: HostFileSystem, gauges: StoreGauges): HostFileSystem {
  /** Descriptors of the database's file, and when the checkpoint under way began to write to it. */
  const databases = new Set<number>();
  let since: number | undefined;
  /** Descriptors of its log. */
  const logs = new Set<number>();

  function timed(fd: number, sync: (fd: number) => void): void {
    const start = performance.now();
    try {
      sync(fd);
    } catch (error) {
      if (databases.has(fd)) since = undefined;
      throw error;
    }
    const end = performance.now();
    gauges.syncSeconds.observe((end - start) / 1_000);
    if (since === undefined || !databases.has(fd)) return;
    gauges.checkpointSeconds.observe((end - since) / 1_000);
    gauges.set('checkpointAt', Date.now());
    since = undefined;
  }

  const open = (path: PathLike, ...rest: [flags: number, mode?: number]): number => {
    const fd = host.openSync(path, ...rest);
    if (String(path).endsWith(databaseName)) databases.add(fd);
    else if (String(path).endsWith(`${databaseName}-wal`)) logs.add(fd);
    return fd;
  };
  const write = (...given: Parameters<HostFileSystem['writeSync']>): number => {
    const isDatabase = databases.has(given[0]);
    if (isDatabase && logs.size > 0) since ??= performance.now();
    try {
      return host.writeSync(...given);
    } catch (error) {
      if (isDatabase) since = undefined;
      if (isFull(error)) gauges.add('fullDisk', 1);
      throw error;
    }
  };
  return {
    ...host,
    openSync: open as HostFileSystem['openSync'],
    writeSync: write as HostFileSystem['writeSync'],
    closeSync(fd) {
      if (databases.delete(fd)) since = undefined;
      logs.delete(fd);
      host.closeSync(fd);
    },
    fdatasyncSync: (fd) => timed(fd, host.fdatasyncSync),
    fsyncSync: (fd) => timed(fd, host.fsyncSync),
  };
}
