import { chmod, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type CursorOwner, cursorPath, openCursor, saveAfterMs } from '../../src/cli/durable-cursor.ts';
import { staleLockMs } from '../../src/cli/file-lock.ts';
import { type FakeHost, fakeHost } from './support/fake-host.ts';

const owner: CursorOwner = {
  server: { scheme: 'chat', host: '127.0.0.1', port: 8080 },
  context: 'default',
  username: 'alice',
  userId: 'id-of-alice',
};

/** Waits for what the file system does in its own time. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { interval: 1, timeout: 60_000 });

async function open(host: FakeHost, onFailure: () => void = () => {}, who: Partial<CursorOwner> = {}) {
  const cursor = await openCursor(host, { ...owner, ...who }, 'bot', onFailure);
  onTestFinished(() => cursor.close().catch(() => {}));
  return cursor;
}

const saved = async (path: string) => JSON.parse(await readFile(path, 'utf8'));
const entries = (cursor: { readonly positions: ReadonlyMap<string, number> }) =>
  Object.fromEntries(cursor.positions);

/** A host with a cursor's file of this content. */
async function hostWith(content: string): Promise<{ host: FakeHost; path: string }> {
  const host = await fakeHost();
  const path = cursorPath(host, owner, 'bot');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, content, { mode: 0o600 });
  return { host, path };
}

describe('the file of a cursor', () => {
  it('is one for each server, context, account and name', async () => {
    const host = await fakeHost();
    const paths = [
      cursorPath(host, owner, 'bot'),
      cursorPath(host, { ...owner, server: { ...owner.server, port: 8081 } }, 'bot'),
      cursorPath(host, { ...owner, server: { ...owner.server, scheme: 'plain' } }, 'bot'),
      cursorPath(host, { ...owner, server: { ...owner.server, host: '::1' } }, 'bot'),
      cursorPath(host, { ...owner, context: 'other' }, 'bot'),
      cursorPath(host, { ...owner, username: 'bob' }, 'bot'),
      cursorPath(host, owner, 'bot2'),
    ];
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths[0]).toBe(
      join(host.stateHome, 'chat', 'cursors', 'bot@alice@default@chat_127.0.0.1_8080.json'),
    );
  });

  it('is not shared by parts that look alike when they are joined', async () => {
    const host = await fakeHost();
    expect(cursorPath(host, { ...owner, username: 'a.b' }, 'c')).not.toBe(
      cursorPath(host, { ...owner, username: 'a' }, 'b.c'),
    );
  });
});

describe('a cursor', () => {
  it('is empty at first, and the next process finds what was moved', async () => {
    const host = await fakeHost();
    const first = await open(host);
    expect({ positions: entries(first), coversAll: first.coversAll }).toEqual({
      positions: {},
      coversAll: false,
    });
    first.begin(
      new Map([
        ['#ops', 0],
        ['@bob', 7],
      ]),
      true,
    );
    first.move('#ops', 3);
    await first.close();
    const second = await open(host);
    expect({ positions: entries(second), coversAll: second.coversAll }).toEqual({
      positions: { '#ops': 3, '@bob': 7 },
      coversAll: true,
    });
    expect((await readdir(dirname(first.path))).sort()).toEqual([
      basename(first.path),
      `${basename(first.path)}.lock`,
    ]);
  });

  it('never moves back, nor begins again what it knows', async () => {
    const host = await fakeHost();
    const cursor = await open(host);
    cursor.move('#ops', 5);
    cursor.move('#ops', 4);
    cursor.begin(
      new Map([
        ['#ops', 9],
        ['#lobby', 2],
      ]),
      false,
    );
    await cursor.close();
    expect(await saved(cursor.path)).toEqual({
      user_id: 'id-of-alice',
      all: false,
      positions: { '#lobby': 2, '#ops': 5 },
    });
  });

  it('covers all for ever once it did', async () => {
    const host = await fakeHost();
    const cursor = await open(host);
    cursor.begin(new Map(), true);
    cursor.begin(new Map(), false);
    await cursor.close();
    expect(await saved(cursor.path)).toMatchObject({ all: true });
  });

  it('writes no file when nothing was moved', async () => {
    const host = await fakeHost();
    const cursor = await open(host);
    await cursor.close();
    expect(await readdir(dirname(cursor.path))).toEqual([]);
  });

  it('does not move after it was closed', async () => {
    const host = await fakeHost();
    const cursor = await open(host);
    cursor.move('#ops', 1);
    await cursor.close();
    cursor.move('#ops', 2);
    cursor.begin(new Map([['#lobby', 1]]), true);
    await cursor.save();
    expect(await saved(cursor.path)).toMatchObject({ all: false, positions: { '#ops': 1 } });
  });

  it('saved several times at once says what was moved before each', async () => {
    const host = await fakeHost();
    const cursor = await open(host);
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        cursor.move('#ops', index + 1);
        await cursor.save();
        expect((await saved(cursor.path)).positions['#ops']).toBeGreaterThanOrEqual(index + 1);
      }),
    );
  });

  it('is for one process at a time: the next is told who has it and what to do', async () => {
    const host = await fakeHost();
    const first = await open(host);
    await expect(open(host)).rejects.toMatchObject({
      code: 'conflict',
      message: `--durable bot is in use by process ${process.pid} (${first.path}.lock): end that one, or take another name`,
    });
    await open(host, () => {}, { username: 'bob', userId: 'id-of-bob' });
  });

  it('removes what killed processes left half written, and what is not its own stays', async () => {
    const { host, path } = await hostWith('{"user_id":"id-of-alice","all":false,"positions":{}}');
    const old = new Date(Date.now() - staleLockMs - 1_000);
    const leftovers = [`${path}.1.tmp`, `${path}.lock.2.tmp`];
    for (const leftover of leftovers) {
      await writeFile(leftover, '');
      await utimes(leftover, old, old);
    }
    const kept = [`${path}.lock.3.tmp`, join(dirname(path), 'other@alice@default@x.json.4.tmp')];
    for (const other of kept) await writeFile(other, '');
    await open(host);
    const there = await readdir(dirname(path));
    expect(there.sort()).toEqual([path, `${path}.lock`, ...kept].map((one) => basename(one)).sort());
  });
});

describe('a cursor that cannot be used', () => {
  const good = { user_id: 'id-of-alice', all: false, positions: { '#ops': 3 } };
  const remedy = 'move it away, and the next run begins as a first one does (-n, --since)';

  it.each<[string, string, string]>([
    ['is cut off', '{"user_id":"id-', 'is damaged (not JSON)'],
    ['is empty', '', 'is damaged (not JSON)'],
    ['is a list', '[]', 'is damaged (not a cursor)'],
    ['is null', 'null', 'is damaged (not a cursor)'],
    ['has no account', JSON.stringify({ ...good, user_id: undefined }), 'is damaged (not a cursor)'],
    ['has no word on all', JSON.stringify({ ...good, all: 1 }), 'is damaged (not a cursor)'],
    ['has no positions', JSON.stringify({ ...good, positions: null }), 'is damaged (not a cursor)'],
    ['has a list of positions', JSON.stringify({ ...good, positions: [3] }), 'is damaged (not a cursor)'],
    [
      'has a position below 0',
      JSON.stringify({ ...good, positions: { '#ops': -1 } }),
      'is damaged (not a cursor)',
    ],
    [
      'has half a position',
      JSON.stringify({ ...good, positions: { '#ops': 1.5 } }),
      'is damaged (not a cursor)',
    ],
    [
      'has a position in no conversation',
      JSON.stringify({ ...good, positions: { ops: 1 } }),
      'is damaged (not a cursor)',
    ],
    [
      'is of another account',
      JSON.stringify({ ...good, user_id: 'other' }),
      'belongs to another account, which had the same name',
    ],
  ])(
    'because it %s is refused, with its name and what to do, and is left free',
    async (_what, content, problem) => {
      const { host, path } = await hostWith(content);
      await expect(open(host)).rejects.toMatchObject({
        code: 'invalid',
        message: `${path}: ${problem}; ${remedy}`,
      });
      expect(await readFile(path, 'utf8')).toBe(content);
      await writeFile(path, JSON.stringify(good));
      expect(entries(await open(host))).toEqual({ '#ops': 3 });
    },
  );

  it('because others can read it is refused', async () => {
    const { host, path } = await hostWith(JSON.stringify(good));
    await chmod(path, 0o644);
    await expect(open(host)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('can be read by other users'),
    });
  });

  it('because it can no longer be written is told at once and thrown at the end, and is not tried again', async () => {
    const host = await fakeHost();
    let failures = 0;
    const cursor = await open(host, () => {
      failures += 1;
    });
    await mkdir(cursor.path);
    cursor.move('#ops', 1);
    const failure = { code: 'invalid', message: `${cursor.path}: cannot write it (EISDIR)` };
    await expect(cursor.save()).rejects.toMatchObject(failure);
    await rm(cursor.path, { recursive: true });
    cursor.move('#ops', 2);
    await expect(cursor.save()).rejects.toMatchObject(failure);
    await expect(cursor.close()).rejects.toMatchObject(failure);
    expect(failures).toBe(1);
    await open(host);
  });

  it('because another process took it meanwhile is not written', async () => {
    const host = await fakeHost();
    const cursor = await open(host);
    await writeFile(`${cursor.path}.lock`, JSON.stringify({ pid: 7, host: 'elsewhere', nonce: 'x' }));
    cursor.move('#ops', 1);
    await expect(cursor.close()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('in use by process 7 on elsewhere'),
    });
    expect(await readdir(dirname(cursor.path))).toEqual([`${basename(cursor.path)}.lock`]);
  });
});

describe('a cursor that is idle', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('finds that another process took it, too', async () => {
    const host = await fakeHost();
    let failures = 0;
    const cursor = await open(host, () => {
      failures += 1;
    });
    await writeFile(`${cursor.path}.lock`, JSON.stringify({ pid: 7, host: 'elsewhere', nonce: 'x' }));
    vi.advanceTimersByTime(staleLockMs / 3);
    await eventually(() => expect(failures).toBe(1));
    await expect(cursor.close()).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('the moves of a moment', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const settled = async (path: string) =>
    await eventually(() => saved(path)).then(({ positions }) => positions);

  it('are written together, no later than it after the first, and also when more come all the time', async () => {
    const host = await fakeHost();
    const cursor = await open(host);
    for (let seq = 1; seq <= 10; seq++) {
      cursor.move('#ops', seq);
      vi.advanceTimersByTime(saveAfterMs / 10 - 1);
    }
    expect(await readdir(dirname(cursor.path))).toEqual([`${basename(cursor.path)}.lock`]);
    vi.advanceTimersByTime(10);
    expect(await settled(cursor.path)).toEqual({ '#ops': 10 });
  });

  it('that come while a write is under way are written after it', async () => {
    const host = await fakeHost();
    const cursor = await open(host);
    cursor.move('#ops', 1);
    vi.advanceTimersByTime(saveAfterMs);
    cursor.move('#ops', 2);
    // Its time is over before the first write is.
    vi.advanceTimersByTime(saveAfterMs);
    expect(await settled(cursor.path)).toEqual({ '#ops': 1 });
    await eventually(() => expect(vi.getTimerCount()).toBe(1));
    vi.advanceTimersByTime(saveAfterMs);
    await eventually(async () => expect(await settled(cursor.path)).toEqual({ '#ops': 2 }));
  });
});
