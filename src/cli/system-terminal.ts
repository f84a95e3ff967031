import { writeSync } from 'node:fs';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Terminal } from './terminal.ts';

const stdoutFd = 1;

/** The process's own terminal. */
export function systemTerminal(
  stdin: ReadStream = process.stdin as ReadStream,
  stdout: WriteStream = process.stdout as WriteStream,
): Terminal {
  let taken: { readonly enter: string; readonly leave: string } | undefined;
  let isBehind = false;
  const resized = new Set<() => void>();
  stdout.on('drain', () => {
    isBehind = false;
  });
  const write = (text: string): void => {
    isBehind = !stdout.write(text) || isBehind;
  };
  /** For the end of the process, when nothing that waits is written any more. */
  const restore = (): void => {
    if (taken === undefined) return;
    try {
      stdin.setRawMode(false);
      writeSync(stdoutFd, taken.leave);
    } catch {
      // The terminal has gone: there is nothing to restore.
    }
    taken = undefined;
  };
  const tellResized = (): void => {
    for (const listener of [...resized]) listener();
  };
  /** After others have had the terminal, who may have given it other modes than it is thought to have. */
  const comeBack = (sequence: string): void => {
    stdin.setRawMode(false);
    stdin.setRawMode(true);
    write(sequence);
    tellResized();
  };
  /** Somebody else has stopped this process, and the screen was not given back. */
  const onContinued = (): void => {
    if (taken !== undefined) comeBack(taken.leave + taken.enter);
  };
  return {
    get columns() {
      return stdout.columns;
    },
    get rows() {
      return stdout.rows;
    },
    get isBehind() {
      return isBehind;
    },
    write,
    takeOver(enter, leave) {
      taken = { enter, leave };
      process.on('exit', restore);
      process.on('SIGCONT', onContinued);
      stdout.on('resize', tellResized);
      stdin.setRawMode(true);
      stdin.resume();
      write(enter);
    },
    giveBack() {
      if (taken === undefined) return;
      const { leave } = taken;
      taken = undefined;
      process.off('exit', restore);
      process.off('SIGCONT', onContinued);
      stdout.off('resize', tellResized);
      try {
        stdin.setRawMode(false);
      } catch {
        // The terminal has gone.
      }
      stdin.pause();
      write(leave);
    },
    restore,
    onInput(listener) {
      const hear = (bytes: Buffer | string): void =>
        listener(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
      stdin.on('data', hear);
      return () => stdin.off('data', hear);
    },
    onResize(listener) {
      resized.add(listener);
      return () => resized.delete(listener);
    },
    onGone(listener) {
      stdin.on('end', listener);
      stdin.on('error', listener);
      stdout.on('error', listener);
      return () => {
        stdin.off('end', listener);
        stdin.off('error', listener);
        stdout.off('error', listener);
      };
    },
    suspend() {
      if (process.platform === 'win32' || taken === undefined) return;
      stdin.setRawMode(false);
      writeSync(stdoutFd, taken.leave);
      process.off('SIGCONT', onContinued);
      // It returns when the process was continued; or at once, where no shell could continue it and nothing stops.
      process.kill(process.pid, 'SIGTSTP');
      process.on('SIGCONT', onContinued);
      comeBack(taken.enter);
    },
  };
}
