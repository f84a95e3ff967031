import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ClientLibrary } from '../../src/cli/client-library.ts';
import { run } from '../../src/cli/main.ts';
import { ChatError } from '../../src/core/errors.ts';
import { fakeClient, fakeServer } from './support/fake-client.ts';
import { fakeHost, type Outside, runOn, temporaryDirectory } from './support/fake-host.ts';
import { loggedIn } from './support/logged-in.ts';

type SendOptions = Parameters<ClientLibrary['sendReliably']>[0];

const answer = { id: 'message-1', seq: 7, sent_at: '2026-11-21T06:00:00.000Z' };

/** Runs `chat send` as alice with a library that stores everything, or fails as told. */
async function send(argv: readonly string[], outside: Outside = {}, failure?: ChatError) {
  const sent: Pick<SendOptions, 'to' | 'text' | 'key' | 'timeoutMs'>[] = [];
  const lines: { text: string; key: string }[] = [];
  const client: Partial<ClientLibrary> = {
    async sendReliably({ open, to, text, key, timeoutMs, onRetry }) {
      await open();
      sent.push({ to, text, key, timeoutMs });
      if (failure !== undefined) {
        onRetry?.(failure, 100);
        throw failure;
      }
      return answer;
    },
    async sendMany({ open, to, lines: input, timeoutMs, onAck }) {
      await open();
      let n = 0;
      for await (const line of input) {
        n += 1;
        lines.push(line);
        onAck?.(n, { ...answer, seq: n });
      }
      sent.push({ to, text: '', key: '', timeoutMs });
      return { sent: n };
    },
  };
  const world = await loggedIn({}, { ...outside, client });
  const outcome = await world.run('send', ...argv);
  return { ...outcome, sent, lines, opened: world.server.opened, host: world.host };
}

const nothing = { stdout: '', sent: [], opened: 0 };

describe('where a message goes', () => {
  it.each<[string[], string, string]>([
    [['hello', 'world'], '#lobby', 'hello world'],
    [['#ops', 'hello'], '#ops', 'hello'],
    [['#Ops', 'hello'], '#ops', 'hello'],
    [['@bob', 'lunch?', 'now'], '@bob', 'lunch? now'],
    [['hello', '@bob'], '#lobby', 'hello @bob'],
    [['#lobby', '@alice hi'], '#lobby', '@alice hi'],
    [['#lobby', '--', '-5 degrees'], '#lobby', '-5 degrees'],
    [['true', 'story'], '#lobby', 'true story'],
    [['I', 'need', 'help'], '#lobby', 'I need help'],
    [['two  spaces', ' kept '], '#lobby', 'two  spaces  kept '],
    [['nul\0and\u001b[31m'], '#lobby', 'nul\0and\u001b[31m'],
  ])('%j goes to %s', async (argv, to, text) => {
    const { code, stdout, stderr, sent } = await send(argv);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(sent).toEqual([{ to, text, key: expect.stringMatching(/^[0-9a-f-]{36}$/), timeoutMs: 30_000 }]);
  });

  it.each(['@alice hi', '#1 fan', '@', '#', '@no spaces', `#${'x'.repeat(33)}`, '@ä'])(
    'a first word %j that begins with # or @ and is no target is exit 2, and nothing is sent',
    async (word) => {
      const { code, stderr, ...rest } = await send([word]);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `chat: ${JSON.stringify(word)} is no #room or @user; text that begins so needs a target before it: chat send '#lobby' '${word}'\n`,
      });
      expect(rest).toMatchObject(nothing);
    },
  );
});

describe('the text', () => {
  it('comes from stdin when it is in no argument, less one trailing newline', async () => {
    expect((await send(['#ops'], { stdin: 'two\nlines\n\n' })).sent).toMatchObject([
      { to: '#ops', text: 'two\nlines\n' },
    ]);
    expect((await send([], { stdin: 'hi\n' })).sent).toMatchObject([{ to: '#lobby', text: 'hi' }]);
  });

  it('comes from a file with --file', async () => {
    const file = join(await temporaryDirectory(), 'text');
    await writeFile(file, 'from a file\n');
    expect((await send(['@bob', '--file', file])).sent).toMatchObject([{ to: '@bob', text: 'from a file' }]);
  });

  it('may have 16,384 bytes', async () => {
    expect((await send(['x'.repeat(16_384)])).sent).toHaveLength(1);
    expect((await send([], { stdin: `${'x'.repeat(16_384)}\n` })).sent).toHaveLength(1);
  });

  it.each<[string, string[], Outside, string]>([
    [
      'none at a terminal',
      [],
      { terminal: true },
      "no text; give it as an argument or on stdin (a shell drops an unquoted #room: chat send '#ops' hello)",
    ],
    [
      'none at a terminal but a target',
      ['@bob'],
      { terminal: true },
      "no text; give it as an argument or on stdin (a shell drops an unquoted #room: chat send '#ops' hello)",
    ],
    [
      'none at a terminal with --lines',
      ['--lines'],
      { terminal: true },
      "no text; give it as an argument or on stdin (a shell drops an unquoted #room: chat send '#ops' hello)",
    ],
    ['empty in an argument', ['@bob', ''], {}, 'the text is empty; a message has at least one character'],
    ['empty on stdin', ['@bob'], { stdin: '\n' }, 'the text is empty; a message has at least one character'],
    [
      'one byte too long in an argument',
      ['x'.repeat(16_385)],
      {},
      'the text has 16385 bytes; a message has at most 16384',
    ],
    [
      'one byte too long on stdin',
      [],
      { stdin: `${'x'.repeat(16_385)}\n` },
      'the text has 16385 bytes; a message has at most 16384',
    ],
    [
      'far too long on stdin',
      [],
      { stdin: 'x'.repeat(100_000) },
      'stdin has more than 16384 bytes; a message has at most that many',
    ],
    ['not UTF-8', [], { stdin: Uint8Array.of(0x68, 0xff) }, 'stdin is not UTF-8 text'],
    ['in an argument and a file', ['hi', '--file', 'x'], {}, 'TEXT and --file cannot be given together'],
    [
      'in an argument with --lines',
      ['hi', '--lines'],
      {},
      'TEXT and --lines cannot be given together: lines come from stdin or --file',
    ],
    [
      'with --from-line and no --lines',
      ['hi', '--from-line', '2'],
      {},
      '--from-line goes with --lines: one message has no lines to count',
    ],
    [
      'with --from-line 0',
      ['--lines', '--from-line', '0'],
      {},
      '--from-line takes a whole number from 1 to 9999999999, not "0"',
    ],
    ['in a file that is not there', ['--file', '/none'], {}, '--file: cannot read /none (ENOENT)'],
    [
      'with a key too long',
      ['hi', '--key', 'k'.repeat(129)],
      {},
      '--key takes 1 to 128 characters and no control characters',
    ],
    [
      'with a key too long for --lines',
      ['--lines', '--key', 'k'.repeat(118)],
      {},
      '--key takes 1 to 117 characters and no control characters',
    ],
    [
      'with a control character in its key',
      ['hi', '--key', 'a\nb'],
      {},
      '--key takes 1 to 128 characters and no control characters',
    ],
    [
      'with a timeout of 0',
      ['hi', '--timeout', '0'],
      {},
      '--timeout takes a number from 0.001 to 86400, not "0"',
    ],
  ])('%s is exit 2 before anything is connected', async (_title, argv, outside, text) => {
    const { code, stderr, ...rest } = await send(argv, { env: { NO_COLOR: '1' }, ...outside });
    expect({ code, stderr }).toEqual({ code: 2, stderr: `chat: ${text}\n` });
    expect(rest).toMatchObject(nothing);
  });

  it.each<[string, Uint8Array, string]>([
    ['empty', Uint8Array.of(), 'the text is empty; a message has at least one character'],
    ['a newline only', Buffer.from('\r\n'), 'the text is empty; a message has at least one character'],
    ['not UTF-8', Uint8Array.of(0xc3, 0x28), '--file FILE is not UTF-8 text'],
    [
      'too long',
      Buffer.alloc(16_387, 'x'),
      '--file FILE has more than 16384 bytes; a message has at most that many',
    ],
  ])('of a file that is %s is exit 2', async (_title, content, text) => {
    const file = join(await temporaryDirectory(), 'text');
    await writeFile(file, content);
    const { code, stderr, sent } = await send(['--file', file]);
    expect({ code, stderr, sent }).toEqual({
      code: 2,
      stderr: `chat: ${text.replace('FILE', file)}\n`,
      sent: [],
    });
  });

  it('keeps the carriage returns that are not at its end', async () => {
    expect((await send([], { stdin: 'one\r\ntwo\r\n' })).sent).toMatchObject([{ text: 'one\r\ntwo' }]);
  });

  it('is not taken from a directory', async () => {
    const directory = join(await temporaryDirectory(), 'd');
    await mkdir(directory);
    expect(await send(['--file', directory])).toMatchObject({
      code: 2,
      stderr: `chat: --file: ${directory} is a directory\n`,
    });
  });
});

describe('a message that was sent', () => {
  it('is told of with -o json, where it was stored', async () => {
    const { stdout } = await send(['@bob', 'hi', '-o', 'json']);
    expect(stdout).toBe('{"id":"message-1","seq":7,"sent_at":"2026-11-21T06:00:00.000Z","to":"@bob"}\n');
  });

  it('carries the key and the time to try that were asked for', async () => {
    const { sent } = await send(['hi', '--key', 'k'.repeat(128), '--timeout', '0.5']);
    expect(sent).toMatchObject([{ key: 'k'.repeat(128), timeoutMs: 500 }]);
  });

  it.each([
    ['unavailable', 3],
    ['rate-limited', 8],
    ['forbidden', 5],
    ['not-found', 6],
    ['timeout', 3],
  ] as const)('in vain, ends with the last cause: %s is exit %i', async (code, exit) => {
    const outcome = await send(['hi', '--verbose'], {}, new ChatError(code, 'the last cause'));
    expect(outcome.code).toBe(exit);
    expect(outcome.stderr.split('\n').slice(0, 2)).toEqual([
      'trying again: the last cause',
      'chat: the last cause',
    ]);
  });

  it('is stored although nobody reads the answer', async () => {
    const world = await loggedIn();
    world.host.stdout.break();
    expect((await world.run('send', 'hi', '-o', 'json')).code).toBe(0);
  });
});

describe('--lines', () => {
  const keys = (lines: readonly { key: string }[]) => lines.map(({ key }) => key);

  it('sends a message a line, and skips empty lines with a count on stderr', async () => {
    const outcome = await send(['#ops', '--lines'], { stdin: 'one\n\ntwo\r\n\nthree' });
    expect(outcome).toMatchObject({ code: 0, stdout: '', stderr: 'skipped 2 empty lines\n' });
    expect(outcome.lines.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    expect(outcome.sent).toMatchObject([{ to: '#ops', timeoutMs: 30_000 }]);
  });

  it('numbers the keys by line, so that the same input always has the same ones', async () => {
    const { lines } = await send(['--lines', '--key', 'import'], { stdin: 'one\n\ntwo\n' });
    expect(keys(lines)).toEqual(['import.1', 'import.3']);
  });

  it('has keys of its own in each run otherwise', async () => {
    const [one, two] = [await send(['--lines'], { stdin: 'a\n' }), await send(['--lines'], { stdin: 'a\n' })];
    expect(keys(one.lines)[0]).toMatch(/^[0-9a-f-]{36}\.1$/);
    expect(keys(one.lines)).not.toEqual(keys(two.lines));
  });

  it('tells of each stored line with -o json', async () => {
    const { stdout } = await send(['@bob', '--lines', '-o', 'json'], { stdin: 'a\n\nb\n' });
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { ...answer, seq: 1, to: '@bob', line: 1 },
      { ...answer, seq: 2, to: '@bob', line: 3 },
    ]);
  });

  it('goes on sending when nobody reads what is told', async () => {
    const server = fakeServer();
    const world = await loggedIn();
    const texts: string[] = [];
    const host = await fakeHost({
      stateHome: world.host.stateHome,
      stdin: 'a\nb\nc\n',
      client: {
        ...fakeClient(server),
        async sendMany({ lines, onAck }) {
          for await (const { text } of lines) {
            texts.push(text);
            onAck?.(texts.length, answer);
            host.stdout.break();
          }
          return { sent: texts.length };
        },
      },
    });
    expect((await runOn(host, 'send', '--lines', '-o', 'json')).code).toBe(0);
    expect(texts).toEqual(['a', 'b', 'c']);
  });

  it('reads no further while what is told is not read', async () => {
    const world = await loggedIn();
    const log: string[] = [];
    const host = await fakeHost({
      stateHome: world.host.stateHome,
      stdin: 'a\nb\n',
      client: {
        ...fakeClient(),
        async sendMany({ lines, onAck }) {
          for await (const { text } of lines) {
            log.push(text);
            onAck?.(1, answer);
          }
          return { sent: 2 };
        },
      },
    });
    const slow = {
      ...host.stdout,
      write: () => new Promise<void>((resolve) => setImmediate(() => resolve(void log.push('told')))),
    };
    expect(await run(['send', '--lines', '-o', 'json'], { ...host, stdout: slow })).toBe(0);
    expect(log).toEqual(['a', 'told', 'b', 'told']);
  });

  it('reads a file, and shows a person how far it is', async () => {
    const file = join(await temporaryDirectory(), 'lines');
    await writeFile(file, 'a\nb\n');
    const { code, stderr, lines } = await send(['--lines', '--file', file], { terminal: true });
    expect({ code, texts: lines.map(({ text }) => text) }).toEqual({ code: 0, texts: ['a', 'b'] });
    expect(stderr).toBe('\r\u001b[K1 sent, 50 %\r\u001b[K');
  });

  it.each<[string, Uint8Array, string]>([
    ['not UTF-8', Buffer.from([...Buffer.from('good\nfine\n'), 0xff, 0x0a]), 'line 3 is not UTF-8 text'],
    [
      'too long',
      Buffer.from(`good\nfine\n${'x'.repeat(16_385)}\nmore\n`),
      'line 3 has 16385 bytes; a message has at most 16384',
    ],
    [
      'endless',
      Buffer.from(`good\nfine\n${'x'.repeat(100_000)}`),
      'line 3 has more than 16384 bytes; a message has at most that many',
    ],
  ])('stores the lines before one that is %s, then exits 2 naming it', async (_title, stdin, text) => {
    const { code, stderr, lines } = await send(['--lines', '--key', 'K'], { stdin });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `chat: ${text}; 2 messages are stored; to go on, send the same lines with --key K --from-line 3\n`,
    });
    expect(lines.map((line) => line.text)).toEqual(['good', 'fine']);
  });

  it('of no lines is no error', async () => {
    expect(await send(['--lines'], { stdin: '' })).toMatchObject({ code: 0, stdout: '', lines: [] });
  });
});

describe('a signal', () => {
  it('that comes before the text is read ends send, though the input goes on', async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('begun');
      await new Promise(() => {});
    }
    const host = await fakeHost();
    const early: typeof host = {
      ...host,
      stdin: { isTerminal: false, bytes: endless },
      onSignal(listener) {
        listener('SIGINT');
        return () => {};
      },
    };
    expect(await runOn(early, 'send')).toMatchObject({ code: 130 });
  });
});
