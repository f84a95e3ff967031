import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished, vi } from 'vitest';

/** Processes whose command line names a directory (Linux). */
function processesIn(directory: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

/** Runs a campaign, does something to it after its first trial, and answers how it ended and what it left. */
async function disturbed(disturb: (program: ChildProcess, directory: string) => void) {
  const directory = mkdtempSync(join(tmpdir(), 'chat-left-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const words = ['scripts/campaigns.ts', 'sigkill', '--trials', '1000', '--seed', '7'];
  // A process group of its own, as a shell gives one to what is started there.
  const options = { env: { ...process.env, TMPDIR: directory }, detached: true };
  const program = spawn(process.execPath, words, options);
  const [errors, closed] = [text(program.stderr), new Promise((resolve) => program.once('close', resolve))];
  let said = '';
  await new Promise<void>((resolve) => {
    program.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      if (/trial 1: /.test(said)) resolve();
    });
  });
  // Between two trials there may be no server.
  const waiting = { interval: 5, timeout: 60_000 };
  await vi.waitFor(() => expect(processesIn(directory).length).toBeGreaterThan(0), waiting);
  disturb(program, directory);
  const code = await closed;
  return { code, said, errors: await errors, left: [...processesIn(directory), ...readdirSync(directory)] };
}

const isLinux = process.platform === 'linux';

it.runIf(isLinux)(
  'a campaign whose whole process group is interrupted, its server too, leaves nothing either',
  async () => {
    const { code, said, left } = await disturbed(({ pid = 0 }) => process.kill(-pid, 'SIGINT'));
    expect(code).toBe(130);
    expect(said).toMatch(/^sigkill: ended by SIGINT after \d+ trials, seed 7\n$/m);
    expect(left).toEqual([]);
  },
);

it.runIf(isLinux)(
  'a campaign that is interrupted leaves no server and no file, and says how far it came',
  async () => {
    const { code, said, left } = await disturbed((program) => program.kill('SIGINT'));
    expect(code).toBe(130);
    expect(said).toMatch(/^sigkill: ended by SIGINT after \d+ trials, seed 7\n$/m);
    expect(left).toEqual([]);
  },
);

it.runIf(isLinux)(
  'a campaign that fails itself leaves no server and no file, says so, and ends with 1',
  async () => {
    const { code, said, errors, left } = await disturbed((_program, directory) => {
      // Nothing is where it was: no look at the files can work.
      for (const name of readdirSync(directory))
        rmSync(join(directory, name), { recursive: true, maxRetries: 3 });
    });
    expect(code).toBe(1);
    expect(said).toMatch(/sigkill: the campaign itself has failed after \d+ trials, seed 7\n$/);
    expect(errors).toContain('Error');
    expect(left).toEqual([]);
  },
);
