import { type ChildProcessByStdio, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { CommandLine } from './campaign.ts';

/** A program of which all is read that it says, and that is told nothing. */
export type OwnedProcess = ChildProcessByStdio<null, Readable, Readable>;

const processes = new Set<OwnedProcess>();
const directories = new Set<string>();
const mounts = new Set<string>();
const cables = new Set<string>();

/** Makes a directory for a campaign's files, which is removed with {@link removeScratch} or at this process's end. */
export function scratchDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `chat-${name}-`));
  directories.add(directory);
  return directory;
}

/** Removes a directory and what is in it. */
export function removeScratch(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  directories.delete(directory);
}

/** Mounts a file system in memory with room for so many bytes, by root on Linux alone; answers what takes it away again. */
export function mountSmall(directory: string, bytes: number): () => void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'none', directory], {
    stdio: 'pipe',
  });
  mounts.add(directory);
  return () => unmount(directory);
}

function unmount(directory: string): void {
  // Whoever still uses it is about to end.
  spawnSync('umount', ['--lazy', directory]);
  mounts.delete(directory);
}

/** Makes a cable (veth) from here to the network namespace of a process, by root on Linux alone; answers what takes it away again. */
export function layCable(name: string, theirEnd: string, pid: number): () => void {
  const words = ['link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', theirEnd, 'netns', String(pid)];
  execFileSync('ip', words, { stdio: 'pipe' });
  cables.add(name);
  return () => removeCable(name);
}

function removeCable(name: string): void {
  // The namespace would keep it for as long as the system tries to end the connections that were in it.
  spawnSync('ip', ['link', 'delete', name]);
  cables.delete(name);
}

/** Starts a program that is killed at this process's end, when it runs on until then. */
export function spawnOwned([program, ...args]: CommandLine, env = process.env): OwnedProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  processes.add(child);
  child.once('close', () => processes.delete(child));
  return child;
}

/** How long the end of what was killed is waited for, and how often it is looked, in milliseconds. */
const endWait = { mostMs: 5_000, everyMs: 5 } as const;

/** Kills and removes what is left of every campaign so far: one that has failed itself, or was interrupted, could not. */
export function clearLeavings(): void {
  for (const child of processes) child.kill('SIGKILL');
  // One that still writes puts new files into a directory that is being removed.
  for (const { pid } of processes) if (pid !== undefined) waitForEnd(pid);
  for (const directory of mounts) unmount(directory);
  for (const name of cables) removeCable(name);
  for (const directory of directories) {
    try {
      removeScratch(directory);
    } catch (error) {
      console.error(`${directory} is left, remove it yourself: ${String(error)}`);
      directories.delete(directory);
    }
  }
}

/** Waits without the event loop, which is over at this process's end. Where there is no /proc nothing tells the end; the removal tries again then. */
function waitForEnd(pid: number): void {
  if (!existsSync('/proc/self/stat')) return;
  const still = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; waitedMs < endWait.mostMs && runs(pid); waitedMs += endWait.everyMs)
    Atomics.wait(still, 0, 0, endWait.everyMs);
}

/** Whether any thread of a process still runs: one that has ended stays as a zombie until its parent looks at it. */
function runs(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some(
      (thread) => !/\) [ZX] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
    );
  } catch {
    // It, or a thread of it, has gone while it was looked at.
    return existsSync(`/proc/${pid}/task`) && runs(pid);
  }
}

// Whatever ends this process but SIGKILL: the program's own end, a failure, `process.exit` at a signal.
process.once('exit', clearLeavings);
