import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** Under this name the launcher says that the process was started with SIGHUP ignored, as nohup(1) does. */
const launcherVariable = 'CHAT_NOHUP';
/** SIGHUP in the masks of /proc/PID/status. */
const hangUpBit = 1n;
/** O_WRONLY, of the access mode's two bits, as /proc/PID/fdinfo/N has it. */
const accessMode = 0o3;
const writeOnly = 0o1;

/** What tells how a process was started. */
export interface StartedBy {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly parentId: number;
  /** Answers a file's text; throws where there is none. */
  read(path: string): string;
  /** Answers what a symbolic link names; throws where there is none. */
  readLink(path: string): string;
}

const system: Pick<StartedBy, 'read' | 'readLink'> = {
  read: (path) => readFileSync(path, 'utf8'),
  readLink: (path) => readlinkSync(path),
};

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined; // Not Linux, or nothing that this user may see.
  }
}

/**
 * Whether a process was started with SIGHUP ignored. Node gives every signal back its default when it starts, so it shows only in
 * what is left of the start: the launcher's word, which is exact; without a launcher the standard input that nohup(1) leaves (/dev/null,
 * to be written to, which nothing else makes), the command that a shell names in `_`, and a parent that ignores the signal itself.
 */
export function wasHangUpIgnored({ env, parentId, read, readLink }: StartedBy): boolean {
  if (env[launcherVariable] !== undefined) return env[launcherVariable] === '1';
  if (env._ !== undefined && basename(env._) === 'nohup') return true;
  const [, flags] = /^flags:\s*([0-7]+)$/m.exec(attempt(() => read('/proc/self/fdinfo/0')) ?? '') ?? [];
  const isWriteOnly = flags !== undefined && (Number.parseInt(flags, 8) & accessMode) === writeOnly;
  if (isWriteOnly && attempt(() => readLink('/proc/self/fd/0')) === '/dev/null') return true;
  const [, mask] =
    /^SigIgn:\s*([0-9a-f]+)$/m.exec(attempt(() => read(`/proc/${parentId}/status`)) ?? '') ?? [];
  return mask !== undefined && (BigInt(`0x${mask}`) & hangUpBit) !== 0n;
}

/** Ignores SIGHUP again when this process was started so; answers whether it was. */
export function keepHangUpIgnored(): boolean {
  const isIgnored = wasHangUpIgnored({ env: process.env, parentId: process.ppid, ...system });
  // It is about this process, not about what it starts.
  delete process.env[launcherVariable];
  if (isIgnored) process.on('SIGHUP', () => {});
  return isIgnored;
}
