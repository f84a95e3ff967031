import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import type { CommandLine } from './campaign.ts';
import { spawnOwned } from './leavings.ts';

/** What happens instead of a system call, as strace's `-e inject` has it. The counts are of each thread and each call alone. */
export interface Injection {
  readonly calls: readonly string[];
  /** `error=ENOSPC`, or `signal=SIGKILL`. */
  readonly what: string;
  /** Which of the calls: `3`, `3+` from there on, `3..5`; all when left out. */
  readonly when?: string;
}

/** A process whose system calls fail. */
export interface Attached {
  /** Lets the calls work again. */
  detach(): Promise<void>;
}

/** All threads; a filter in the kernel lets every other call pass at full speed. */
const fromTheStart = ['-f', '-qq', '--seccomp-bpf'] as const;

/** Throws, saying what to do, where there is no strace. */
export function requireStrace(): void {
  if (spawnSync('strace', ['-V']).status === 0) return;
  throw new Error('this campaign makes system calls fail with strace (Linux): install it');
}

/** A command whose system calls fail from its start; its process stays the child of whoever starts it. */
export function underStrace(command: CommandLine, injections: readonly Injection[]): CommandLine {
  return ['strace', '-D', ...fromTheStart, '-o', '/dev/null', ...wordsOf(injections), ...command];
}

/** A command whose calls of these names are written to `file`, one line each, which begins with the thread's number. */
export function notedBy(command: CommandLine, calls: readonly string[], file: string): CommandLine {
  return ['strace', '-D', ...fromTheStart, '-o', file, '-e', `trace=${calls.join(',')}`, ...command];
}

/** Makes system calls of a process that runs fail, in all of its threads, until it is let go. */
export async function attach(pid: number, injections: readonly Injection[]): Promise<Attached> {
  return await startTracer(pid, ['-o', '/dev/null', ...wordsOf(injections)]);
}

/** Notes the calls of a process that runs, until it is let go. */
export async function note(pid: number, calls: readonly string[], file: string): Promise<Attached> {
  return await startTracer(pid, ['-o', file, '-e', `trace=${calls.join(',')}`]);
}

/** How often each call was made, in the thread that made it most often; the file goes. */
export function countsOf(file: string, calls: readonly string[]): Map<string, number> {
  const byThread = new Map<string, number>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, thread, call] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (thread && call) byThread.set(`${thread} ${call}`, (byThread.get(`${thread} ${call}`) ?? 0) + 1);
  }
  rmSync(file);
  const most = (call: string): number =>
    Math.max(0, ...[...byThread].filter(([key]) => key.endsWith(` ${call}`)).map(([, count]) => count));
  return new Map(calls.map((call) => [call, most(call)]));
}

function wordsOf(injections: readonly Injection[]): string[] {
  const traced = injections.flatMap(({ calls }) => calls).join(',');
  const injected = injections.map(
    ({ calls, what, when }) =>
      `inject=${calls.join(',')}:${what}${when === undefined ? '' : `:when=${when}`}`,
  );
  return [`trace=${traced}`, ...injected].flatMap((expression) => ['-e', expression]);
}

async function startTracer(pid: number, words: readonly string[]): Promise<Attached> {
  const tracer = spawnOwned(['strace', '-f', ...words, '-p', `${pid}`]);
  const ended = once(tracer, 'close');
  let said = '';
  await new Promise<void>((resolve, reject) => {
    tracer.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      if (/ attached/.test(said)) resolve();
    });
    ended.then(() => reject(new Error(`strace did not attach: ${said}`)), reject);
  });
  return {
    async detach() {
      tracer.kill('SIGTERM');
      await ended;
    },
  };
}
