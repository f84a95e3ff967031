import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { World } from './support/server.ts';

const node = resolve('node_modules/.bin/node');
const traced = [
  '--no-warnings',
  '--import',
  fileURLToPath(new URL('support/trace-writes.ts', import.meta.url)),
  resolve('dist/chat.mjs'),
];

describe('Mallory cannot have the programs modify any other file: as another user, and as the server', () => {
  it('whatever is said, a server writes below its data directory, and a client below its own ones, alone', async () => {
    const world = new World();
    const data = world.path('data');
    const traceOf = (who: string): string => world.path(`${who}.trace`);
    const written = (who: string): string[] => [
      ...new Set(
        readFileSync(traceOf(who), 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => resolve(JSON.parse(line))),
      ),
    ];
    const outside = (who: string, own: string): string[] =>
      written(who).filter((path) => path !== own && !path.startsWith(`${own}${sep}`));
    for (const who of ['server', 'alice', 'bob']) writeFileSync(traceOf(who), '');
    const server = world.start(
      [...traced, 'serve', '--listen', '127.0.0.1:0', '--data', data, '--bcrypt-cost', '10'],
      { PATH: process.env.PATH, HOME: world.path('operator'), CHAT_TRACE: traceOf('server') },
      undefined,
      { program: node },
    );
    const [address] = (await server.line())?.split(' ') ?? [];
    if (address === undefined) throw new Error(`no server: ${server.err}`);
    const person = (name: string) => {
      const { env, home } = world.person(name, address);
      mkdirSync(home);
      return async (...args: readonly string[]) => {
        const traceTo = { ...env, CHAT_TRACE: traceOf(name) };
        return await world.start([...traced, ...args], traceTo, undefined, { program: node }).ended;
      };
    };
    const [alice, bob] = [person('alice'), person('bob')];
    expect((await alice('register', 'alice')).code).toBe(0);
    expect((await bob('register', 'bob')).code).toBe(0);
    const path = '../../../../tmp/chat-was-here';
    expect((await alice('send', '@bob', path, '--key', path)).code).toBe(0);
    expect((await alice('send', '#lobby', '--outbox', path)).code).toBe(0);
    // Names are no paths, at a door as at the command line.
    for (const name of ['../x', '..', `/${path}`])
      expect((await alice('send', `@${name}`, 'x')).code).toBe(2);
    expect((await alice('login', '--device', path, 'alice')).code).toBe(0);
    expect((await bob('tail', '@alice', '--once', '--durable', 'seen')).out).toContain(
      `[encrypted] ${path}\n`,
    );
    expect((await alice('keys', 'rotate')).code).toBe(0);
    expect((await server.kill('SIGTERM')).code).toBe(0);
    // The traces see what is there to be seen.
    expect(written('server')).toContain(join(data, 'chat.db'));
    expect(written('alice').some((one) => one.includes(`${sep}clientkeys${sep}`))).toBe(true);
    expect(outside('server', data)).toEqual([]);
    for (const name of ['alice', 'bob']) expect(outside(name, world.path(name))).toEqual([]);
  });
});
