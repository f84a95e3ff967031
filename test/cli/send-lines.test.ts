import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ClientLibrary, lazyClientLibrary } from '../../src/cli/client-library.ts';
import { run } from '../../src/cli/main.ts';
import { ChatError } from '../../src/core/errors.ts';
import { type Outside, temporaryDirectory } from './support/fake-host.ts';
import { loggedIn } from './support/logged-in.ts';

const answer = { id: 'message-1', seq: 7, sent_at: '2026-11-21T06:00:00.000Z' };

interface Told {
  readonly texts: string[];
  readonly keys: string[];
}

/** Runs `chat send --lines` as alice; after `acknowledged` lines the library throws `failure`, when there is one. */
async function sendLines(
  argv: readonly string[],
  outside: Outside,
  failure?: unknown,
  acknowledged = Number.POSITIVE_INFINITY,
) {
  const told: Told = { texts: [], keys: [] };
  const client: Partial<ClientLibrary> = {
    async sendMany({ open, lines, onAck }) {
      if (failure !== undefined && acknowledged === -1) throw failure;
      await open();
      let sent = 0;
      for await (const { text, key } of lines) {
        if (sent === acknowledged) throw failure;
        sent += 1;
        told.texts.push(text);
        told.keys.push(key);
        onAck?.(sent, answer);
      }
      return { sent };
    },
  };
  const world = await loggedIn({}, { ...outside, client });
  return { ...(await world.run('send', '--lines', ...argv)), ...told };
}

const gone = new ChatError('unavailable', 'no server');

describe('--from-line', () => {
  it('leaves out the lines before it, and keeps the numbers', async () => {
    expect(await sendLines(['--from-line', '3', '--key', 'K'], { stdin: 'a\nb\n\nd\ne\n' })).toEqual({
      code: 0,
      stdout: '',
      stderr: 'skipped 1 empty line\n',
      texts: ['d', 'e'],
      keys: ['K.4', 'K.5'],
    });
  });

  it('does not look at the lines before it, whatever they are', async () => {
    const stdin = Buffer.concat([
      Buffer.from([0xff, 0x0a]),
      Buffer.alloc(100_000, 'x'),
      Buffer.from('\nc\n'),
    ]);
    expect(await sendLines(['--from-line', '3', '--key', 'K'], { stdin })).toMatchObject({
      code: 0,
      stderr: '',
      keys: ['K.3'],
    });
  });

  it.each(['a\nb\n', 'a\nb', 'a\nb\n\n'])(
    'says so when there is nothing from there on in %j',
    async (stdin) => {
      const { code, stderr, texts } = await sendLines(['--from-line', '3'], { stdin });
      expect({ code, last: stderr.split('\n').at(-2), texts }).toEqual({
        code: 0,
        last: 'nothing was sent: there is no text from line 3 on',
        texts: [],
      });
    },
  );

  it('is what an error names when nothing was read yet', async () => {
    const { stderr } = await sendLines(['--from-line', '3', '--key', 'K'], { stdin: 'a\nb\nc\n' }, gone, 0);
    expect(stderr).toBe(
      'chat: no server; 0 messages are stored; to go on, send the same lines with --key K --from-line 3\n',
    );
  });

  it('counts what is left of a file only from there', async () => {
    const file = join(await temporaryDirectory(), 'lines');
    await writeFile(file, 'a\nb\nc\nd\n');
    const { stderr } = await sendLines(['--from-line', '3', '--file', file], { terminal: true });
    expect(stderr).toBe('\r\u001b[K1 sent, 75 %\r\u001b[K');
  });
});

describe('--lines that fails in the middle', () => {
  it.each<[number, string]>([
    [0, '0 messages are stored; to go on, send the same lines with --key K --from-line 1'],
    [1, '1 message is stored; to go on, send the same lines with --key K --from-line 3'],
    [2, '2 messages are stored; to go on, send the same lines with --key K --from-line 4'],
  ])('after %i stored ones says how many there are and how to go on', async (stored, advice) => {
    const outcome = await sendLines(['--key', 'K'], { stdin: 'a\n\nc\nd\n' }, gone, stored);
    expect(outcome).toMatchObject({ code: 3, stdout: '', stderr: `chat: no server; ${advice}\n` });
  });

  it.each([
    [new ChatError('forbidden', 'to: join the room first'), 5],
    [new ChatError('rate-limited', 'slow', { retryAfterMs: 4_000 }), 8],
    [new ChatError('timeout', 'no answer'), 3],
  ])('ends with the code of its cause', async (failure, code) => {
    const outcome = await sendLines(['--key', 'K'], { stdin: 'a\nb\n' }, failure, 1);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toContain('; 1 message is stored; to go on, ');
  });

  it('names the key that it made itself', async () => {
    const { stderr, keys } = await sendLines([], { stdin: 'a\nb\n' }, gone, 1);
    const own = keys[0]?.replace(/\.1$/, '');
    expect(stderr).toContain(`--key ${own} --from-line 2\n`);
  });

  it.each([
    ['it is mine', "'it is mine'"],
    ["it's", "'it'\\''s'"],
    ['nightly-2026/11', 'nightly-2026/11'],
  ])('spells the key %s so that a shell takes it', async (key, spelled) => {
    const { stderr } = await sendLines(['--key', key], { stdin: 'a\nb\n' }, gone, 1);
    expect(stderr).toContain(` --key ${spelled} --from-line 2\n`);
  });

  it('says no more than why when there was no connection: nothing can be stored', async () => {
    const { code, stderr } = await sendLines(['--key', 'K'], { stdin: 'a\n' }, gone, -1);
    expect({ code, stderr }).toEqual({ code: 3, stderr: 'chat: no server\n' });
  });

  it('says no more than what is wrong when that is the first line', async () => {
    const { code, stderr } = await sendLines(['--key', 'K'], { stdin: Buffer.from([0xff]) });
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'chat: line 1 is not UTF-8 text\n' });
  });

  it('by a signal says so too', async () => {
    const world = await loggedIn(
      {},
      {
        stdin: 'a\nb\nc\n',
        client: {
          async sendMany({ open, lines, onAck, signal }) {
            await open();
            let sent = 0;
            for await (const _ of lines) {
              sent += 1;
              if (sent === 2) break;
              onAck?.(sent, answer);
            }
            world.host.signal('SIGINT');
            expect(signal?.aborted).toBe(true);
            throw new ChatError('unavailable', 'sending was stopped');
          },
        },
      },
    );
    expect(await world.run('send', '--lines', '--key', 'K')).toEqual({
      code: 130,
      stdout: '',
      stderr: 'stopped; 1 message is stored; to go on, send the same lines with --key K --from-line 2\n',
    });
  });
});

describe('a send that is signalled', () => {
  it('while it waits for its text ends at once', async () => {
    const world = await loggedIn();
    const stdin = {
      isTerminal: false,
      async *bytes(): AsyncIterable<Uint8Array> {
        world.host.signal('SIGTERM');
        await new Promise(() => {});
      },
    };
    expect(await run(['send'], { ...world.host, stdin })).toBe(143);
  });
});

describe('the memory of --lines', () => {
  it('holds no more than a window of lines, however many there are and however slow the server is', async () => {
    const count = 20_000;
    let read = 0;
    let stored = 0;
    let most = 0;
    const world = await loggedIn(
      {
        'message.send': () => {
          most = Math.max(most, read - stored);
          return new Promise((resolve) => {
            setImmediate(() => {
              stored += 1;
              resolve({ ...answer, seq: stored });
            });
          });
        },
      },
      { client: { sendMany: lazyClientLibrary.sendMany } },
    );
    const stdin = {
      isTerminal: false,
      async *bytes(): AsyncIterable<Uint8Array> {
        for (read = 1; read <= count; read++) yield Buffer.from(`line ${read}\n`);
      },
    };
    expect(await run(['send', '--lines'], { ...world.host, stdin })).toBe(0);
    expect(stored).toBe(count);
    // 256 under way, one in the hands of the library, one read ahead.
    expect(most).toBeGreaterThan(200);
    expect(most).toBeLessThanOrEqual(258);
  });
});
