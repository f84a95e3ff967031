import { run } from './main.ts';
import { systemHost } from './system-host.ts';

const argv = process.argv.slice(2);
const host = systemHost();

/** What nobody caught is a bug: one line, no stack unless asked for. */
function endAfterBug(error: unknown): void {
  const shown =
    error instanceof Error ? (argv.includes('--verbose') && error.stack) || error.message : String(error);
  process.stderr.write(`chat: internal error: ${shown}\n`);
  process.exit(1);
}

process.on('uncaughtException', endAfterBug);
process.on('unhandledRejection', endAfterBug);

/** Resolves when what was written has left the process, or never can. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

process.exitCode = await run(argv, host);
// Nothing may wait silently: a dropped command's socket, or a stdin whose writer lives on, would keep the process.
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit();
