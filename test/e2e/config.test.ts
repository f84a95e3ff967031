import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { chat, World } from './support/server.ts';

function put(path: string, content: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

describe('chat serve --quiet', () => {
  it('says one line when it is ready; its log has warnings and the audit, and nothing else', async () => {
    const world = new World();
    // Whatever this machine lets a process open.
    const program = { program: '/bin/sh' };
    const limited = ['-c', 'ulimit -n 1000 && exec "$0" "$@"', chat, 'serve', '--quiet'];
    const flags = ['--listen', '127.0.0.1:0', '--data', world.path('data'), '--max-connections', '873'];
    const env = { PATH: process.env.PATH, HOME: world.path('operator'), CHAT_BCRYPT_COST: '10' };
    const running = world.start([...limited, ...flags], env, '', program);
    const ready = await running.line();
    await world.person('alice', ready?.split(' ')[0] ?? '').register({ hasBackup: false });
    await running.says(/operation=login/);
    const { code, out, err } = await running.kill('SIGTERM');
    expect({ code, out }).toEqual({ code: 0, out: `${ready}\n` });
    const [head, warning, ...audit] = err.split('\n').slice(0, -1);
    expect(head).toMatch(/ info audit-head seq=1 hash=[0-9a-f]{64}$/);
    expect(warning).toMatch(
      / warn few-open-files note="this process may open 1000 files, which is enough for 872 connections, not for 873: raise the limit \(ulimit -n, LimitNOFILE\) or set --max-connections"$/,
    );
    expect(audit.filter((line) => !/ info audit(-head seq| operation)=/.test(line))).toEqual([
      expect.stringContaining(' warn claim note="nobody administers this server yet: '),
    ]);
    const checked = world.start([...limited, '--check', ...flags], env, '', program);
    expect(await checked.ended).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^warn\topen files\tthis process may open 1000 files, /m),
      err: '',
    });
  });
});

describe('settings files of the built program', () => {
  it('start the server, which says where each value comes from', async () => {
    const world = new World();
    const file = put(
      world.path('server.yaml'),
      `listen: 127.0.0.1:0\ndata: ${world.path('data')}\nbcrypt-cost: 10\nlog-format: json\n`,
    );
    const env = { PATH: process.env.PATH, HOME: world.path('operator'), CHAT_SERVE_CONFIG: file };
    const before = await world.start(['serve', '--check'], env).ended;
    expect(before).toMatchObject({ code: 0, err: '' });
    expect(before.out).toContain(`bcrypt-cost\t10\t${file}:3\n`);
    expect(readdirSync(world.directory).sort()).toEqual(['server.yaml']);

    const running = world.start(['serve'], env);
    const [address, , data] = (await running.line())?.split(' ') ?? [];
    expect(data).toBe(world.path('data'));
    await running.says(/"event":"started"/);
    const during = await world.start(['serve', '--check', '-o', 'json'], env).ended;
    expect(during.code).toBe(0);
    expect(during.out).toMatch(
      /\{"check":"lock","status":"warn","message":"a server is running there now \(process /,
    );
    const alice = await world.person('alice', String(address)).register({ hasBackup: false });
    expect(await alice.succeed(['whoami'])).toBe('alice\n');
    await running.kill('SIGTERM');

    const after = await world.start(['serve', '--check'], env).ended;
    expect(after.code).toBe(0);
    expect(after.out).toMatch(/^ok\tdatabase\t.*chat\.db is sound, format \d+$/m);
  });

  it('point the client at its server, and are named with line and key when they do not fit', async () => {
    const world = new World();
    const server = await world.servePeople();
    const alice = await world.person('alice', server).register();
    const { CHAT_SERVER: address, ...env } = alice.env;
    const file = world.path('alice', 'config', 'chat', 'config.yaml');
    put(file, `server: ${address}\noutput: json\n`);
    const found = await world.start(['users'], env).ended;
    expect(found).toEqual({ code: 0, out: '{"username":"alice","online":true}\n', err: '' });
    put(file, `# mine\nserver: ${address}\noutptu: json\n`);
    expect(await world.start(['users'], env).ended).toEqual({
      code: 2,
      out: '',
      err: `chat: ${file}:3: outptu: there is no such setting; did you mean output?\n`,
    });
  });
});

describe('contexts of the built program', () => {
  it('lead commands to their servers and logins', async () => {
    const world = new World();
    const [one, two] = [
      await world.serve([], { data: world.path('one') }),
      await world.serve([], { data: world.path('two') }),
    ];
    const { CHAT_SERVER: _server, ...env } = world.person('alice', one).env;
    const run = (...args: string[]) => world.start(args, env).ended;
    expect(await run('context', 'save', 'work', '--server', one.address)).toEqual({
      code: 0,
      out: '',
      err: `context work is chat://${one.address}\n`,
    });
    await run('context', 'save', 'home', '--server', two.address);
    expect((await run('register', 'alice', '--context', 'work')).code).toBe(0);
    expect((await run('register', 'ali', '--context', 'home')).code).toBe(0);
    await run('context', 'select', 'home');
    expect((await run('whoami')).out).toBe('ali\n');
    expect((await run('whoami', '--context', 'work')).out).toBe('alice\n');
    expect((await run('context')).out).toBe(
      `home\tchat://${two.address}\tali\tin use\nwork\tchat://${one.address}\talice\t\n`,
    );
    expect((await run('context', 'rm', 'home')).code).toBe(2);
    expect((await run('logout')).code).toBe(0);
    expect(await run('context', 'rm', 'home')).toEqual({
      code: 0,
      out: '',
      err: 'context home is removed; none is selected now\n',
    });
  });

  it('are all kept when many processes save at once', async () => {
    const world = new World();
    const { env } = world.person('alice', '127.0.0.1:1');
    const names = Array.from({ length: 8 }, (_, n) => `c${n}`);
    await Promise.all(
      names.map((name) => world.start(['context', 'save', name, '--server', `${name}.test`], env).ended),
    );
    const { out } = await world.start(['context', 'ls', '-o', 'json'], env).ended;
    const saved = out.split('\n').filter((line) => line.includes('"saved":true'));
    expect(saved.map((line) => JSON.parse(line).name)).toEqual(names);
  });
});

describe('the doctor of the built program', () => {
  it('finds everything well over TLS, and says what is wrong when the server is gone', async () => {
    const world = new World();
    const server = await world.servePeople();
    const alice = await world.person('alice', server).register();
    const well = await alice.run(['doctor'], '', { LC_ALL: 'C.UTF-8' });
    expect([well.code, well.err, well.out.match(/^(?!ok)/gm)?.length]).toEqual([0, '', 1]);
    expect(well.out).toMatch(/^ok\tserver\tchat:\/\/127\.0\.0\.1:\d+ is reached over TLS 1\.3 in \d+ ms$/m);
    expect(well.out).toContain(`ok\tkey\t${server.fingerprint}, as it was remembered\n`);
    expect(well.out).toMatch(/^ok\tclock\t0\.\d s from the server's$/m);
    expect(well.out).toMatch(
      /^ok\tlogin\talice is logged in to .*; the session ends in 24 h, commands refresh it$/m,
    );
    await server.stop();
    const gone = await alice.run(['doctor', '-o', 'json']);
    expect(gone.code).toBe(3);
    expect(gone.out).toContain('{"check":"server","status":"fail","message":"chat://127.0.0.1:');
  });

  it('fails with 9 when the key has changed', async () => {
    const world = new World();
    const first = await world.servePeople();
    const alice = await world.person('alice', first).register();
    await first.stop();
    await world.serve([], { listen: first.address, data: world.path('other') });
    const { code, out } = await alice.run(['doctor']);
    expect(code).toBe(9);
    expect(out).toMatch(/^fail\tkey\tthe key of .* has changed: /m);
    expect(out).toContain('warn\tlogin\talice is saved here; the server was not asked\n');
  });

  it('does not hang on something that takes connections and says nothing', async () => {
    const world = new World();
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const { code, out } = await world.person('alice', `127.0.0.1:${port}`).run(['doctor']);
    expect(code).toBe(3);
    expect(out).toMatch(/^fail\tserver\t.*no connection within 5000 ms/m);
  });
});
