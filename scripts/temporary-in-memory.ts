import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Linux has a file system in memory here, open to everybody. */
const memory = '/dev/shm';
/** The files of two tests at a time take a tenth of it; a container may have next to nothing. */
const minFreeBytes = 2 ** 30;

/** True when what is put in `directory` can be run; a file system may forbid it. */
function runs(directory: string): boolean {
  const script = join(directory, 'runs');
  writeFileSync(script, '#!/bin/sh\n', { mode: 0o700 });
  return spawnSync(script).status === 0;
}

/** Takes away what runs have left that were killed: it would stay in memory until the machine is started again. */
function sweep(): void {
  for (const name of readdirSync(memory)) {
    const [, pid] = /^chat-tests-(\d+)-/.exec(name) ?? [];
    if (pid === undefined || isRunning(Number(pid))) continue;
    rmSync(join(memory, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is one too.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** A new directory in memory; undefined where there is none, or none that is good for tests. */
function directoryInMemory(): string | undefined {
  try {
    sweep();
    const { bavail, bsize } = statfsSync(memory);
    if (bavail * bsize < minFreeBytes) return undefined;
    const directory = mkdtempSync(join(memory, `chat-tests-${process.pid}-`));
    // As open as the system's own: some tests run as another user.
    chmodSync(directory, 0o1777);
    if (runs(directory)) return directory;
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // None: a disk does it too.
  }
  return undefined;
}

/**
 * What vitest calls before the first test: temporary files of tests are in memory where there is room, since on a disk half of the
 * time of many a test goes into syncs. What a sync is worth is shown on a simulated disk. Whoever sets TMPDIR decides themselves.
 * Answers what removes the directory, with whatever a test has left.
 */
export function setup(): () => void {
  const directory = process.env.TMPDIR === undefined ? directoryInMemory() : undefined;
  if (directory === undefined) return () => {};
  process.env.TMPDIR = directory;
  return () => {
    delete process.env.TMPDIR;
    rmSync(directory, { recursive: true, force: true });
  };
}
