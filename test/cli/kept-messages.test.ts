import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../../src/cli/command.ts';
import { type KeptMessages, openKeptMessages, summary } from '../../src/cli/kept-messages.ts';
import { fakeHost } from './support/fake-host.ts';

async function opened(): Promise<KeptMessages> {
  const host = await fakeHost();
  const settings = { server: { scheme: 'chat', host: '127.0.0.1', port: 8080 }, context: 'default' };
  return openKeptMessages({ host, settings } as unknown as CommandContext);
}

const message = (n: number) => ({ key: `k.${n}`, text: `text ${n}` });

async function all(kept: KeptMessages, id: string) {
  const messages: object[] = [];
  for await (const found of kept.messages(id)) messages.push(found);
  return messages;
}

describe('messages that are kept', () => {
  it('come back as they were, in the order of keeping, whatever is in them', async () => {
    const kept = await opened();
    const odd = { key: 'k', text: 'a\nb\r\u2028\u2029\u0000\u001b[31m "\\ 😀' };
    const first = await kept.keep('alice', '#lobby', odd);
    const second = await kept.keep('alice', '@bob', message(2));
    expect(await kept.list()).toEqual({ entries: [first, second], damaged: [] });
    expect(await all(kept, first.id)).toEqual([odd]);
    expect(await summary(kept, second.id)).toEqual({ count: 1, first: 'text 2' });
  });

  it('are gone once removed, with what the server had said', async () => {
    const kept = await opened();
    const { id } = await kept.keep('alice', '#lobby', message(1));
    await kept.refuse(id, { code: 'forbidden', message: 'join the room first' });
    expect((await kept.list()).entries).toMatchObject([
      { id, refused: { code: 'forbidden', message: 'join the room first' } },
    ]);
    expect([await kept.remove(id), await kept.remove(id)]).toEqual([true, false]);
    expect(await readdir(kept.directory)).toEqual([]);
  });

  it('that are damaged are named, and hold up no other', async () => {
    const kept = await opened();
    const { id } = await kept.keep('alice', '#lobby', message(1));
    const other = '01a1fd82-0154-709b-ade2-b1d25f97ae35';
    const path = join(kept.directory, `${other}.jsonl`);
    for (const content of ['', 'x\n', '[]\n', '{"username":"alice","to":"lobby","kept_at":"now"}\n']) {
      await writeFile(path, content);
      const { entries, damaged } = await kept.list();
      expect(entries.map((entry) => entry.id)).toEqual([id]);
      expect(damaged).toMatchObject([{ id: other, problem: { code: 'invalid' } }]);
      expect(damaged[0]?.problem.message).toBe(
        `${path}: is damaged; see what is in it, then: chat outbox rm ID`,
      );
    }
    await appendFile(join(kept.directory, `${id}.jsonl`), '{"key":1}\n');
    await expect(all(kept, id)).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('a spool', () => {
  it('keeps what was not settled, as one entry', async () => {
    const kept = await opened();
    const spool = await kept.spool('alice', '#ops');
    for (const n of [1, 2, 3, 4]) await spool.add(message(n));
    await spool.settle(2);
    expect(await kept.list()).toEqual({ entries: [], damaged: [] });
    await spool.keep();
    expect((await kept.list()).entries).toMatchObject([{ id: spool.id, to: '#ops', username: 'alice' }]);
    expect(await all(kept, spool.id)).toEqual([message(3), message(4)]);
    expect(await readdir(kept.directory)).toEqual([`${spool.id}.jsonl`]);
  });

  it('leaves nothing when it is dropped', async () => {
    const kept = await opened();
    const spool = await kept.spool('alice', '#ops');
    await spool.add(message(1));
    await spool.drop();
    expect(await readdir(kept.directory)).toEqual([]);
  });

  it('does not grow while everything is settled', async () => {
    const kept = await opened();
    const spool = await kept.spool('alice', '#ops');
    const text = 'x'.repeat(10_000);
    const sizes: number[] = [];
    for (let n = 0; n < 500; n += 1) {
      await spool.add({ key: String(n), text });
      await spool.settle(1);
      const [name = ''] = (await readdir(kept.directory)).filter((file) => file.endsWith('.part'));
      sizes.push((await readFile(join(kept.directory, name))).length);
    }
    expect(Math.max(...sizes)).toBeLessThan(1_300_000);
    await spool.add({ key: 'last', text: 'last' });
    await spool.keep();
    expect(await all(kept, spool.id)).toEqual([{ key: 'last', text: 'last' }]);
  });

  it('of a writer that is gone becomes an entry, without the half of a line that it did not finish', async () => {
    const kept = await opened();
    const id = '01a1fd82-0154-709b-ade2-b1d25f97ae35';
    await kept.keep('alice', '#lobby', message(9));
    const header = '{"username":"alice","to":"#ops","kept_at":"2026-11-21T09:00:00.000Z"}\n';
    await writeFile(
      join(kept.directory, `${id}.part`),
      `${header}${JSON.stringify(message(1))}\n${JSON.stringify(message(2)).slice(0, 9)}`,
    );
    expect((await kept.list()).entries).toMatchObject([{ id }, {}]);
    expect(await all(kept, id)).toEqual([message(1)]);
  });
});

describe('the right to send', () => {
  it("is one process's at a time", async () => {
    const kept = await opened();
    await kept.sending(async () => {
      await expect(kept.sending(async () => {})).rejects.toMatchObject({
        code: 'unavailable',
        message: `process ${process.pid} is sending from the outbox (${join(kept.directory, 'sending.lock')})`,
      });
    });
    expect(await kept.sending(async () => 'free again')).toBe('free again');
  });
});
