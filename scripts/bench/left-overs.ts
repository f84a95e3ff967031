import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const children = new Set<ChildProcess>();
const directories = new Set<string>();
const connections = new Set<{ close(): void }>();
/** Those that were told to end. */
const dismissed = new WeakSet<ChildProcess>();
/** Once it is, nothing more is begun. */
let isOver = false;

/** Notes a process that must not outlive the workload; `spawn` its own way. */
export function watched<T extends ChildProcess>(child: T): T {
  children.add(child);
  child.once('exit', () => children.delete(child));
  if (isOver) void ended(child);
  return child;
}

/** Notes a process whose end by itself is an error, which ends the workload wherever that is. */
export function needed<T extends ChildProcess>(child: T, what: string, said: () => string = () => ''): T {
  child.once('exit', (code, signal) => {
    if (!dismissed.has(child))
      throw new Error(`${what} ended by itself with ${code ?? signal} ${said()}`.trim());
  });
  return watched(child);
}

/** Notes a connection that is to be closed before its other end goes; answers what forgets it. */
export function noteConnection(connection: { close(): void }): () => void {
  connections.add(connection);
  return () => connections.delete(connection);
}

/** Starts a script of this folder on the same Node: lines on stdout, and it ends with its stdin. */
export function startScript(name: string, args: readonly string[] = [], nodeFlags: readonly string[] = []) {
  const path = join('scripts/bench', name);
  return needed(
    spawn(process.execPath, [...nodeFlags, path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] }),
    path,
  );
}

/** A directory of the workload's own, on the disk where temporary files are. */
export function scratchDirectory(): string {
  if (isOver) throw new Error('interrupted');
  const directory = mkdtempSync(join(tmpdir(), 'chat-bench-'));
  directories.add(directory);
  return directory;
}

/** Ends a process and waits until it has gone; one that has is nothing to do. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  dismissed.add(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

/** Closes every connection, ends every process and removes every directory that a workload has left, whether it failed or was interrupted. */
export async function clearLeftOvers(): Promise<void> {
  for (const connection of connections) connection.close();
  await Promise.all([...children].map((child) => ended(child)));
  for (const directory of directories) {
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    directories.delete(directory);
  }
}

/** Does so for the last time: what a workload starts while it is interrupted ends too. */
export function clearForGood(): Promise<void> {
  isOver = true;
  return clearLeftOvers();
}
