import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { converse } from './support/lab.ts';
import { World } from './support/server.ts';

const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const noRecoveryKey =
  'private messages are encrypted from now on; no recovery key was kept (--recovery-file), without which a lost ' +
  'password loses them: chat keys backup makes one\n';
const quiet = (out = '') => ({ code: 0, out, err: '' });

interface Message {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
}

describe.each(['chat', 'plain'])('over %s://', (scheme) => {
  it('people register, log in, send from a pipe, read as JSON, and list who is there', async () => {
    const world = new World();
    const { address, fingerprint } = await world.serve();
    const server = `${scheme}://${address}`;
    const alice = world.person('alice', server);
    const bob = world.person('bob', server);
    const pinned = scheme === 'chat' ? `trusting ${server} from now on: ${fingerprint}\n` : '';

    expect(await alice.run(['register', 'alice'])).toEqual({
      code: 0,
      out: '',
      err: `${pinned}registered and logged in as alice\n${noRecoveryKey}`,
    });
    await bob.register();
    expect(await alice.run(['login', 'alice'])).toEqual({ code: 0, out: '', err: 'logged in as alice\n' });
    expect(await alice.run(['whoami'])).toEqual(quiet('alice\n'));
    expect(await alice.json(['whoami'])).toEqual([
      {
        user_id: uuid,
        username: 'alice',
        email: null,
        email_verified: false,
        privacy: 'private',
        admin: false,
        created_at: instant,
        second_factor: { on: false, recovery_codes_left: 0 },
        session: { id: uuid, device_id: uuid, device: expect.any(String), expires_at: instant },
      },
    ]);

    expect(await alice.run(['send'], 'the build is green\n')).toEqual(quiet());
    expect(await bob.json(['send', '@alice', 'a word', 'in private'])).toEqual([
      { id: uuid, seq: 1, sent_at: instant, to: '@alice' },
    ]);
    expect(await alice.run(['send', '#lobby', '--lines', '--key', 'k'], 'one\ntwo\nthree\n')).toEqual(
      quiet(),
    );
    expect(await alice.run(['send', '#lobby', '--lines', '--key', 'k'], 'one\ntwo\nthree\n')).toEqual(
      quiet(),
    );

    const message = (to: string, seq: number, sender: string, text: string) => ({
      to,
      seq,
      id: uuid,
      sender,
      sent_at: instant,
      text,
      ...(to.startsWith('@') && { protection: 'encrypted' }),
    });
    const lobby = ['the build is green', 'one', 'two', 'three'].map((text, index) =>
      message('#lobby', index + 1, 'alice', text),
    );
    const all = await bob.json<Message>(['tail', '#lobby', '--since', 'all', '--once']);
    expect(all).toEqual(lobby);
    expect(await bob.json(['tail', '#lobby', '--once', '-n', '2'])).toEqual(lobby.slice(2));
    expect(await bob.json(['tail', '#lobby', '--once', '--since', all[1]?.id ?? ''])).toEqual(lobby.slice(2));
    expect(await alice.json(['tail', '@bob', '--once'])).toEqual([
      message('@bob', 1, 'bob', 'a word in private'),
    ]);

    const tail = bob.start(['tail', '-n', '0', '--count', '1', '-o', 'json', '--verbose']);
    await tail.says(/following/);
    expect(await alice.run(['users'])).toEqual(quiet('alice\nbob\n'));
    await alice.succeed(['send', '@bob', 'are you there?']);
    expect(await tail.json()).toEqual(message('@alice', 2, 'alice', 'are you there?'));
    expect(await tail.ended).toMatchObject({ code: 0 });
    expect(await alice.run(['users'])).toEqual(quiet('alice\n'));
    expect(await alice.run(['users', '--all'])).toEqual(quiet('alice\nbob\n'));

    expect(await alice.run(['logout'])).toEqual({ code: 0, out: '', err: 'alice is logged out\n' });
    expect(await alice.run(['whoami'])).toEqual({
      code: 4,
      out: '',
      err: `chat: not logged in to ${server}; log in with: chat login\n`,
    });
    expect(await alice.run(['login', 'alice'])).toMatchObject({ code: 0 });
    expect(await alice.run(['whoami'])).toEqual(quiet('alice\n'));
  });

  it('a token works through another connection, and no longer after the logout', async () => {
    const world = new World();
    const { address } = await world.serve();
    const alice = await world.person('alice', `${scheme}://${address}`).register();
    const token = await alice.succeed(['token']);
    expect(token).toMatch(/^cs1_[A-Za-z0-9_-]{43}\n$/);
    const script = world.person('script', `${scheme}://${address}`);
    const env = { CHAT_TOKEN: token.trim() };
    expect(await script.succeed(['whoami'], '', env)).toBe('alice\n');
    expect(await script.succeed(['send', 'by token'], '', env)).toBe('');
    await alice.succeed(['logout']);
    expect(await script.run(['send', 'too late'], '', env)).toEqual({
      code: 4,
      out: '',
      err: 'chat: CHAT_TOKEN is not a session token that is alive on this server\n',
    });
  });
});

describe('rooms', () => {
  it('are made, listed, joined, written to and left', async () => {
    const world = new World();
    const server = await world.servePeople();
    const alice = await world.person('alice', server).register();
    const bob = await world.person('bob', server).register();

    expect(await alice.run(['join', 'ops', '--create'])).toEqual({
      code: 0,
      out: '',
      err: 'made and joined #ops\n',
    });
    expect(await bob.run(['rooms'])).toEqual(quiet('#lobby\t2\tmember\n#ops\t1\t-\n'));
    expect(await bob.run(['join', '#ops'])).toEqual({ code: 0, out: '', err: 'joined #ops\n' });
    expect(await bob.run(['room', 'members', 'ops'])).toEqual(quiet('alice\nbob\n'));
    expect(await bob.run(['send', '#ops', 'in here'])).toEqual(quiet());
    expect(await alice.json<Message>(['tail', '#ops', '--once'])).toMatchObject([
      { to: '#ops', text: 'in here' },
    ]);
    expect(await bob.run(['leave', 'ops'])).toEqual({ code: 0, out: '', err: 'left #ops\n' });
    expect(await alice.run(['room', 'members', 'ops'])).toEqual(quiet('alice\n'));
  });
});

describe('sessions', () => {
  it('are listed, and a following tail of one that is revoked ends with exit 4', async () => {
    const world = new World();
    const server = await world.servePeople();
    const alice = await world.person('alice', server).register();
    await alice.succeed(['login', 'alice', '--context', 'phone', '--device', 'phone']);
    const tail = alice.start(['tail', '--context', 'phone', '--verbose']);
    await tail.says(/following/);

    const sessions = await alice.json<{ id: string; device: string; current: boolean }>(['sessions']);
    expect(sessions.map(({ current }) => current).toSorted()).toEqual([false, true]);
    const phone = sessions.find(({ device }) => device === 'phone');
    expect(phone).toEqual({
      id: uuid,
      device: 'phone',
      door: 'line',
      address: '127.0.0.1',
      created_at: instant,
      last_used_at: instant,
      expires_at: instant,
      current: false,
    });
    expect(await alice.run(['sessions', 'revoke', phone?.id ?? ''])).toEqual({
      code: 0,
      out: '',
      err: 'ended 1 session\n',
    });
    const { code, out, err } = await tail.ended;
    // With --verbose the error's stack follows it.
    expect([code, out]).toEqual([4, '']);
    expect(err.split('\n')).toContain(
      `chat: chat://${server.address}: the session has ended: it was revoked; log in with: chat login`,
    );
    expect(await alice.succeed(['whoami'])).toBe('alice\n');
  });
});

describe('a server', () => {
  it('that is started again shows the same key and knows its sessions; a following tail reconnects without gap or repeat', async () => {
    const world = new World();
    const first = await world.servePeople();
    const alice = await world.person('alice', first).register();
    await alice.succeed(['send', 'before']);
    const tail = alice.start(['tail', '#lobby', '-o', 'json', '--verbose']);
    expect(await tail.json()).toMatchObject({ seq: 1, text: 'before' });
    await tail.says(/following/);

    const ended = await first.stop('SIGTERM');
    expect([ended.code, ended.out]).toEqual([0, `${first.address} ${first.fingerprint} ${first.data}\n`]);
    await tail.says(/; trying again\n/);
    const sent = alice.start(['send', 'while it was down', '--verbose']);
    const second = await world.serve([], { listen: first.address });
    expect([second.address, second.fingerprint]).toEqual([first.address, first.fingerprint]);
    expect((await sent.ended).code).toBe(0);
    expect(await alice.succeed(['whoami'])).toBe('alice\n');
    expect(await tail.json()).toMatchObject({ seq: 2, text: 'while it was down' });
    await alice.succeed(['send', 'after']);
    expect(await tail.json()).toMatchObject({ seq: 3, text: 'after' });
    const { code, out } = await tail.kill('SIGINT');
    expect([code, out.trim().split('\n').length]).toEqual([130, 3]);
  });

  it('that is started again at a higher cost raises an account at its next login, and its sessions stay', async () => {
    const world = new World();
    const first = await world.serve();
    const alice = await world.person('alice', `plain://${first.address}`).register();
    await first.stop();
    await world.serve([], { listen: first.address, cost: 11 });
    const challengedCost = async (): Promise<string | undefined> => {
      const message = 'n,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL';
      const request = { jsonrpc: '2.0', id: 1, method: 'login.begin', params: { message } };
      const answer = await converse(first.port, `${JSON.stringify(request)}\n`, 1);
      return /,i=(\d+),/.exec(answer)?.[1];
    };
    expect(await alice.run(['whoami'])).toEqual(quiet('alice\n'));
    expect(await challengedCost()).toBe('10');
    const elsewhere = world.person('elsewhere', `plain://${first.address}`);
    const password = { CHAT_PASSWORD: 'correct horse of alice' };
    expect(await elsewhere.run(['login', 'alice'], '', password)).toMatchObject({ code: 0 });
    expect(await challengedCost()).toBe('11');
    expect(await alice.run(['whoami'])).toEqual(quiet('alice\n'));
    expect(await alice.run(['login', 'alice'])).toMatchObject({ code: 0 });
    // Whoever has seen the new cost accepts no lower one from now on.
    for (const { home } of [alice, elsewhere]) {
      const known = await readFile(join(home, 'state', 'chat', 'known_servers.json'), 'utf8');
      expect(JSON.parse(known)[`plain://${first.address}`].logins.alice.cost).toBe(11);
    }
  });

  it('tells whoever is connected that it is shutting down, and closes', async () => {
    const world = new World();
    const server = await world.serve();
    const socket = connect(server.port, '127.0.0.1');
    socket.setEncoding('utf8');
    socket.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
    let text = '';
    for await (const chunk of socket) {
      if (text === '') server.running.child.kill('SIGTERM');
      text += chunk;
    }
    expect(text.replace(/"time":"[^"]*"/, '"time":"…"')).toBe(
      '{"jsonrpc":"2.0","id":1,"result":{"time":"…","protocol":1}}\n{"jsonrpc":"2.0","method":"session-ended","params":{"reason":"shutting-down"}}\n',
    );
    expect((await server.running.ended).code).toBe(0);
  });

  it('does not start on a directory that another one holds: exit 3, and the process is named', async () => {
    const world = new World();
    const first = await world.servePeople();
    const { code, out, err } = await world.startServer().ended;
    expect([code, out]).toEqual([3, '']);
    expect(err.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'THEN')).toBe(
      `chat: the data directory ${first.data} is in use by another chat server (process ${first.running.child.pid}, since THEN): stop that one, or give another directory with --data\n`,
    );
    expect(await (await world.person('alice', first).register()).succeed(['whoami'])).toBe('alice\n');
  });
});

describe('a tail whose reader goes away', () => {
  it('ends quietly', async () => {
    const world = new World();
    const server = await world.servePeople(['--messages-per-second', '0']);
    const alice = await world.person('alice', server).register();
    const count = 3_000;
    await alice.does(
      ['send', '--lines'],
      Array.from({ length: count }, (_, index) => `line ${index} ${'x'.repeat(80)}\n`).join(''),
    );
    const tail = alice.start(['tail', '#lobby', '--since', 'all', '-o', 'json']);
    expect(await tail.json()).toMatchObject({ seq: 1 });
    tail.child.stdout?.destroy();
    const { code, err } = await tail.ended;
    expect([code, err]).toEqual([0, '']);
  });

  it('ends quietly too when it is idle, at the latest with the next message', async () => {
    const world = new World();
    const server = await world.servePeople();
    const alice = await world.person('alice', server).register();
    await alice.does(['send', 'one']);
    const tail = alice.start(['tail', '#lobby', '--verbose']);
    expect(await tail.line()).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d alice: one$/);
    await tail.says(/following/);
    const before = tail.err;
    tail.child.stdout?.destroy();
    await alice.does(['send', 'two']);
    expect(await tail.ended).toEqual({ code: 0, out: expect.stringContaining(' alice: one'), err: before });
  });
});
