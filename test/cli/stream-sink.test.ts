import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { BrokenPipe } from '../../src/cli/host.ts';
import { streamSink } from '../../src/cli/system-host.ts';

/** A stream that takes nothing until the test lets it, or fails it. */
function heldStream() {
  const held: ((error?: Error) => void)[] = [];
  let written = '';
  const stream = new Writable({
    highWaterMark: 4,
    decodeStrings: false,
    write(text, _encoding, done) {
      written += text;
      held.push(done);
    },
  });
  return { stream, written: () => written, release: (error?: Error) => held.shift()?.(error) };
}

const failure = (code: string) => Object.assign(new Error(`write ${code}`), { code });

describe('a sink', () => {
  it('takes more at once until its stream is full, and then says when it has caught up', async () => {
    const { stream, release } = heldStream();
    const sink = streamSink(stream);
    expect(sink.write('ab')).toBeUndefined();
    const full = sink.write('cd');
    release();
    release();
    await expect(full).resolves.toBeUndefined();
  });

  it('is flushed when all has left the process', async () => {
    const { stream, release, written } = heldStream();
    const sink = streamSink(stream);
    void sink.write('abc');
    let isFlushed = false;
    const flushed = sink.flush().then(() => {
      isFlushed = true;
    });
    await Promise.resolve();
    expect(isFlushed).toBe(false);
    release();
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await flushed;
    expect(written()).toBe('abc');
  });

  it.each(['EPIPE', 'ERR_STREAM_DESTROYED'])(
    'whose reader has gone (%s) rejects with BrokenPipe and aborts `gone`',
    async (code) => {
      const { stream, release } = heldStream();
      const sink = streamSink(stream);
      const full = sink.write('too much');
      release(failure(code));
      await expect(full).rejects.toBeInstanceOf(BrokenPipe);
      await expect(sink.write('more')).rejects.toBeInstanceOf(BrokenPipe);
      await expect(sink.flush()).rejects.toBeInstanceOf(BrokenPipe);
      expect(sink.gone.aborted).toBe(true);
    },
  );

  it('that fails otherwise rejects with what the system said, also when flushed', async () => {
    const { stream, release } = heldStream();
    const sink = streamSink(stream);
    expect(sink.write('abc')).toBeUndefined();
    const flushed = sink.flush();
    release(failure('ENOSPC'));
    await expect(flushed).rejects.toMatchObject({
      code: 'invalid',
      message: 'cannot write the output (ENOSPC): its disk is full',
    });
    await expect(sink.write('more')).rejects.not.toBeInstanceOf(BrokenPipe);
  });

  it.each([
    [true, 'BrokenPipe'],
    [false, 'ChatError'],
  ])(
    'takes EIO for a reader that has gone when it is a terminal (%j), and otherwise for a broken disk',
    async (isTTY, name) => {
      const { stream, release } = heldStream();
      const sink = streamSink(Object.assign(stream, { isTTY }));
      const full = sink.write('too much');
      release(failure('EIO'));
      await expect(full).rejects.toMatchObject({ name });
    },
  );

  it('to which nothing was written is flushed without a write, which would fail on a full disk', async () => {
    // It takes nothing: whoever writes to it waits for ever.
    await expect(streamSink(heldStream().stream).flush()).resolves.toBeUndefined();
  });
});
