import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { readerProbe } from '../../src/cli/reader-probe.ts';
import { temporaryDirectory } from './support/fake-host.ts';

const open = (path: string, flags: number): number => openSync(path, flags | constants.O_NONBLOCK);

/** Both ends of a pipe. */
async function pipe(): Promise<{ reader: number; writer: number }> {
  const path = join(await temporaryDirectory(), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = open(path, constants.O_RDONLY);
  const writer = open(path, constants.O_WRONLY);
  onTestFinished(() => closeSync(writer));
  return { reader, writer };
}

describe.skipIf(process.platform === 'win32')('the look for a reader', () => {
  it('finds a pipe that is read, also when it is full, and one that nobody reads any more', async () => {
    const { reader, writer } = await pipe();
    const isGone = readerProbe(writer);
    expect(isGone?.()).toBe(false);
    expect(() => {
      for (;;) writeSync(writer, 'x'.repeat(65_536));
    }).toThrow('EAGAIN');
    expect(isGone?.()).toBe(false);
    closeSync(reader);
    // A process that another thread starts in this very moment has a copy until it becomes its own program.
    await vi.waitFor(() => expect(isGone?.()).toBe(true));
  });

  it('has nothing to look for in a file or a device', async () => {
    const file = open(join(await temporaryDirectory(), 'file'), constants.O_WRONLY | constants.O_CREAT);
    const device = open('/dev/null', constants.O_WRONLY);
    expect([readerProbe(file), readerProbe(device), readerProbe(9_999)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    closeSync(file);
    closeSync(device);
  });

  const module = join(import.meta.dirname, '../../src/cli/reader-probe.ts');
  const script = `import { readerProbe } from ${JSON.stringify(module)};
    const isGone = readerProbe(1);
    console.log(typeof isGone);
    if (isGone) setInterval(() => { if (isGone()) process.exit(7); }, 1);`;

  async function probing(...flags: string[]) {
    const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', script]);
    const stderr = text(child.stderr);
    const [chunk] = await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = await once(child, 'close');
    return { said: String(chunk), code, stderr: await stderr };
  }

  it('finds a socket that the other end has closed, without a word on stderr', async () => {
    expect(await probing()).toEqual({ said: 'function\n', code: 7, stderr: '' });
  });

  it('is left to the next write where Node cannot call the system', async () => {
    expect(await probing('--no-experimental-ffi')).toEqual({ said: 'undefined\n', code: 0, stderr: '' });
  });
});
