import { writeSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inFull } from '../../src/cli/file-output.ts';
import { streamSink } from '../../src/cli/system-host.ts';
import { temporaryDirectory } from './support/fake-host.ts';

async function temporaryFile(): Promise<{ readonly path: string; readonly file: FileHandle }> {
  const path = join(await temporaryDirectory(), 'out');
  const file = await open(path, 'w');
  onTestFinished(() => file.close());
  return { path, file };
}

/** A stream as Node makes one for a file: it takes what comes for written. */
const streamOf = (fd: number) =>
  Object.assign(new Writable({ write: (_chunk, _encoding, done) => done() }), { fd });

describe('output into a file', () => {
  it('is written whole also when the system takes a part of it at a time', async () => {
    const { path, file } = await temporaryFile();
    const sink = streamSink(inFull(streamOf(file.fd), (fd, bytes) => writeSync(fd, bytes.subarray(0, 3))));
    void sink.write('héllo wörld\n');
    await sink.flush();
    expect(await readFile(path, 'utf8')).toBe('héllo wörld\n');
  });

  it('of which the disk takes a part alone is an error', async () => {
    const { path, file } = await temporaryFile();
    let room = 4;
    const write = (fd: number, bytes: Uint8Array) => {
      if (room === 0) throw Object.assign(new Error('write ENOSPC'), { code: 'ENOSPC' });
      const taken = writeSync(fd, bytes.subarray(0, room));
      room -= taken;
      return taken;
    };
    const sink = streamSink(inFull(streamOf(file.fd), write));
    await expect(sink.write('hello\n')).rejects.toMatchObject({
      code: 'invalid',
      message: 'cannot write the output (ENOSPC): its disk is full',
    });
    expect(await readFile(path, 'utf8')).toBe('hell');
  });

  it('that is none, or a descriptor that is not open, stays as it is', async () => {
    const device = await open('/dev/null', 'w');
    onTestFinished(() => device.close());
    for (const fd of [device.fd, 1_000_000]) {
      const stream = streamOf(fd);
      const write = stream._write;
      expect(inFull(stream)._write).toBe(write);
    }
  });
});
