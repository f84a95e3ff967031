import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { serverFiles } from '../../src/cli/server-file.ts';
import { withoutPassword } from '../../src/cli/without-password.ts';
import { until } from '../server/support/until.ts';
import { freePorts } from '../support/free-ports.ts';
import { type FakeHost, fakeHost, type Outside, runOn } from './support/fake-host.ts';

/** A host whose own server.yaml has this content. */
async function hostWith(
  content: string | undefined,
  outside: Outside = {},
): Promise<FakeHost & { own: string }> {
  const host = await fakeHost({ ...outside, env: { CHAT_LISTEN: '127.0.0.1:0', ...outside.env } });
  const directory = join(host.stateHome, 'config', 'chat');
  const own = join(directory, 'server.yaml');
  await mkdir(directory, { recursive: true });
  if (content !== undefined) await writeFile(own, content);
  return { ...host, own };
}

const lines = (stdout: string): Record<string, unknown>[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('chat serve --check', () => {
  it('prints each setting with its value and where it comes from, the file, and what a start would find', async () => {
    const host = await hostWith('# ours\ndata: data\nmax-line: 4096\n');
    const { code, stdout, stderr } = await runOn(host, 'serve', '--check', '--refresh', '60');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const data = join(host.stateHome, 'config', 'chat', 'data');
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        'listen\t127.0.0.1:0\tCHAT_LISTEN',
        `data\t${data}\t${host.own}:2`,
        `max-line\t4096\t${host.own}:3`,
        'refresh\t60\t--refresh',
        'shutdown-delay\t0\tdefault',
        'drain-wait\t5\tdefault',
        `settings file\t${host.own}\tread`,
        'ok\tsettings\tevery setting fits',
        `ok\tdata\t${data} is made at the first start`,
        'ok\tlisten\t127.0.0.1:0 is free',
      ]),
    );
  });

  it('looks for the secret of a server over PostgreSQL, says nothing of a database here, and no password', async () => {
    const [port] = await freePorts(1);
    const store = `postgres://chat:s3cret@127.0.0.1:${port}/chat`;
    const host = await hostWith(undefined, { env: { CHAT_STORE: store } });
    const secret = join(host.stateHome, 'cluster-secret');
    const argv = ['serve', '--check', '--data', join(host.stateHome, 'data'), '--cluster-secret', secret];
    const without = await runOn(host, ...argv);
    expect(without.code).toBe(2);
    expect(without.stdout + without.stderr).toContain(`${secret} is not there`);
    await writeFile(secret, '0123456789abcdefghijklmnopqrstuvwxyz', { mode: 0o600 });
    const { code, stdout } = await runOn(host, ...argv);
    expect(code).toBe(3);
    expect(stdout).toContain(`ok\tcluster secret\t${secret} fits\n`);
    expect(stdout).toContain(`fail\tdatabase\tthe database at 127.0.0.1:${port} cannot be used`);
    expect(stdout).not.toMatch(/chat\.db|s3cret/);
  });

  it('prints objects with -o json', async () => {
    const host = await hostWith('max-line: 4096\n');
    const { stdout } = await runOn(host, 'serve', '--check', '-o', 'json');
    expect(lines(stdout)).toEqual(
      expect.arrayContaining([
        { key: 'max-line', value: '4096', origin: { kind: 'file', path: host.own, line: 1 } },
        { key: 'listen', value: '127.0.0.1:0', origin: { kind: 'environment', name: 'CHAT_LISTEN' } },
        { file: host.own, exists: true },
        { check: 'listen', status: 'ok', message: '127.0.0.1:0 is free' },
      ]),
    );
  });

  it('aligns columns on a terminal', async () => {
    const { stdout } = await runOn(await hostWith(undefined, { terminal: true }), 'serve', '--check');
    expect(stdout).toContain('\nok    settings      every setting fits\n');
  });

  it('tells of everything that is wrong and ends with the code of the first', async () => {
    const host = await hostWith('lisen: x\nmax-line: many\n');
    const { code, stdout } = await runOn(host, 'serve', '--check', '--refresh', 'x');
    expect(code).toBe(2);
    expect(stdout.split('\n').filter((line) => line.startsWith('fail'))).toEqual([
      `fail\tsettings\t${host.own}:1: lisen: there is no such setting; did you mean listen?`,
      `fail\tsettings\t${host.own}:2: max-line takes a number, not "many"`,
      'fail\tsettings\t--refresh takes whole seconds from 1 to 315360000, not "x"',
    ]);
    const taken = await runOn(await hostWith(''), 'serve', '--check', '--listen', '192.0.2.1:1');
    expect(taken.code).toBe(3);
  });
});

describe('an address that is shown', () => {
  it.each([
    ['postgres://chat:secret@host:5432/chat', 'postgres://chat:***@host:5432/chat'],
    ['redis://:secret@host', 'redis://:***@host'],
    ['postgres://chat@host/', 'postgres://chat@host/'],
    ['127.0.0.1:8080', '127.0.0.1:8080'],
    ['/srv/chat', '/srv/chat'],
  ])('has no password: %s', (value, shown) => {
    expect(withoutPassword(value)).toBe(shown);
  });
});

describe('the server’s settings file', () => {
  it('is the person’s own, otherwise the machine’s, and alone the one that was named', () => {
    const place = { platform: 'linux', env: {}, homeDirectory: '/home/sam' } as const;
    expect(serverFiles(place, undefined)).toEqual([
      '/home/sam/.config/chat/server.yaml',
      '/etc/chat/server.yaml',
    ]);
    expect(serverFiles(place, '/srv/chat.yaml')).toEqual(['/srv/chat.yaml']);
    expect(serverFiles({ ...place, platform: 'win32', homeDirectory: 'C:\\Users\\sam' }, undefined)).toEqual([
      'C:\\Users\\sam\\AppData\\Roaming\\chat\\server.yaml',
      'C:\\ProgramData\\chat\\server.yaml',
    ]);
    expect(serverFiles({ ...place, platform: 'darwin', homeDirectory: '/Users/sam' }, undefined)).toEqual([
      '/Users/sam/Library/Application Support/chat/server.yaml',
      '/Library/Application Support/chat/server.yaml',
    ]);
  });

  it.each([
    [['--config', 'nowhere.yaml'], {}, '--config'],
    [[], { CHAT_SERVE_CONFIG: 'nowhere.yaml' }, 'CHAT_SERVE_CONFIG'],
  ])('that was named must be there: %j %j', async (flags, env, label) => {
    const host = await hostWith(undefined, { env });
    expect(await runOn(host, 'serve', ...flags)).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${label}: there is no file ${join(process.cwd(), 'nowhere.yaml')}\n`,
    });
  });

  it('that does not fit stops the start, exit 2', async () => {
    const host = await hostWith('tls-only: "1"\n');
    expect(await runOn(host, 'serve')).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${host.own}:1: tls-only takes true or false, not "1"\n`,
    });
  });

  it('stands apart from the client’s, which the server does not read', async () => {
    const host = await hostWith('');
    await writeFile(join(host.stateHome, 'config', 'chat', 'config.yaml'), 'nonsense');
    const { code } = await runOn(host, 'serve', '--check');
    expect(code).toBe(0);
  });
});

describe('chat serve whose database is not there yet', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('waits for it no longer than until %s', async (signal, code) => {
    const [port] = await freePorts(1);
    const host = await hostWith(undefined, { env: { CHAT_STORE: `postgres://chat@127.0.0.1:${port}/chat` } });
    const secret = join(host.stateHome, 'cluster-secret');
    await writeFile(secret, '0123456789abcdefghijklmnopqrstuvwxyz', { mode: 0o600 });
    const data = join(host.stateHome, 'data');
    const done = runOn(host, 'serve', '--data', data, '--cluster-secret', secret);
    await until(() => host.stderr.text.includes('store-awaited'));
    host.signal(signal);
    expect(await done).toMatchObject({ code, stdout: '' });
  });
});
