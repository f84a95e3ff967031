import { mkdirSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { World } from './support/server.ts';

const node = resolve('node_modules/.bin/node');
const program = resolve('dist/chat.mjs');

/** The flags of a `node` that may write below these paths and nowhere else; it starts no other program. */
const mayWrite = (...paths: readonly string[]): string[] => [
  '--permission',
  '--allow-net',
  '--allow-worker',
  '--allow-fs-read=*',
  ...paths.map((path) => `--allow-fs-write=${path}`),
  program,
];

describe('Mallory cannot have the programs modify any other file: a process that may write its own files only', () => {
  it('does all the work of a server, and of clients', async () => {
    const world = new World();
    const data = world.path('data');
    const serve = async (writable: string) => {
      const args = ['serve', '--listen', '127.0.0.1:0', '--data', data, '--bcrypt-cost', '10'];
      const running = world.start(
        [...mayWrite(writable), ...args],
        { PATH: process.env.PATH, HOME: world.path('operator') },
        undefined,
        { program: node },
      );
      const ready = await running.line();
      return { running, address: ready?.split(' ')[0] };
    };
    mkdirSync(data, { recursive: true });
    const { running, address } = await serve(data);
    if (address === undefined) throw new Error(`no server: ${running.err}`);
    const person = (name: string) => {
      const { env, home } = world.person(name, address);
      mkdirSync(home, { recursive: true });
      return async (args: readonly string[], input?: string, writable = home) =>
        await world.start([...mayWrite(writable), ...args], env, input, { program: node }).ended;
    };
    const [alice, bob] = [person('alice'), person('bob')];
    expect((await alice(['register', 'alice'])).code).toBe(0);
    expect((await bob(['register', 'bob'])).code).toBe(0);
    expect(await alice(['send', '@bob', 'in private'])).toEqual({ code: 0, out: '', err: '' });
    expect(await alice(['send', '--lines', '--outbox'], 'one\ntwo\n')).toEqual({ code: 0, out: '', err: '' });
    expect((await bob(['tail', '@alice', '--once', '--durable', 'seen'])).out).toContain(
      'alice: @bob [encrypted] in private\n',
    );
    expect((await alice(['keys', 'rotate'])).code).toBe(0);
    expect((await alice(['account', 'export', '--file', world.path('alice', 'me.json')])).code).toBe(0);
    // What may not be written is refused, by name, and nothing else happens.
    const elsewhere = await alice(['account', 'export', '--file', world.path('bob', 'me.json')]);
    expect([elsewhere.code, elsewhere.err]).toEqual([
      2,
      expect.stringContaining(world.path('bob', 'me.json')),
    ]);
    const nowhere = await alice(['login', 'alice'], undefined, world.path('data'));
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringContaining(world.path('alice'))]);
    expect(readdirSync(world.path('bob'))).not.toContain('me.json');
    expect((await running.kill('SIGTERM')).code).toBe(0);
    const other = await serve(world.path('alice'));
    expect(other.address).toBeUndefined();
    expect((await other.running.ended).code).not.toBe(0);
  });
});
