import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { holdLock } from '../../src/cli/held-lock.ts';
import { ChatError, type ErrorCode, errorCodes } from '../../src/core/errors.ts';
import { type FakeHost, testNow } from './support/fake-host.ts';
import { gone, idOf, type OutboxWorld, outboxWorld } from './support/outbox-world.ts';

const lane = (world: OutboxWorld) => join(world.stateHome, 'chat', 'outbox', 'default.chat_127.0.0.1_8080');
const pathOf = (world: OutboxWorld, n: number) => join(lane(world), `${idOf(n)}.jsonl`);
const soon = ['--timeout', '0.001'];
const jsonLines = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Takes the outbox as another process would. */
async function holdOutbox(world: OutboxWorld) {
  const other = { processId: process.pid, hostName: 'elsewhere' };
  return await holdLock(join(lane(world), 'sending.lock'), other, () => gone);
}

describe('chat send --outbox', () => {
  it('stores the message and leaves nothing behind', async () => {
    const world = await outboxWorld();
    expect(await world.run(['send', '--outbox', '#bob', 'hi', '--key', 'K', '-o', 'json'])).toEqual({
      code: 0,
      stdout: '{"id":"message-1","seq":1,"sent_at":"2026-11-21T06:00:00.000Z","to":"#bob"}\n',
      stderr: '',
    });
    expect(world.stored).toEqual([{ to: '#bob', text: 'hi', key: 'K' }]);
    expect(await world.files()).toEqual([]);
  });

  it('keeps it when the server is away, says so, and prints nothing: it is not stored', async () => {
    const world = await outboxWorld();
    world.away = gone;
    expect(await world.run(['send', '--outbox', '#bob', 'hi', '-o', 'json'])).toEqual({
      code: 3,
      stdout: '',
      stderr: `{"error":{"code":"unavailable","message":"no server; kept in the outbox as ${idOf(0)}, for the next --outbox or chat outbox send"}}\n`,
    });
    expect(await world.files()).toEqual([`${idOf(0)}.jsonl`]);
  });

  const kept: Record<ErrorCode, number | undefined> = {
    unavailable: 3,
    timeout: 3,
    'rate-limited': 8,
    unauthenticated: 4,
    'second-factor-required': 11,
    untrusted: 9,
    internal: 1,
    invalid: undefined,
    'too-large': undefined,
    unsupported: undefined,
    forbidden: undefined,
    'not-found': undefined,
    conflict: undefined,
  };
  it.each(errorCodes.map((code) => [code, kept[code] === undefined ? 'not kept' : 'kept'] as const))(
    'after %s it is %s',
    async (code) => {
      const world = await outboxWorld();
      world.refuse = () => new ChatError(code, 'the reason');
      const outcome = await world.run(['send', '--outbox', 'hi']);
      const stays = kept[code];
      expect(outcome.stderr).toBe(
        stays === undefined
          ? 'chat: the reason\n'
          : `chat: the reason; kept in the outbox as ${idOf(0)}, for the next --outbox or chat outbox send\n`,
      );
      if (stays !== undefined) expect(outcome.code).toBe(stays);
      expect((await world.files()).filter((name) => name.endsWith('.jsonl'))).toHaveLength(
        stays === undefined ? 0 : 1,
      );
    },
  );

  it('sends what was kept before it, in order and under its keys, also what was kept twice', async () => {
    const world = await outboxWorld();
    world.away = gone;
    await world.run(['send', '--outbox', '--key', 'one', 'a']);
    await world.run(['send', '--outbox', '--key', 'two', '#bob', 'b']);
    await world.run(['send', '--outbox', '--key', 'one', 'a']);
    world.away = undefined;
    expect(await world.run(['send', '--outbox', '--key', 'three', 'c'])).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(world.asked).toEqual(['one', 'two', 'one', 'three']);
    expect(world.stored.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
  });

  it('sends it although one before it is refused, and does not ask for that one again', async () => {
    const world = await outboxWorld();
    await world.keep('bad', 'good');
    world.refuse = ({ text }) => (text === 'bad' ? new ChatError('forbidden', 'join first') : undefined);
    expect(await world.run(['send', '--outbox', 'new'])).toEqual({
      code: 0,
      stdout: '',
      stderr: `outbox: ${idOf(0)} stays: join first\n`,
    });
    expect(world.stored.map(({ text }) => text)).toEqual(['good', 'new']);
    world.asked.length = 0;
    expect(await world.run(['send', '--outbox', 'newer', '--key', 'K'])).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
    expect(world.asked).toEqual(['K']);
  });

  it('does not wait twice when the server is away', async () => {
    const world = await outboxWorld();
    await world.keep('one');
    world.away = gone;
    let connects = 0;
    const client = {
      async connect() {
        connects += 1;
        throw gone;
      },
    };
    expect(await world.run(['send', '--outbox', 'two'], { client })).toMatchObject({ code: 3 });
    expect(connects).toBe(1);
  });

  it('waits for another process that sends, and then keeps its message', async () => {
    const world = await outboxWorld();
    await world.keep('one');
    const lock = await holdOutbox(world);
    expect(await world.run(['send', '--outbox', 'two', ...soon])).toEqual({
      code: 3,
      stdout: '',
      stderr: `chat: process ${process.pid} on elsewhere is sending from the outbox; kept in the outbox as ${idOf(1)}, for the next --outbox or chat outbox send\n`,
    });
    await lock.release();
    expect(await world.run(['outbox', 'send', '-q'])).toMatchObject({ code: 0, stderr: '' });
    expect(world.stored.map(({ text }) => text)).toEqual(['one', 'two']);
  });

  it('sends its message all the same when somebody has dropped it meanwhile', async () => {
    const world = await outboxWorld();
    await world.keep('one');
    const lock = await holdOutbox(world);
    const sending = world.run(['send', '--outbox', 'two']);
    await vi.waitFor(async () => expect(await world.files()).toContain(`${idOf(1)}.jsonl`), {
      timeout: 60_000,
    });
    const { rm } = await import('node:fs/promises');
    await rm(pathOf(world, 1));
    await lock.release();
    expect(await sending).toMatchObject({ code: 0, stderr: '' });
    expect(world.stored.map(({ text }) => text)).toEqual(['two']);
  });

  it('needs a saved login: nobody else could send it later', async () => {
    const world = await outboxWorld();
    const token = { env: { CHAT_TOKEN: 'cs1_first' } };
    for (const argv of [
      ['send', '--outbox', 'hi'],
      ['send', '--outbox', '--lines'],
      ['outbox', 'send'],
    ]) {
      expect(await world.run(argv, { ...token, stdin: 'a\n' })).toEqual({
        code: 2,
        stdout: '',
        stderr:
          'chat: CHAT_TOKEN does not say whose messages are kept; the outbox needs a saved login (chat login)\n',
      });
      expect(await world.run([...argv, '--context', 'other'], { stdin: 'a\n' })).toMatchObject({ code: 4 });
    }
  });

  it('that cannot write says so and sends all the same; when that fails too it is exit 2, NOT kept', async () => {
    const world = await outboxWorld();
    const file = join(world.stateHome, 'chat', 'outbox');
    await writeFile(file, 'in the way');
    const problem = `${file}: cannot make the directory (EEXIST)`;
    expect(await world.run(['send', '--outbox', 'hi'])).toEqual({
      code: 0,
      stdout: '',
      stderr: `warning: not kept: ${problem}\n`,
    });
    expect(await world.run(['send', '--outbox', '--lines'], { stdin: 'one\ntwo\n' })).toMatchObject({
      code: 0,
    });
    expect(world.stored.map(({ text }) => text)).toEqual(['hi', 'one', 'two']);
    world.away = gone;
    expect(await world.run(['send', '--outbox', 'hi'])).toEqual({
      code: 2,
      stdout: '',
      stderr: `warning: not kept: ${problem}\nchat: no server; it is NOT kept: ${problem}\n`,
    });
    world.away = undefined;
    world.refuse = () => new ChatError('forbidden', 'join first');
    expect(await world.run(['send', '--outbox', 'hi'])).toMatchObject({
      code: 5,
      stderr: `warning: not kept: ${problem}\nchat: join first\n`,
    });
  });
});

describe('chat send --lines --outbox', () => {
  const lines = (...flags: string[]) => ['send', '--lines', '--outbox', '--key', 'K', ...flags];
  const keptAs = (id: string) => `kept in the outbox as ${id}, for the next --outbox or chat outbox send`;

  it('keeps the lines that are not stored, and the rest of the input, under their keys', async () => {
    const world = await outboxWorld();
    world.refuse = ({ text }) => (text < 'c' ? undefined : gone);
    const stdin = 'a\n\nb\nc\r\nd\ne';
    const outcome = await world.run(lines('-o', 'json'), { stdin });
    expect(outcome.code).toBe(3);
    expect(jsonLines(outcome.stdout).map(({ line }) => line)).toEqual([1, 3]);
    expect(jsonLines(outcome.stderr).at(-1).error.message).toBe(
      `no server; 2 messages are stored; 3 ${keptAs(idOf(0))}`,
    );
    world.refuse = () => undefined;
    await world.run(['outbox', 'send']);
    expect(world.stored).toEqual(
      [
        ['a', 1],
        ['b', 3],
        ['c', 4],
        ['d', 5],
        ['e', 6],
      ].map(([text, n]) => ({ to: '#lobby', text, key: `K.${n}` })),
    );
    expect(await world.files()).toEqual([]);
  });

  it('does not try when what was kept before cannot be sent', async () => {
    const world = await outboxWorld();
    await world.keep('first');
    world.away = gone;
    expect(await world.run(lines(), { stdin: 'a\nb\n' })).toMatchObject({
      code: 3,
      stderr: `chat: no server; 0 messages are stored; 2 ${keptAs(idOf(1))}\n`,
    });
    expect(await world.run(lines(), { stdin: '' })).toMatchObject({
      code: 3,
      stderr: 'chat: no server; 0 messages are stored\n',
    });
    expect(await world.files()).toEqual([0, 1].map((n) => `${idOf(n)}.jsonl`));
  });

  it('keeps nothing when the server refuses, and says how to go on', async () => {
    const world = await outboxWorld();
    world.refuse = ({ text }) => (text === 'b' ? new ChatError('forbidden', 'join first') : undefined);
    expect(await world.run(lines(), { stdin: 'a\nb\nc\n' })).toMatchObject({
      code: 5,
      stderr:
        'chat: join first; 1 message is stored; to go on, send the same lines with --key K --from-line 2\n',
    });
  });

  it('keeps the lines before one that is bad: exit 2, naming it and the entry', async () => {
    const world = await outboxWorld();
    world.away = gone;
    const stdin = Buffer.concat([Buffer.from('a\nb\n'), Buffer.from([0xff, 0x0a]), Buffer.from('d\n')]);
    expect(await world.run(lines(), { stdin })).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: line 3 is not UTF-8 text; no server; 0 messages are stored; 2 ${keptAs(idOf(0))}; to go on, send the same lines with --key K --from-line 3\n`,
    });
    expect(jsonLines((await world.run(['outbox', '-o', 'json'])).stdout)).toMatchObject([
      { count: 2, first: 'a', first_line: 1, kind: 'lines', key: 'K' },
    ]);
  });

  it('that is stopped keeps what it has read, and says where the rest begins', async () => {
    const world = await outboxWorld();
    world.away = gone;
    let host: FakeHost | undefined;
    world.onHost = (fresh) => {
      host = fresh;
    };
    async function* bytes() {
      yield Buffer.from('a\nb\n');
      // After the failure, while the rest is read.
      await vi.waitFor(async () => expect((await world.files()).length).toBe(1), { timeout: 60_000 });
      host?.signal('SIGTERM');
      await new Promise(() => {});
    }
    const stdin = { isTerminal: false, bytes };
    const client = {};
    const outcome = await world.run(lines(), { client, source: stdin });
    expect(outcome).toEqual({
      code: 143,
      stdout: '',
      stderr: `stopped; 0 messages are stored; 2 ${keptAs(idOf(0))}; to go on, send the same lines with --key K --from-line 3\n`,
    });
  });

  it('cannot keep: exit 2, saying how to go on', async () => {
    const world = await outboxWorld();
    world.away = gone;
    const file = join(world.stateHome, 'chat', 'outbox');
    await writeFile(file, 'in the way');
    expect(await world.run(lines(), { stdin: 'a\nb\n' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        'chat: no server; 0 messages are stored; to go on, send the same lines with --key K --from-line 1; NOT kept: ',
      ),
    });
  });
});

describe('chat outbox', () => {
  it('lists what is kept: columns by a tab in a script, aligned at a terminal, all of it escaped', async () => {
    const world = await outboxWorld();
    await world.keep('one\u001b[2J\ntwo', `${'é'.repeat(40)}x`, 'é'.repeat(40));
    world.away = gone;
    await world.run(['send', '--lines', '--outbox', '#bob'], { stdin: 'a\n\nb\n' });
    const time = '2026-11-21 06:00:00';
    expect(await world.run(['outbox'])).toEqual({
      code: 0,
      stdout: [
        `${idOf(0)}\t${time}\talice\t#lobby\t\tone\\x1b[2J\\ntwo\t\n`,
        `${idOf(1)}\t${time}\talice\t#lobby\t\t${'é'.repeat(40)}…\t\n`,
        `${idOf(2)}\t${time}\talice\t#lobby\t\t${'é'.repeat(40)}\t\n`,
        `${idOf(3)}\t${time}\talice\t#bob\t2 lines\ta\t\n`,
      ].join(''),
      stderr: '',
    });
    const atTerminal = await world.run(['outbox', 'ls'], { terminal: true });
    expect(atTerminal.stdout.split('\n')[3]).toMatch(
      new RegExp(`^${idOf(3)} {2}${time} {2}alice {2}#bob {4}2 lines {2}a$`),
    );
  });

  it('lists an object an entry with -o json', async () => {
    const world = await outboxWorld();
    world.away = gone;
    await world.run(['send', '--outbox', '--key', 'K', 'hi']);
    expect(jsonLines((await world.run(['outbox', '-o', 'json'])).stdout)).toEqual([
      {
        id: idOf(0),
        kept_at: new Date(testNow).toISOString(),
        server: 'chat://127.0.0.1:8080',
        context: 'default',
        username: 'alice',
        to: '#lobby',
        kind: 'message',
        key: 'K',
        count: 1,
        stored: 0,
        first: 'hi',
        first_line: null,
        refused: null,
      },
    ]);
  });

  it('names a file that is damaged, and how many entries there are elsewhere', async () => {
    const world = await outboxWorld();
    await world.keep('one', 'two');
    await writeFile(pathOf(world, 0), 'x', { mode: 0o600 });
    const damaged = `${pathOf(world, 0)}: is damaged (it has no end)`;
    const { code, stdout, stderr } = await world.run(['outbox']);
    expect({ code, first: stdout.split('\n')[0], stderr }).toEqual({
      code: 0,
      first: `${idOf(0)}\t\t\t\t\t\t${damaged}`,
      stderr: '',
    });
    expect(jsonLines((await world.run(['outbox', '-o', 'json'])).stdout)[0]).toEqual({
      id: idOf(0),
      damaged,
    });
    expect(await world.run(['outbox', '--context', 'work'])).toEqual({
      code: 0,
      stdout: '',
      stderr: '2 entries of other servers or contexts: see chat context, and --context\n',
    });
  });

  it('of nobody is empty', async () => {
    const world = await outboxWorld();
    expect(await world.run(['outbox'])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await world.run(['outbox', 'send'])).toEqual({
      code: 0,
      stdout: '',
      stderr: 'the outbox is empty\n',
    });
  });
});

describe('chat outbox send', () => {
  it('sends all in order and prints each, also as objects', async () => {
    const world = await outboxWorld();
    await world.keep('one', 'two');
    world.away = gone;
    await world.run(['send', '--lines', '--outbox', '#bob'], { stdin: 'a\nb\n' });
    world.away = undefined;
    const { code, stdout, stderr } = await world.run(['outbox', 'send', '-o', 'json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'sent 4 messages\n' });
    const last = (seq: number) => ({ id: `message-${seq}`, seq, sent_at: '2026-11-21T06:00:00.000Z' });
    expect(jsonLines(stdout)).toEqual([
      { id: idOf(0), to: '#lobby', kind: 'message', count: 1, last: last(1) },
      { id: idOf(1), to: '#lobby', kind: 'message', count: 1, last: last(2) },
      { id: idOf(2), to: '#bob', kind: 'lines', count: 2, last: last(4) },
    ]);
    await world.keep('three');
    expect((await world.run(['outbox', 'send'])).stdout).toBe(`${idOf(0)}\t#lobby\tthree\n`);
  });

  it('asks again for what was refused before', async () => {
    const world = await outboxWorld();
    await world.keep('one', 'two');
    world.refuse = ({ text }) => (text === 'one' ? new ChatError('forbidden', 'join first') : undefined);
    const stays = `chat: ${idOf(0)} stays: join first; chat outbox lists it, chat outbox rm drops it\n`;
    expect(await world.run(['outbox', 'send'])).toMatchObject({
      code: 5,
      stderr: `sent 1 message\n${stays}`,
    });
    expect((await world.run(['outbox'])).stdout).toMatch(/\tone\trefused: join first\n$/);
    expect(await world.run(['outbox', 'send', '-q'])).toMatchObject({ code: 5, stderr: stays });
    world.refuse = () => undefined;
    expect(await world.run(['outbox', 'send'])).toMatchObject({ code: 0, stderr: 'sent 1 message\n' });
    expect(await world.files()).toEqual([]);
  });

  it('leaves what makes the server fail, and sends the others; the code is that of the first', async () => {
    const world = await outboxWorld();
    await world.keep('one', 'two', 'three', 'four');
    world.refuse = ({ text }) => {
      if (text === 'one') return new ChatError('internal', 'a bug');
      return text === 'three' ? new ChatError('not-found', 'no such room') : undefined;
    };
    expect(await world.run(['outbox', 'send'])).toMatchObject({
      code: 1,
      stderr: `${idOf(2)} stays: no such room\nsent 2 messages\nchat: ${idOf(0)} stays: a bug (and 1 more); chat outbox lists it, chat outbox rm drops it\n`,
    });
    expect(world.stored.map(({ text }) => text)).toEqual(['two', 'four']);
  });

  it('goes on in the middle of lines', async () => {
    const world = await outboxWorld();
    world.away = gone;
    await world.run(['send', '--lines', '--outbox', '--key', 'K'], { stdin: 'a\nb\nc\nd\n' });
    world.away = undefined;
    // One at a time, so that it is known what was asked when it ends.
    const { lazyClientLibrary } = await import('../../src/cli/client-library.ts');
    const client = {
      sendMany: (options: Parameters<typeof lazyClientLibrary.sendMany>[0]) =>
        lazyClientLibrary.sendMany({ ...options, window: 1 }),
    };
    world.refuse = ({ text }) => (text === 'c' ? new ChatError('forbidden', 'join first') : undefined);
    expect(await world.run(['outbox', 'send'], { client })).toMatchObject({ code: 5 });
    expect((await world.run(['outbox'])).stdout).toContain('\t2 of 4 lines\ta\trefused: join first\n');
    world.refuse = () => undefined;
    world.asked.length = 0;
    expect(await world.run(['outbox', 'send'], { client })).toMatchObject({
      code: 0,
      stderr: 'sent 2 messages\n',
    });
    expect(world.asked).toEqual(['K.3', 'K.4']);
    expect(world.stored.map(({ text }) => text)).toEqual(['a', 'b', 'c', 'd']);
  });

  it.each<[ErrorCode, number]>([
    ['unavailable', 3],
    ['unauthenticated', 4],
    ['untrusted', 9],
    ['invalid', 2],
  ])('ends when the way there fails with %s: nothing of it is the fault of an entry', async (code, exit) => {
    const world = await outboxWorld();
    await world.keep('one', 'two');
    world.away = new ChatError(code, 'the way');
    expect(await world.run(['outbox', 'send'])).toEqual({
      code: exit,
      stdout: '',
      stderr: 'sent 0 messages\nchat: the way\n',
    });
    expect(jsonLines((await world.run(['outbox', '-o', 'json'])).stdout)).toMatchObject([
      { refused: null },
      { refused: null },
    ]);
  });

  it('sends nothing as somebody else, who has logged in meanwhile', async () => {
    const world = await outboxWorld();
    await world.keep('one');
    world.username = 'bob';
    expect(await world.run(['outbox', 'send'])).toMatchObject({
      code: 4,
      stderr:
        "sent 0 messages\nchat: logged in as bob by now, and what is kept is alice's; log in with: chat login alice\n",
    });
    expect(world.stored).toEqual([]);
  });

  it('--wait tries again what ended it, but not what was refused', async () => {
    const world = await outboxWorld();
    await world.keep('one', 'two');
    world.refuse = ({ text }) => (text === 'one' ? new ChatError('forbidden', 'join first') : undefined);
    const { lazyClientLibrary } = await import('../../src/cli/client-library.ts');
    let failures = 1;
    const client = {
      async sendMany(options: Parameters<typeof lazyClientLibrary.sendMany>[0]) {
        // After the first entry was refused.
        if (world.asked.length > 0 && failures-- > 0) throw gone;
        return await lazyClientLibrary.sendMany(options);
      },
    };
    expect(await world.run(['outbox', 'send', '--wait'], { client })).toMatchObject({
      code: 5,
      stderr: `sent 1 message\nchat: ${idOf(0)} stays: join first; chat outbox lists it, chat outbox rm drops it\n`,
    });
    expect(world.asked).toHaveLength(2);
    expect(failures).toBeLessThan(1);
  });

  it('says which process sends already: exit 7', async () => {
    const world = await outboxWorld();
    await world.keep('one');
    const lock = await holdOutbox(world);
    for (const argv of [
      ['outbox', 'send', ...soon],
      ['outbox', 'rm', '--all'],
    ]) {
      expect(await world.run(argv)).toEqual({
        code: 7,
        stdout: '',
        stderr: `chat: process ${process.pid} on elsewhere is sending from the outbox; wait for it, or end it\n`,
      });
    }
    await lock.release();
    expect(await world.run(['outbox', 'send'])).toMatchObject({ code: 0 });
  });

  it('shows a person how far it is', async () => {
    const world = await outboxWorld();
    world.away = gone;
    await world.run(['send', '--lines', '--outbox'], { stdin: 'a\nb\n' });
    world.away = undefined;
    const { stderr } = await world.run(['outbox', 'send'], { terminal: true });
    expect(stderr).toContain(`\r\u001b[K${idOf(0)}: 1 sent, 50 %`);
  });

  it.each([[['--wait', '--timeout', '3']], [['hello']], [['--all']]])('with %j is exit 2', async (argv) => {
    expect(await (await outboxWorld()).run(['outbox', 'send', ...argv])).toMatchObject({ code: 2 });
  });
});

describe('chat outbox rm', () => {
  it('drops entries by id, or all; damaged ones too', async () => {
    const world = await outboxWorld();
    await world.keep('one', 'two', 'three', 'four');
    await writeFile(pathOf(world, 1), 'x');
    expect(await world.run(['outbox', 'rm', idOf(0), idOf(1), idOf(0)])).toEqual({
      code: 0,
      stdout: '',
      stderr: 'dropped 2 entries\n',
    });
    expect(await world.files()).toEqual([2, 3].map((n) => `${idOf(n)}.jsonl`));
    expect(await world.run(['outbox', 'rm', '--all', '-o', 'json', '-q'])).toEqual({
      code: 0,
      stdout: `{"dropped":["${idOf(2)}","${idOf(3)}"]}\n`,
      stderr: '',
    });
    expect(await world.files()).toEqual([]);
    expect(await world.run(['outbox', 'rm', '--all'])).toMatchObject({
      code: 0,
      stderr: 'dropped 0 entries\n',
    });
  });

  it('drops nothing when one of the ids is unknown: exit 6', async () => {
    const world = await outboxWorld();
    await world.keep('one');
    for (const unknown of ['abcdefgh', '../x', 'sending.lock']) {
      expect(await world.run(['outbox', 'rm', idOf(0), unknown])).toEqual({
        code: 6,
        stdout: '',
        stderr: `chat: there is no "${unknown}" in the outbox (see chat outbox); nothing was dropped\n`,
      });
    }
    expect(await readFile(pathOf(world, 0), 'utf8')).toContain('one');
  });

  it.each([[[]], [['--all', 'abcdefgh']]])('with %j is exit 2', async (argv) => {
    expect(await (await outboxWorld()).run(['outbox', 'rm', ...argv])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'chat: chat outbox rm needs the ID of an entry (see chat outbox), or --all, not both\n',
    });
  });
});
