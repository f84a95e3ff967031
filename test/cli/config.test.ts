import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { devNull } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type FakeHost, fakeHost, type Outside, runOn } from './support/fake-host.ts';

interface World {
  readonly host: FakeHost;
  /** The person's own file, and the contexts beside it. */
  readonly own: string;
  readonly contexts: string;
  run(...argv: string[]): ReturnType<typeof runOn>;
}

async function world(content?: string, outside: Outside = {}): Promise<World> {
  const host = await fakeHost(outside);
  const own = join(host.stateHome, 'config', 'chat', 'config.yaml');
  if (content !== undefined) {
    await mkdir(dirname(own), { recursive: true });
    await writeFile(own, content);
  }
  const contexts = join(dirname(own), 'contexts.json');
  return { host, own, contexts, run: (...argv) => runOn(host, ...argv) };
}

describe('chat config', () => {
  it('prints each setting with its value and where it comes from, then the files', async () => {
    const { own, contexts, run } = await world('server: one:1\n', { env: { CHAT_CONTEXT: 'work' } });
    expect(await run('config', '--trust', 'never')).toEqual({
      code: 0,
      stdout: [
        `server\tchat://one:1\t${own}:1`,
        'context\twork\tCHAT_CONTEXT',
        'output\ttext\tdefault',
        'quiet\tfalse\tdefault',
        'verbose\tfalse\tdefault',
        'no-color\tfalse\tdefault',
        'screen-reader\tfalse\tdefault',
        'trust\tnever\t--trust',
        'fingerprint\t-\tdefault',
        `file\t${own}\tread`,
        `file\t${devNull}\tread`,
        `file\t${contexts}\tnot there`,
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('prints objects with -o json', async () => {
    const { own, run } = await world('quiet: true\n');
    const { stdout } = await run('config', '-o', 'json');
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual(
      expect.arrayContaining([
        { key: 'quiet', value: true, origin: { kind: 'file', path: own, line: 1 } },
        { key: 'output', value: 'json', origin: { kind: 'flag', name: '--output' } },
        { key: 'trust', value: null, origin: { kind: 'default' } },
        { file: own, exists: true },
      ]),
    );
  });

  it('names the context that a server comes from, and who selected it', async () => {
    const { run } = await world();
    await run('context', 'save', 'work', '--server', 'one:1');
    await run('context', 'select', 'work');
    expect((await run('config')).stdout.split('\n').slice(0, 2)).toEqual([
      'server\tchat://one:1\tcontext work',
      'context\twork\tchat context select',
    ]);
  });

  it('prints everything that is wrong, with what holds meanwhile, and ends with 2', async () => {
    const { own, run } = await world('sever: a\noutput: xml\nquiet: true\n');
    const { code, stdout } = await run('config');
    expect(code).toBe(2);
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        'output\ttext\tdefault',
        `quiet\ttrue\t${own}:3`,
        `problem\t${own}:1: sever: there is no such setting; did you mean server?`,
        `problem\t${own}:2: output takes text, json, not "xml"`,
      ]),
    );
  });

  it('path prints where the own file is, also when it is named otherwise or does not fit', async () => {
    const { own, run } = await world('nonsense');
    expect(await run('config', 'path')).toEqual({ code: 0, stdout: `${own}\n`, stderr: '' });
    expect((await run('config', 'path', '--config', '/x/y.yaml', '-o', 'json')).stdout).toBe(
      '{"path":"/x/y.yaml","exists":false}\n',
    );
  });
});

describe('chat config set and unset', () => {
  it('make the file, change it, and leave what others wrote', async () => {
    const { own, run } = await world();
    expect(await run('config', 'set', 'server', 'one:1')).toEqual({
      code: 0,
      stdout: '',
      stderr: `server is one:1 now in ${own}\n`,
    });
    expect([(await stat(own)).mode & 0o777, (await stat(dirname(own))).mode & 0o777]).toEqual([0o600, 0o700]);
    await writeFile(own, '# mine\nserver: one:1 # ours\n');
    await run('config', 'set', 'no-color', 'true');
    await run('config', 'set', 'server', 'two:2');
    expect(await readFile(own, 'utf8')).toBe('# mine\nserver: two:2 # ours\nno-color: true\n');
    expect((await run('config', 'set', 'server', 'two:2')).stderr).toBe(
      `server is two:2 already in ${own}\n`,
    );
    expect((await run('config', 'unset', 'server')).stderr).toBe(`server is not set any more in ${own}\n`);
    expect(await readFile(own, 'utf8')).toBe('# mine\nno-color: true\n');
    expect((await run('config', 'unset', 'server')).stderr).toBe(`server is not set in ${own}\n`);
  });

  it('unset makes no file', async () => {
    const { own, run } = await world();
    expect((await run('config', 'unset', 'server')).code).toBe(0);
    await expect(stat(own)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('say what goes before the file', async () => {
    const { own, run } = await world('', { env: { CHAT_SERVER: 'other' } });
    expect((await run('config', 'set', 'server', 'one:1')).stderr).toBe(
      `server is one:1 now in ${own}\nCHAT_SERVER goes before it and says chat://other:8080\n`,
    );
  });

  it('answer an object with -o json', async () => {
    const { own, run } = await world();
    expect((await run('config', 'set', 'quiet', 'true', '-o', 'json')).stdout).toBe(
      `{"key":"quiet","value":true,"file":"${own}"}\n`,
    );
    expect((await run('config', 'unset', 'quiet', '-o', 'json')).stdout).toBe(
      `{"key":"quiet","value":null,"file":"${own}"}\n`,
    );
  });

  it.each([
    [['sever', 'a'], 'sever: there is no such setting; did you mean server?'],
    [['password', 'x'], expect.stringContaining('password: a settings file is no place for a secret; use')],
    [['quiet', 'yes'], 'quiet takes true or false, not "yes"'],
    [['output', 'xml'], 'output takes text, json, not "xml"'],
    [['server', 'a:b'], 'server: a port is a number from 1 to 65535'],
    [['server'], 'chat config set needs KEY and VALUE'],
    [['server', ''], 'chat config set: an argument is empty'],
  ])('set refuses %j and writes nothing', async (words, text) => {
    const { own, run } = await world('quiet: true\n');
    const { code, stderr } = await run('config', 'set', ...words);
    expect([code, stderr.replace(/^chat: /, '').trimEnd()]).toEqual([2, text]);
    expect(await readFile(own, 'utf8')).toBe('quiet: true\n');
  });

  it('mend a file with a key that does not belong there, and refuse one that is no YAML', async () => {
    const { own, run } = await world('sever: a\nquiet: true\n');
    expect((await run('config', 'unset', 'sever')).code).toBe(0);
    expect(await readFile(own, 'utf8')).toBe('quiet: true\n');
    await writeFile(own, 'server: [a\n');
    expect(await run('config', 'set', 'quiet', 'true')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(new RegExp(`^chat: ${own}:\\d: server: this is no YAML: `)),
    });
    expect(await readFile(own, 'utf8')).toBe('server: [a\n');
  });

  it('keep the mode of a file and of its directory, wherever it is', async () => {
    const { host, run } = await world();
    const path = join(host.stateHome, 'etc', 'chat.yaml');
    await mkdir(dirname(path), { mode: 0o755 });
    await writeFile(path, '# kept\n', { mode: 0o644 });
    expect((await run('config', 'set', 'quiet', 'true', '--config', path)).code).toBe(0);
    expect(await readFile(path, 'utf8')).toBe('# kept\nquiet: true\n');
    expect([(await stat(path)).mode & 0o777, (await stat(dirname(path))).mode & 0o777]).toEqual([
      0o644, 0o755,
    ]);
  });

  it('do not replace a symbolic link, which is read', async () => {
    const { host, own, run } = await world();
    const real = join(host.stateHome, 'dotfiles.yaml');
    await mkdir(dirname(own), { recursive: true });
    await writeFile(real, 'server: one:1\n');
    await symlink(real, own);
    expect((await run('config')).stdout).toContain(`server\tchat://one:1\t${own}:1\n`);
    expect(await run('config', 'set', 'quiet', 'true')).toMatchObject({
      code: 2,
      stderr: `chat: ${own}: is a symbolic link; chat does not replace it\n`,
    });
    expect(await readFile(real, 'utf8')).toBe('server: one:1\n');
    expect((await run('config', 'set', 'quiet', 'true', '--config', real)).code).toBe(0);
  });

  it('do not write to the null device', async () => {
    const { run } = await world();
    expect(await run('config', 'set', 'quiet', 'true', '--config', devNull)).toMatchObject({
      code: 2,
      stderr: `chat: ${devNull} keeps nothing; name a file with --config\n`,
    });
  });

  it('say what is wrong when there is no place for the file', async () => {
    const { host, run } = await world();
    await writeFile(join(host.stateHome, 'config'), '');
    expect(await run('config', 'set', 'quiet', 'true')).toMatchObject({
      code: 2,
      stderr: `chat: ${join(host.stateHome, 'config', 'chat')}: cannot make the directory (ENOTDIR)\n`,
    });
  });

  it('lose nothing when many change at once', async () => {
    const { own, run } = await world();
    const values = [
      ['server', 'one:1'],
      ['context', 'work'],
      ['output', 'text'],
      ['quiet', 'true'],
      ['no-color', 'true'],
      ['trust', 'never'],
    ] as const;
    await Promise.all(values.map((words) => run('config', 'set', ...words)));
    const lines = (await readFile(own, 'utf8')).trimEnd().split('\n').sort();
    expect(lines).toEqual(values.map(([key, value]) => `${key}: ${value}`).sort());
  });
});
