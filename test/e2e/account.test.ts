import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type ServerProcess, World } from './support/server.ts';
import { chatIn, keys } from './support/terminal.ts';

const closers: Array<() => Promise<void>> = [];
let world: World;
let server: ServerProcess;
let alice: Person;

beforeAll(async () => {
  world = new World((close) => closers.push(close));
  server = await world.serve(['--min-password-length', '8']);
  alice = await world.person('alice', server).register();
});
afterAll(async () => {
  for (const close of closers) await close();
});

/** A file with a secret in it. */
function secretIn(name: string, secret: string): string {
  const path = world.path(name);
  writeFileSync(path, `${secret}\n`, { mode: 0o600 });
  return path;
}

describe('chat account password', () => {
  it('changes it, ends the other sessions, and keeps its own', async () => {
    const elsewhere = world.person('elsewhere', server);
    await elsewhere.succeed(['login', 'alice'], '', { CHAT_PASSWORD: alice.env.CHAT_PASSWORD });
    const next = 'another horse of alice';
    const file = secretIn('next', next);
    expect(await alice.run(['account', 'password', '--new-password-file', file])).toEqual({
      code: 0,
      out: '',
      err: 'the password is changed; ended 1 other session\n',
    });
    expect(await alice.succeed(['whoami'])).toBe('alice\n');
    expect((await elsewhere.run(['whoami'])).code).toBe(4);
    const logIn = (password: string | undefined) =>
      elsewhere.run(['login', 'alice', '-q'], '', { CHAT_PASSWORD: password });
    expect(await logIn(alice.env.CHAT_PASSWORD)).toEqual({
      code: 4,
      out: '',
      err: 'chat: unknown user or wrong secret\n',
    });
    expect((await logIn(next)).code).toBe(0);
    alice.env.CHAT_PASSWORD = next;
  });

  it.each(['c', 'd'])('is left at its prompt by Ctrl-%s: exit 130, nothing changed', async (letter) => {
    const { CHAT_PASSWORD: _, ...env } = alice.env;
    const terminal = chatIn(env, { columns: 80, rows: 10 }, ['account', 'password']);
    await terminal.shows('? Password');
    terminal.type(keys.ctrl(letter));
    expect(await terminal.ended()).toBe(130);
    expect(terminal.text).not.toMatch(/Warning|error/i);
    expect((await alice.run(['login', 'alice', '-q'])).code).toBe(0);
  });

  it('goes on after a Ctrl-D that deletes a character', async () => {
    const { CHAT_PASSWORD: password, ...env } = alice.env;
    const terminal = chatIn(env, { columns: 80, rows: 10 }, ['login', 'alice']);
    await terminal.shows('? Password');
    terminal.type('x');
    await terminal.shows('*');
    terminal.enter(`${keys.left}${keys.ctrl('d')}${password}`);
    expect(await terminal.ended()).toBe(0);
  });

  it('does nothing without the right old one', async () => {
    const file = secretIn('never', 'a horse that never was');
    const wrong = { CHAT_PASSWORD: 'not the one of alice' };
    expect(await alice.run(['account', 'password', '--new-password-file', file], '', wrong)).toEqual({
      code: 4,
      out: '',
      err: 'chat: the password is wrong; nothing was changed\n',
    });
    expect((await alice.run(['login', 'alice', '-q'])).code).toBe(0);
  });

  it('opens the account to the doors that show a password, and closes it again with another', async () => {
    const open = async () => {
      const body = JSON.stringify({ username: 'alice', password: alice.env.CHAT_PASSWORD });
      const headers = { 'content-type': 'application/json' };
      const at = `http://${server.address}/api/auth/login`;
      return (await fetch(at, { method: 'POST', headers, body })).status;
    };
    expect(await open()).toBe(401);
    const same = secretIn('same', alice.env.CHAT_PASSWORD ?? '');
    expect((await alice.run(['account', 'password', '--open', '--new-password-file', same])).err).toMatch(
      /^the password is changed; the account is open now; /,
    );
    expect(await open()).toBe(200);
    const third = secretIn('third', 'a third horse of alice');
    await alice.succeed(['account', 'password', '--private', '--new-password-file', third]);
    alice.env.CHAT_PASSWORD = 'a third horse of alice';
    expect(await open()).toBe(401);
    expect(await alice.succeed(['account'])).toContain('password\tprivate: no server sees it\n');
  });
});

describe('a new password', () => {
  const register = (at: ServerProcess, name: string, password: string) =>
    world.person(name, at.address.replace('0.0.0.0', '127.0.0.1')).run(['register', name, '-q'], '', {
      CHAT_PASSWORD: password,
    });

  it('that is common is warned of by a server of this machine alone, and refused by any other', async () => {
    const warned = await world
      .person('bob', server)
      .run(['register', 'bob'], '', { CHAT_PASSWORD: 'trustno1' });
    expect(warned.code).toBe(0);
    expect(warned.err).toContain('warning: this password is among the most common ones');
    const exposed = await world.serve([], { listen: '0.0.0.0:0', data: world.path('exposed') });
    const refused = 'it is among the most common ones, which are guessed first: choose another';
    expect(await register(exposed, 'bert', 'trustno1')).toEqual({
      code: 2,
      out: '',
      err: `chat: password: ${refused}\n`,
    });
    expect((await register(exposed, 'bert', 'x7 Qm-3 bz!')).code).toBe(0);
  });

  it('is no shorter than the server asks for', async () => {
    expect(await register(server, 'carol', 'x7 Qm-3')).toEqual({
      code: 2,
      out: '',
      err: 'chat: password: this server asks for at least 8 characters\n',
    });
    expect((await register(server, 'carol', 'x7 Qm-3!')).code).toBe(0);
  });
});
