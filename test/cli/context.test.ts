import { readdir, readFile, rename, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fakeClient, fakeServer } from './support/fake-client.ts';
import { type FakeHost, fakeHost, type Outside, runOn } from './support/fake-host.ts';

interface World {
  readonly host: FakeHost;
  run(...argv: string[]): ReturnType<typeof runOn>;
  contexts(): Promise<unknown>;
  logins(): Promise<string[]>;
}

async function world(outside: Outside = {}): Promise<World> {
  const host = await fakeHost({
    client: fakeClient(fakeServer({ 'account.me': { username: 'alice' }, 'session.end': {} })),
    ...outside,
    env: { CHAT_PASSWORD: 'secret', CHAT_TRUST: 'always', ...outside.env },
  });
  return {
    host,
    run: (...argv) => runOn(host, ...argv),
    contexts: async () =>
      JSON.parse(await readFile(join(host.stateHome, 'config', 'chat', 'contexts.json'), 'utf8')),
    logins: async () => (await readdir(join(host.stateHome, 'chat', 'logins'))).sort(),
  };
}

const work = 'chat://chat.example.org:8080';

describe('chat context', () => {
  it('shows the default when nothing was ever saved', async () => {
    const { run } = await world();
    const expected = { code: 0, stdout: 'default\tchat://127.0.0.1:8080\t-\tin use\n', stderr: '' };
    expect(await run('context')).toEqual(expected);
    expect(await run('context', 'ls')).toEqual(expected);
  });

  it('shows names, servers, who is logged in, and which one is in use', async () => {
    const { run } = await world();
    await run('context', 'save', 'work', '--server', 'chat.example.org');
    await run('login', 'bob', '--context', 'work');
    await run('login', 'alice');
    await run('login', 'carol', '--context', 'spare');
    expect((await run('context')).stdout.split('\n')).toEqual([
      `work\t${work}\tbob\t`,
      'default\tchat://127.0.0.1:8080\talice\tin use',
      'spare\tchat://127.0.0.1:8080\tcarol\t',
      '',
    ]);
    const lines = (await run('context', '-o', 'json', '--context', 'work')).stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { name: 'work', server: work, account: 'bob', selected: false, in_use: true, saved: true },
      {
        name: 'default',
        server: 'chat://127.0.0.1:8080',
        account: 'alice',
        selected: true,
        in_use: false,
        saved: false,
      },
      {
        name: 'spare',
        server: 'chat://127.0.0.1:8080',
        account: 'carol',
        selected: false,
        in_use: false,
        saved: false,
      },
    ]);
  });

  it('separates logins by name alone when it was never saved', async () => {
    const { run, logins } = await world();
    await run('login', 'alice', '--context', 'one');
    await run('login', 'bob', '--context', 'two');
    expect(await logins()).toEqual(['one.chat_127.0.0.1_8080.json', 'two.chat_127.0.0.1_8080.json']);
  });
});

describe('chat context save and select', () => {
  it('make a server the one of every command', async () => {
    const { run, contexts, logins } = await world();
    expect(await run('context', 'save', 'work', '--server', 'chat.example.org')).toEqual({
      code: 0,
      stdout: '',
      stderr: `context work is ${work}\n`,
    });
    expect(await run('context', 'select', 'work')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'context work is selected\n',
    });
    expect(await contexts()).toEqual({ selected: 'work', contexts: { work: { server: work } } });
    await run('login', 'alice');
    expect(await logins()).toEqual(['work.chat_chat.example.org_8080.json']);
    expect((await run('whoami')).stdout).toBe('alice\n');
    expect((await run('whoami', '--context', 'default')).code).toBe(4);
  });

  it('save the server that is in use, and say what it was before', async () => {
    const { run, contexts } = await world();
    await run('context', 'save', 'here');
    await run('context', 'save', 'here', '--server', 'plain://127.0.0.1:9');
    expect((await run('context', 'save', 'here', '--server', 'x:1')).stderr).toBe(
      'context here is chat://x:1 (before: plain://127.0.0.1:9)\n',
    );
    await run('context', 'save', 'copy', '--context', 'here');
    expect(await contexts()).toEqual({
      contexts: { copy: { server: 'chat://x:1' }, here: { server: 'chat://x:1' } },
    });
  });

  it('keep them for their owner alone, and replace no symbolic link', async () => {
    const { host, run } = await world();
    await run('context', 'save', 'work', '--server', 'x:1');
    const path = join(host.stateHome, 'config', 'chat', 'contexts.json');
    expect([(await stat(path)).mode & 0o777, (await stat(join(path, '..'))).mode & 0o777]).toEqual([
      0o600, 0o700,
    ]);
    await rename(path, `${path}.real`);
    await symlink(`${path}.real`, path);
    expect(await run('context', 'save', 'home', '--server', 'x:2')).toMatchObject({
      code: 2,
      stderr: `chat: ${path}: is a symbolic link; chat does not replace it\n`,
    });
  });

  it('answer objects with -o json', async () => {
    const { run } = await world();
    expect((await run('context', 'save', 'work', '--server', 'x:1', '-o', 'json')).stdout).toBe(
      '{"name":"work","server":"chat://x:1"}\n',
    );
    expect((await run('context', 'select', 'work', '-o', 'json')).stdout).toBe('{"selected":"work"}\n');
    expect((await run('context', 'rm', 'work', '-o', 'json')).stdout).toBe(
      '{"removed":"work","forgotten":[]}\n',
    );
  });

  it('select says what goes before the selection, and goes back to the default', async () => {
    const { run, contexts } = await world({ env: { CHAT_CONTEXT: 'other' } });
    await run('context', 'save', 'work', '--server', 'x:1');
    expect((await run('context', 'select', 'work')).stderr).toBe(
      'context work is selected\nCHAT_CONTEXT goes before it and says other\n',
    );
    expect((await run('context', 'select', 'default')).code).toBe(0);
    expect(await contexts()).toMatchObject({ selected: 'default' });
  });

  it('select refuses a name that was never saved, exit 6', async () => {
    const { run } = await world();
    expect(await run('context', 'select', 'work')).toEqual({
      code: 6,
      stdout: '',
      stderr:
        'chat: there is no context work; none is saved (make one with: chat context save work --server …)\n',
    });
  });

  it.each([
    [['save'], 'chat context save needs NAME'],
    [['save', 'A'], "NAME takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-'"],
    [['save', 'a', 'b'], 'chat context save: unexpected "b" (see chat context save --help)'],
    [['save', 'a', '--server', 'x:y'], '--server: a port is a number from 1 to 65535'],
    [['select', '../x'], "NAME takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-'"],
  ])('%j is exit 2', async (words, text) => {
    const { run } = await world();
    expect(await run('context', ...words)).toEqual({ code: 2, stdout: '', stderr: `chat: ${text}\n` });
  });

  it('lose nothing when many save at once', async () => {
    const { run, contexts } = await world();
    const names = Array.from({ length: 12 }, (_, n) => `context-${String(n).padStart(2, '0')}`);
    await Promise.all(names.map((name) => run('context', 'save', name, '--server', `${name}:1`)));
    expect(await contexts()).toEqual({
      contexts: Object.fromEntries(names.map((name) => [name, { server: `chat://${name}:1` }])),
    });
  });
});

describe('chat context rm', () => {
  const withLogin = async (outside: Outside = {}): Promise<World> => {
    const made = await world(outside);
    await made.run('context', 'save', 'work', '--server', 'x:1');
    await made.run('context', 'select', 'work');
    const { stateHome, client } = made.host;
    const env = { CHAT_PASSWORD: 'secret', CHAT_TRUST: 'always' };
    const setUp = await fakeHost({ stateHome, client, env });
    expect((await runOn(setUp, 'login', 'alice')).code).toBe(0);
    return made;
  };

  it('removes one that nobody is logged in to, and the selection with it', async () => {
    const { run, contexts } = await world();
    await run('context', 'save', 'work', '--server', 'x:1');
    await run('context', 'select', 'work');
    expect(await run('context', 'rm', 'work')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'context work is removed; none is selected now\n',
    });
    expect(await contexts()).toEqual({ contexts: {} });
  });

  it('with a login is refused in a script, and says how', async () => {
    const { run, contexts, logins } = await withLogin();
    expect(await run('context', 'rm', 'work')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'chat: context work has a login (alice at chat://x:1); end it first (chat logout --context work), or pass --yes to forget it here\n',
    });
    expect(await contexts()).toMatchObject({ selected: 'work' });
    expect(await logins()).toHaveLength(1);
  });

  it('forgets the login with --yes', async () => {
    const { run, contexts, logins } = await withLogin();
    expect((await run('context', 'rm', 'work', '--yes', '-o', 'json')).stdout).toBe(
      '{"removed":"work","forgotten":[{"server":"chat://x:1","account":"alice"}]}\n',
    );
    expect([await contexts(), await logins()]).toEqual([{ contexts: {} }, []]);
  });

  it('asks a person, and does nothing at a no', async () => {
    const { host, run, logins } = await withLogin({ terminal: true, typed: ['no', 'yes'] });
    expect((await run('context', 'rm', 'work')).stderr).toBe('nothing was done\n');
    expect(await logins()).toHaveLength(1);
    expect((await run('context', 'rm', 'work')).code).toBe(0);
    expect(await logins()).toEqual([]);
    expect(host.asked[0]).toBe(
      'Forget the login of alice at chat://x:1? Its session lives on until it ends by itself.',
    );
  });

  it('forgets a login under a name that was never saved, and no other', async () => {
    const { run, logins } = await world();
    await run('login', 'alice', '--context', 'spare');
    await run('login', 'bob', '--context', 'spare.two');
    expect((await run('context', 'rm', 'spare', '--yes')).code).toBe(0);
    expect(await logins()).toEqual(['spare.two.chat_127.0.0.1_8080.json']);
  });

  it('of an unknown name is exit 6', async () => {
    const { run } = await world();
    await run('context', 'save', 'work', '--server', 'x:1');
    expect(await run('context', 'rm', 'wrok')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('there is no context wrok; saved are work'),
    });
  });
});
