import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { World } from './support/server.ts';

function put(path: string, content: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

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
    const alice = await world.person('alice', String(address)).register();
    expect(await alice.succeed(['whoami'])).toBe('alice\n');
    await running.kill('SIGTERM');

    const after = await world.start(['serve', '--check'], env).ended;
    expect(after.code).toBe(0);
    expect(after.out).toMatch(/^ok\tdatabase\t.*chat\.db is sound, format \d+$/m);
  });

  it('point the client at its server, and are named with line and key when they do not fit', async () => {
    const world = new World();
    const server = await world.serve();
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
