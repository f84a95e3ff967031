import { describe, expect, it } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { loggedIn as loggedInWith } from './support/logged-in.ts';

const id = (seq: number): string => `01a1fe49-a9c4-7454-9e2c-${String(seq).padStart(12, '0')}`;
const match = (seq: number, to = '#ops', text = `green ${seq}`) => ({
  to,
  seq,
  id: id(seq),
  sender: 'bob',
  sent_at: '2026-11-21T09:30:00.000Z',
  text,
});

const loggedIn = (answers: Parameters<typeof loggedInWith>[0]) =>
  loggedInWith({ 'conversation.list': { conversations: [] }, ...answers });
/** What was asked of the server's own search. */
const searches = ({ server }: Awaited<ReturnType<typeof loggedIn>>) =>
  server.calls.filter(({ name }) => name === 'message.search');

describe('chat search', () => {
  it('prints lines as tail does, newest first, each with its conversation', async () => {
    const world = await loggedIn({
      'message.search': {
        messages: [match(2, '@bob', 'green\u001b[2J'), match(1)],
        next: null,
        complete: true,
      },
    });
    expect(await world.run('search', 'green', '"the build"')).toEqual({
      code: 0,
      stdout:
        '2026-11-21 09:30:00 bob: @alice [clear] green\\x1b[2J\n2026-11-21 09:30:00 #ops bob: green 1\n',
      stderr: '',
    });
    expect(searches(world)).toEqual([
      { name: 'message.search', params: { q: 'green "the build"', limit: 20 } },
    ]);
  });

  it('in one conversation leaves its name out of the lines', async () => {
    const world = await loggedIn({ 'message.search': { messages: [match(1)], next: null, complete: true } });
    expect((await world.run('search', 'green', '--in', '#OPS')).stdout).toBe(
      '2026-11-21 09:30:00 bob: green 1\n',
    );
    expect(world.server.calls[0]?.params).toEqual({ q: 'green', to: '#ops', limit: 20 });
  });

  it('prints objects with -o json', async () => {
    const world = await loggedIn({ 'message.search': { messages: [match(1)], next: null, complete: true } });
    expect((await world.run('search', 'green', '-o', 'json')).stdout).toBe(`${JSON.stringify(match(1))}\n`);
  });

  it('asks page after page until it has as many as -n, or all', async () => {
    const paged = () =>
      loggedIn({
        'message.search': ({ before, limit }) => {
          const from = before === undefined ? 250 : Number(String(before).slice(-12)) - 1;
          const messages = Array.from({ length: Math.min(Number(limit), from) }, (_, i) => match(from - i));
          const last = messages.at(-1);
          return { messages, next: last && last.seq > 1 ? last.id : null, complete: true };
        },
      });
    const some = await paged();
    expect((await some.run('search', 'green', '-n', '120')).stdout.trimEnd().split('\n')).toHaveLength(120);
    expect(searches(some).map(({ params }) => params)).toEqual([
      { q: 'green', limit: 100 },
      { q: 'green', before: id(151), limit: 20 },
    ]);
    const all = await paged();
    expect((await all.run('search', 'green', '-n', '1000')).stdout.trimEnd().split('\n')).toHaveLength(250);
  });

  it('that finds nothing is exit 6 and says so, also when the index is not complete', async () => {
    const none = { messages: [], next: null, complete: true };
    const world = await loggedIn({ 'message.search': none });
    expect(await world.run('search', 'green')).toEqual({ code: 6, stdout: '', stderr: 'nothing found\n' });
    expect(await world.run('search', 'green', '-q')).toEqual({ code: 6, stdout: '', stderr: '' });
    const early = await loggedIn({ 'message.search': { ...none, complete: false } });
    expect((await early.run('search', 'green')).stderr).toBe(
      'the server has not indexed everything yet: there may be more\nnothing found\n',
    );
  });

  it('says that encrypted messages were not searched on a machine without keys, and only where there may be some', async () => {
    const conversations = [{ to: '@bob', last_seq: 3, read_seq: 3 }];
    const none = { messages: [], next: null, complete: true };
    const world = await loggedIn({ 'message.search': none, 'conversation.list': { conversations } });
    const note =
      'encrypted messages were not searched: this machine has no keys of this account: chat keys restore brings them (in a script: --recovery-file FILE)\n';
    expect(await world.run('search', 'green')).toEqual({
      code: 6,
      stdout: '',
      stderr: `${note}nothing found\n`,
    });
    expect((await world.run('search', 'green', '--in', '@bob')).stderr).toContain(note);
    for (const to of ['#ops', '@carol'])
      expect((await world.run('search', 'green', '--in', to)).stderr).toBe('nothing found\n');
  });

  it('passes on what the server refuses, and refuses what cannot be', async () => {
    const error = new ChatError('invalid', 'a quoted phrase has no end: close it with another "', {
      field: 'q',
    });
    const world = await loggedIn({ 'message.search': error });
    expect(await world.run('search', '"green')).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${error.message}\n`,
    });
    expect(await world.run('search')).toMatchObject({ code: 2, stderr: 'chat: chat search needs WORD\n' });
    expect(await world.run('search', 'x', '--in', 'ops')).toMatchObject({ code: 2 });
    expect(await world.run('search', 'x', '-n', '0')).toMatchObject({ code: 2 });
  });

  it.each([
    [{ messages: [], next: 'more', complete: true }],
    [{ messages: [{ ...match(1), seq: 'one' }], next: null, complete: true }],
    [{ messages: 7, next: null }],
  ])('believes no server that answers %j', async (answer) => {
    const { run } = await loggedIn({ 'message.search': answer as never });
    expect(await run('search', 'green')).toMatchObject({ code: 3, stdout: '' });
  });
});
