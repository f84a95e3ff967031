import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../../../src/cli/command.ts';
import { countOthers, KeptMessages } from '../../../src/cli/outbox/kept-messages.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { fakeHost, testNow } from '../support/fake-host.ts';

const alice = { user_id: 'id-of-alice', username: 'alice' };
const busy = (who: string) => new ChatError('conflict', who);

async function outbox(context = 'default') {
  const host = await fakeHost();
  return at({ host }, context);
}

/** The outbox of a context, at a time. */
function at(of: { host: CommandContext['host'] }, context = 'default', now = testNow) {
  const host = { ...of.host, now: () => now };
  const server = { scheme: 'chat', host: '127.0.0.1', port: 8080 } as const;
  // The outbox needs no more of a command's context.
  const needed = { host, settings: { server, context } } as CommandContext;
  return { host, context: needed, kept: new KeptMessages(needed) };
}

async function keep({ kept }: ReturnType<typeof at>, ...texts: string[]): Promise<string> {
  const keeping = await kept.begin(alice, { kind: 'lines', to: '#lobby', key: 'K' });
  for (const [index, text] of texts.entries()) await keeping.add({ n: index + 1, text });
  return await keeping.keep();
}

/** The number of a process that has ended. */
async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version']);
  await once(child, 'exit');
  return Number(child.pid);
}

describe('kept messages', () => {
  it('are there in the order in which they were kept, whatever the clock says', async () => {
    const first = await outbox();
    const ids = [await keep(first, 'a'), await keep(first, 'b')];
    ids.push(await keep(at(first, 'default', testNow - 3_600_000), 'c'));
    ids.push(await keep(at(first, 'default', testNow + 3_600_000), 'd'));
    expect(await first.kept.ids()).toEqual(ids);
    const texts = await Promise.all(ids.map(async (id) => (await first.kept.read(id))?.first.text));
    expect(texts).toEqual(['a', 'b', 'c', 'd']);
  });

  it('that are kept at once all have places of their own', async () => {
    const one = await outbox();
    const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => keep(one, `text ${index}`)));
    expect(new Set(ids).size).toBe(20);
    expect((await one.kept.ids()).toSorted()).toEqual(ids.toSorted());
  });

  it('are for their owner alone', async () => {
    const one = await outbox();
    const id = await keep(one, 'a');
    await one.kept.note(id, { stored: 1, refused: undefined });
    expect((await stat(one.kept.directory)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(one.kept.directory))
      expect((await stat(join(one.kept.directory, name))).mode & 0o777).toBe(0o600);
  });

  it('are not there before they are whole, and leave nothing when they are given up', async () => {
    const one = await outbox();
    const keeping = await one.kept.begin(alice, { kind: 'message', to: '#lobby', key: 'K' });
    await keeping.add({ n: 1, text: 'a' });
    expect(await one.kept.ids()).toEqual([]);
    await keeping.abandon();
    expect(await readdir(one.kept.directory)).toEqual([]);
  });

  it('remember how far they are, and why they were refused', async () => {
    const one = await outbox();
    const id = await keep(one, 'a', 'b', 'c');
    expect(await one.kept.read(id)).toMatchObject({ count: 3, stored: 0, refused: undefined });
    const refused = { code: 'forbidden', message: 'join first' } as const;
    await one.kept.note(id, { stored: 2, refused });
    const entry = await one.kept.read(id);
    expect(entry).toMatchObject({ stored: 2, refused });
    if (entry === undefined) throw new Error('it is there');
    const left: string[] = [];
    for await (const { text } of one.kept.lines(entry)) left.push(text);
    expect(left).toEqual(['c']);
  });

  it.each([
    '',
    'x',
    '[]',
    'null',
    '{"stored":-1}',
    '{"stored":"1","refused":{"code":"no-code","message":"x"}}',
  ])('whose state is %j are as if they had none', async (state) => {
    const one = await outbox();
    const id = await keep(one, 'a');
    await writeFile(join(one.kept.directory, `${id}.state.json`), state, { mode: 0o600 });
    expect(await one.kept.read(id)).toMatchObject({ stored: 0, refused: undefined });
  });

  it('are gone with all that belongs to them', async () => {
    const one = await outbox();
    const id = await keep(one, 'a');
    await one.kept.note(id, { stored: 1, refused: undefined });
    expect(await one.kept.remove(id)).toBe(true);
    expect(await one.kept.remove(id)).toBe(false);
    expect(await one.kept.read(id)).toBeUndefined();
    expect(await readdir(one.kept.directory)).toEqual([]);
  });

  it('of another context or server are none of these, and are counted', async () => {
    const one = await outbox();
    const other = at(one, 'work');
    const id = await keep(one, 'a');
    expect(await other.kept.ids()).toEqual([]);
    expect([await countOthers(one.context, one.kept), await countOthers(other.context, other.kept)]).toEqual([
      0, 1,
    ]);
    await mkdir(other.kept.directory, { mode: 0o700 });
    const moved = join(other.kept.directory, `${id}.jsonl`);
    await writeFile(moved, await readFile(join(one.kept.directory, `${id}.jsonl`)), { mode: 0o600 });
    await expect(other.kept.read(id)).rejects.toMatchObject({
      code: 'invalid',
      message: `${moved}: belongs to chat://127.0.0.1:8080 (context default)`,
    });
  });

  it('need no lock when nothing was ever kept, and make no directory for one', async () => {
    const one = await outbox();
    expect(await one.kept.lock(busy)).toBeUndefined();
    await expect(stat(one.kept.directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('are freed of what killed processes have left by the next who has the lock, and of nothing else', async () => {
    const one = await outbox();
    const id = await keep(one, 'a');
    await one.kept.note(id, { stored: 0, refused: undefined });
    const uuid = '01a1fd8f-8de3-750f-b5a3-c220b878d450';
    const dead = await endedProcess();
    const old = new Date(Date.now() - 60_000);
    const leave = async (name: string, when = new Date()) => {
      const path = join(one.kept.directory, name);
      await writeFile(path, 'x', { mode: 0o600 });
      await utimes(path, when, when);
      return name;
    };
    for (const name of [
      `new.${dead}.test-machine.${uuid}.tmp`,
      `${id}.state.json.${uuid}.tmp`,
      'zzzzzzzz.state.json',
      `sending.lock.${dead}.test-machine.${uuid}.tmp`,
      `keeping.lock.${dead}.test-machine.${uuid}.tmp`,
    ])
      await leave(name);
    await leave(`sending.lock.7.elsewhere.${uuid}.tmp`, old);
    const staying = [
      await leave(`new.${process.pid}.test-machine.${uuid}.tmp`),
      await leave(`new.${dead}.elsewhere.${uuid}.tmp`),
      await leave(`keeping.lock.${process.pid}.test-machine.${uuid}.tmp`),
      await leave(`keeping.lock.7.elsewhere.${uuid}.tmp`),
      await leave('notes.txt', old),
      `${id}.jsonl`,
      `${id}.state.json`,
    ];
    const lock = await one.kept.lock(busy);
    await expect(one.kept.lock(busy)).rejects.toMatchObject({ code: 'conflict' });
    await lock?.release();
    expect((await readdir(one.kept.directory)).toSorted()).toEqual(staying.toSorted());
    expect(await one.kept.ids()).toEqual([id]);
  });
});
