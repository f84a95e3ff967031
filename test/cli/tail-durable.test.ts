import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { ClientLibrary } from '../../src/cli/client-library.ts';
import { BrokenPipe } from '../../src/cli/host.ts';
import { run } from '../../src/cli/main.ts';
import type { WireMessage } from '../../src/client/connection.ts';
import { ChatError } from '../../src/core/errors.ts';
import { message } from './support/fake-client.ts';
import { type FollowOptions, following } from './support/following.ts';
import { loggedIn } from './support/logged-in.ts';

/** What the server has: so many messages in each conversation. */
const listOf = (conversations: Readonly<Record<string, number>>) => ({
  'conversation.list': {
    conversations: Object.entries(conversations).map(([to, last_seq]) => ({ to, last_seq, read_seq: 0 })),
  },
});

/** A world for runs of `tail --durable bot`, one after the other, whose server does something new each time. */
async function world(conversations: Readonly<Record<string, number>> = { '#lobby': 99, '@sam': 99 }) {
  const client: { -readonly [Name in keyof ClientLibrary]?: ClientLibrary[Name] } = {};
  const { host, server, run: runIt } = await loggedIn(listOf(conversations));
  Object.assign(host.client, { follow: (options: FollowOptions) => client.follow?.(options) });
  const directory = join(host.stateHome, 'chat', 'cursors');
  const path = join(directory, 'bot@alice@default@chat_127.0.0.1_8080.json');
  return {
    host,
    server,
    path,
    directory,
    run: (next: Partial<ClientLibrary>, ...argv: string[]) => {
      Object.assign(client, next);
      return runIt('tail', '--durable', 'bot', ...argv);
    },
    async saved(): Promise<{ all: boolean; positions: Record<string, number> }> {
      const { all, positions } = JSON.parse(await readFile(path, 'utf8'));
      return { all, positions };
    },
    async save(positions: object, all = false) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const text = JSON.stringify({ user_id: 'id-of-alice', all, positions });
      await writeFile(path, text, { mode: 0o600 });
    },
  };
}

const lobby = [1, 2, 3].map((seq) => message(seq));

describe('the first run of tail --durable', () => {
  it.each<[string[], object]>([
    [[], { last: 10 }],
    [['-n', '0'], { last: 0 }],
    [['--since', 'all'], { since: '1970-01-01T00:00:00.000Z' }],
  ])('begins as one without it does: %j', async (argv, from) => {
    const { run: tail } = await world();
    const seen: FollowOptions[] = [];
    expect((await tail(following(lobby, { seen }), ...argv, '--count', '1')).code).toBe(0);
    expect(seen).toMatchObject([{ targets: [], from, cursors: new Map(), wholeLater: true }]);
  });

  it('remembers where it began, though nothing came', async () => {
    const { run: tail, saved, host } = await world();
    const starts = new Map([
      ['#lobby', 7],
      ['@sam', 0],
    ]);
    const running = tail(following([], { starts }), '-n', '0', '--verbose');
    await eventually(() => expect(host.stderr.text).toBe('following\n'));
    // Whoever was told that it follows misses nothing from now on, whatever ends it.
    expect(await saved()).toEqual({ all: true, positions: { '#lobby': 7, '@sam': 0 } });
    host.signal('SIGTERM');
    expect(await running).toMatchObject({ code: 143, stdout: '' });
  });
});

/** Waits for what another part of the program does in its own time. */
const eventually = (check: () => unknown) => vi.waitFor(check, { interval: 1, timeout: 60_000 });

describe('a later run of tail --durable', () => {
  it('goes on after what was handed over, and leaves nothing but its file', async () => {
    const { run: tail, saved, directory } = await world();
    const seen: FollowOptions[] = [];
    await tail(following(lobby, { starts: new Map([['#lobby', 0]]) }), '#lobby', '--count', '2');
    expect(await saved()).toEqual({ all: false, positions: { '#lobby': 2 } });
    await tail(following(lobby.slice(2), { seen }), '#lobby', '-n', '5', '--count', '1');
    expect(seen).toMatchObject([{ from: { last: 5 }, cursors: new Map([['#lobby', 2]]) }]);
    expect(await saved()).toEqual({ all: false, positions: { '#lobby': 3 } });
    expect(await readdir(directory)).toEqual(['bot@alice@default@chat_127.0.0.1_8080.json']);
  });

  it('of named conversations begins a new name as told', async () => {
    const { run: tail, saved } = await world();
    const seen: FollowOptions[] = [];
    await tail(following(lobby, { starts: new Map([['#lobby', 0]]) }), '#lobby', '--count', '1');
    const sam = message(9, { to: '@sam' });
    await tail(
      following([sam], { seen, starts: new Map([['@sam', 8]]) }),
      '#lobby',
      '@sam',
      '-n',
      '1',
      '--count',
      '1',
    );
    expect(seen).toMatchObject([{ targets: ['#lobby', '@sam'], from: { last: 1 } }]);
    expect(await saved()).toEqual({ all: false, positions: { '#lobby': 1, '@sam': 9 } });
  });

  it('of everything, after one of a few, begins the others as told', async () => {
    const { run: tail, save } = await world();
    await save({ '#lobby': 1 });
    const seen: FollowOptions[] = [];
    await tail(following(lobby, { seen }), '-n', '0', '--count', '1');
    expect(seen).toMatchObject([{ from: { last: 0 }, cursors: new Map([['#lobby', 1]]) }]);
  });

  it('of everything, after one of everything, begins what it does not know from its start', async () => {
    const { run: tail, save } = await world();
    await save({ '#lobby': 1 }, true);
    for (const [targets, argv] of [
      [[], ['-n', '0']],
      [['@sam'], ['@sam', '-n', '0']],
    ] as const) {
      const seen: FollowOptions[] = [];
      await tail(following(lobby, { seen }), ...argv, '--count', '1');
      expect(seen).toMatchObject([{ targets, from: { since: '1970-01-01T00:00:00.000Z' } }]);
    }
  });

  it('is refused when the server knows less than the cursor, of what is asked for', async () => {
    const { run: tail, save, path, server } = await world({ '#lobby': 4, '@sam': 9 });
    await save({ '#lobby': 5, '@sam': 9, '#left': 3 });
    expect(await tail(following(lobby))).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${path}: stands at message 5 of #lobby, and the server has 4: it has lost some, or is another one; move the file away to begin anew (-n, --since)\n`,
    });
    expect(server.closed).toBe(server.opened);
    expect((await tail(following([message(10, { to: '@sam' })]), '@sam', '--count', '1')).code).toBe(0);
  });

  it('is refused by a damaged file: exit 2', async () => {
    const { run: tail, save, path, server } = await world();
    await save({});
    await writeFile(path, 'nonsense');
    expect(await tail(following(lobby))).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${path}: is damaged (not JSON); move it away, and the next run begins as a first one does (-n, --since)\n`,
    });
    expect(server.closed).toBe(server.opened);
  });

  it('is refused while another one has the name: exit 7', async () => {
    const { run: tail, host, path, directory } = await world();
    await mkdir(directory, { recursive: true });
    await writeFile(`${path}.lock`, JSON.stringify({ pid: process.ppid, host: host.hostName, nonce: 'x' }));
    expect(await tail(following(lobby), '-o', 'json')).toEqual({
      code: 7,
      stdout: '',
      stderr: `${JSON.stringify({
        error: {
          code: 'conflict',
          message: `--durable bot is in use by process ${process.ppid} (${path}.lock): end that one, or take another name`,
        },
      })}\n`,
    });
  });

  it('ends when somebody else is logged in at a new connection', async () => {
    const { run: tail, server } = await world();
    const client: Partial<ClientLibrary> = {
      async *follow({ open }) {
        await open();
        yield message(1);
        server.alive.set('cs1_first', 'mallory');
        await open();
        yield message(2);
      },
    };
    expect(await tail(client, '#lobby')).toMatchObject({
      code: 4,
      stdout: '2019-11-01 09:30:01 sam: message 1\n',
      stderr: "chat: logged in as mallory by now, and the cursor is alice's; log in with: chat login alice\n",
    });
    // The first one is the library's to close.
    expect([server.opened, server.closed]).toEqual([2, 1]);
  });
});

describe('the cursor of tail --durable', () => {
  it('moves over what is left out, in its turn', async () => {
    const { run: tail, saved } = await world();
    const messages = [message(1), message(2, { sender: 'alice' }), message(3, { sender: 'alice' })];
    const running = tail(following(messages), '#lobby', '--no-own', '--timeout', '0.2');
    expect((await running).stdout).toBe('2019-11-01 09:30:01 sam: message 1\n');
    expect(await saved()).toEqual({ all: false, positions: { '#lobby': 3 } });
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('is saved at %s, and the lock is gone', async (signal, exit) => {
    const { run: tail, saved, host, directory } = await world();
    const running = tail(following(lobby), '#lobby');
    await eventually(() => expect(host.stdout.text).toContain('message 3'));
    host.signal(signal);
    expect(await running).toMatchObject({ code: exit, stderr: '' });
    expect(await saved()).toMatchObject({ positions: { '#lobby': 3 } });
    expect(await readdir(directory)).toHaveLength(1);
  });

  it('is saved when it is idle for a moment, long before the end', async () => {
    const { run: tail, saved, host } = await world();
    const running = tail(following(lobby), '#lobby');
    await eventually(async () => expect((await saved()).positions).toEqual({ '#lobby': 3 }));
    host.signal('SIGTERM');
    await running;
  });

  it('is saved when following ends with an error', async () => {
    const { run: tail, saved } = await world();
    const client: Partial<ClientLibrary> = {
      async *follow({ open }) {
        await open();
        yield message(4);
        throw new ChatError('forbidden', 'no longer a member');
      },
    };
    expect(await tail(client, '#lobby')).toMatchObject({ code: 5, stderr: 'chat: no longer a member\n' });
    expect(await saved()).toMatchObject({ positions: { '#lobby': 4 } });
  });

  it('waits at the end for the last line to be accepted', async () => {
    const { host, saved } = await world();
    // Some turns later, as a pipe's reader would be.
    const flush = async () => {
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    };
    Object.assign(host.client, following(lobby));
    const argv = ['tail', '--durable', 'bot', '#lobby', '--count', '3'];
    expect(await run(argv, { ...host, stdout: { ...host.stdout, flush } })).toBe(0);
    expect(await saved()).toMatchObject({ positions: { '#lobby': 3 } });
  });

  it('does not pass what stdout has not accepted, when it blocks', async () => {
    const { host, saved, save } = await world();
    await save({ '#lobby': 0 });
    let writes = 0;
    const never = new Promise<void>(() => {});
    const stdout = {
      ...host.stdout,
      write: () => (++writes === 1 ? undefined : never),
      flush: () => (writes === 1 ? Promise.resolve() : never),
    };
    Object.assign(host.client, paced(lobby));
    const argv = ['tail', '--durable', 'bot', '#lobby', '--count', '3', '--timeout', '0.3'];
    expect(await run(argv, { ...host, stdout })).toBe(10);
    expect(writes).toBe(2);
    expect(await saved()).toMatchObject({ positions: { '#lobby': 1 } });
  });

  it('does not pass what stdout has not accepted, when its reader goes', async () => {
    const { host, saved } = await world();
    let writes = 0;
    const broken = () => Promise.reject(new BrokenPipe('gone'));
    const stdout = {
      ...host.stdout,
      write: () => (++writes === 2 ? broken() : undefined),
      flush: () => (writes < 2 ? Promise.resolve() : broken()),
    };
    Object.assign(host.client, paced(lobby));
    expect(await run(['tail', '--durable', 'bot', '#lobby'], { ...host, stdout })).toBe(0);
    expect(await saved()).toMatchObject({ positions: { '#lobby': 1 } });
  });

  it('belongs to lines that can be read: they do not go on where one was cut', async () => {
    const { host, run: tail } = await world();
    Object.assign(host.stdout, { isAmidLine: () => true });
    const whole = '2019-11-01 09:30:01 sam: message 1\n';
    expect((await tail(following(lobby), '#lobby', '--count', '1')).stdout).toBe(`\n${whole}`);
    expect((await tail(following(lobby), '#lobby', '--count', '1', '--exec', 'true')).stdout).toBe('');
  });

  it('that can no longer be written ends it: exit 2, and says why', async () => {
    const { run: tail, path } = await world();
    const client: Partial<ClientLibrary> = {
      async *follow({ open, signal }) {
        await open();
        await mkdir(path);
        yield message(1);
        await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
      },
    };
    expect(await tail(client, '#lobby')).toEqual({
      code: 2,
      stdout: '2019-11-01 09:30:01 sam: message 1\n',
      stderr: `chat: ${path}: cannot write it (EISDIR)\n`,
    });
  });
});

/** Each message a turn of the event loop after the one before was taken. */
function paced(messages: readonly WireMessage[]): Partial<ClientLibrary> {
  return {
    async *follow({ open }) {
      await open();
      for (const one of messages) {
        yield one;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

describe('tail --durable --once', () => {
  async function stored() {
    const there = await world({ '#lobby': 3, '@sam': 2 });
    const starts: [string, object][] = [];
    const all = [...lobby, message(1, { to: '@sam' }), message(2, { to: '@sam' })];
    const client: Partial<ClientLibrary> = {
      async *history({ to, from, onStart }) {
        starts.push([to, from]);
        const own = all.filter((one) => one.to === to);
        const end = own.length;
        const after = 'after' in from ? from.after : 'last' in from ? Math.max(0, end - from.last) : 0;
        onStart?.(after);
        yield* own.slice(after);
      },
    };
    Object.assign(there.host.client, client);
    const once = async (...argv: string[]) => {
      const { code, stdout, stderr } = await there.run({}, '--once', '-o', 'json', ...argv);
      const lines = stdout.split('\n').filter((line) => line !== '');
      return {
        code,
        stderr,
        seen: lines.map((line) => JSON.parse(line)).map(({ to, seq }) => `${to} ${seq}`),
      };
    };
    return { ...there, all, starts, once };
  }

  it('prints what is new since the last run, of everything, and what began since from its start', async () => {
    const { once, saved, all, server } = await stored();
    expect(await once('-n', '1')).toEqual({ code: 0, stderr: '', seen: ['@sam 2', '#lobby 3'] });
    expect(await saved()).toEqual({ all: true, positions: { '#lobby': 3, '@sam': 2 } });
    expect(await once('-n', '1')).toEqual({ code: 0, stderr: '', seen: [] });
    all.push(message(4), message(1, { to: '@carol' }), message(2, { to: '@carol' }));
    Object.assign(server.answers, listOf({ '#lobby': 4, '@sam': 2, '@carol': 2 }));
    expect((await once('-n', '1')).seen).toEqual(['@carol 1', '@carol 2', '#lobby 4']);
  });

  it('remembers where it began also when there was nothing to print', async () => {
    const { once, saved, starts } = await stored();
    await once('#lobby', '-n', '0');
    expect(await saved()).toEqual({ all: false, positions: { '#lobby': 3 } });
    await once('#lobby', '@sam', '-n', '1');
    expect(starts).toEqual([
      ['#lobby', { last: 0 }],
      ['#lobby', { after: 3 }],
      ['@sam', { last: 1 }],
    ]);
  });

  it('of nobody with a conversation has covered all', async () => {
    const { once, saved, server } = await stored();
    Object.assign(server.answers, listOf({}));
    expect(await once()).toEqual({ code: 0, stderr: '', seen: [] });
    expect(await saved()).toEqual({ all: true, positions: {} });
  });

  it('stops after --count, and goes on there', async () => {
    const { once } = await stored();
    expect((await once('#lobby', '--since', 'all', '--count', '2')).seen).toEqual(['#lobby 1', '#lobby 2']);
    expect((await once('#lobby', '--count', '2')).seen).toEqual(['#lobby 3']);
  });
});
