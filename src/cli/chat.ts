import { setTimeout as delay } from 'node:timers/promises';
import { exitBySignal } from './exit-codes.ts';
import { run } from './main.ts';
import { systemHost } from './system-host.ts';

const argv = process.argv.slice(2);
const host = systemHost();
/** How long a process that is done tries to hand over what is left. */
const lastFlushMs = 500;

/** True for what a terminal that has gone away makes of every call, also where nobody can catch it: within a prompt. */
function isTerminalGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EIO' && process.stdin.isTTY === true;
}

/** What nobody caught is a bug: one line, no stack unless asked for. */
function endAfterBug(error: unknown): void {
  if (isTerminalGone(error)) process.exit(exitBySignal.SIGHUP);
  const shown =
    error instanceof Error ? (argv.includes('--verbose') && error.stack) || error.message : String(error);
  // What is said on a screen that is about to be given back would go with it.
  host.terminal?.restore();
  process.stderr.write(`chat: internal error: ${shown}\n`);
  process.exit(1);
}

process.on('uncaughtException', endAfterBug);
process.on('unhandledRejection', endAfterBug);

// Not at the top level: within one file this is a script, which cannot wait there.
async function main(): Promise<never> {
  process.exitCode = await run(argv, host);
  // stdout is flushed by now but for a signalled run, and neither that nor stderr may keep a process whose reader does not read.
  await Promise.race([Promise.allSettled([host.stdout.flush(), host.stderr.flush()]), delay(lastFlushMs)]);
  // Nothing may wait silently: a dropped command's socket, or a stdin whose writer lives on, would keep the process.
  process.exit();
}

void main();
