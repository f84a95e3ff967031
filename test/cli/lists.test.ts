import { describe, expect, it } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { loggedIn } from './support/logged-in.ts';

const alice = { username: 'alice', online: true };
const bob = { username: 'bob', online: false };

describe('chat whoami', () => {
  it('prints the name, and the account as the server knows it with -o json', async () => {
    const me = { user_id: 'u', username: 'alice', email: null, privacy: 'private', admin: false };
    const { run } = await loggedIn({ 'account.me': me });
    expect(await run('whoami')).toEqual({ code: 0, stdout: 'alice\n', stderr: '' });
    expect(JSON.parse((await run('whoami', '-o', 'json')).stdout)).toEqual(me);
  });
});

describe('chat account', () => {
  const me = {
    user_id: 'u',
    username: 'alice',
    email: null,
    email_verified: false,
    privacy: 'private',
    admin: false,
    second_factor: { on: true, recovery_codes_left: 9 },
    created_at: '2026-11-21T06:00:00.000Z',
  };

  it('prints a line for each thing about the account, and one object with -o json', async () => {
    const { run } = await loggedIn({ 'account.me': me });
    expect(await run('account')).toEqual({
      code: 0,
      stdout:
        'name\talice\ne-mail\t-\npassword\tprivate: no server sees it\nsecond factor\ton, 9 recovery codes left\nsince\t2026-11-21 06:00:00\n',
      stderr: '',
    });
    expect(JSON.parse((await run('account', '-o', 'json')).stdout)).toEqual(me);
  });

  it.each([
    [true, 'a@example.org'],
    [false, 'a@example.org (not confirmed)'],
  ])('says whether an address is confirmed: %s', async (email_verified, shown) => {
    const { run } = await loggedIn({ 'account.me': { ...me, email: 'a@example.org', email_verified } });
    expect((await run('account')).stdout).toContain(`e-mail\t${shown}\n`);
  });

  it('says when the account is to be erased', async () => {
    const { run } = await loggedIn({ 'account.me': { ...me, erases_at: '2026-11-28T06:00:00.000Z' } });
    expect((await run('account')).stdout).toContain(
      'to be erased\t2026-11-28 06:00:00: chat account erase --cancel keeps it\n',
    );
  });

  it('shows what a bad server made up escaped', async () => {
    const { run } = await loggedIn({
      'account.me': { ...me, email: 'a\u001b[2J@b.example', privacy: 'open' },
    });
    const { stdout } = await run('account');
    expect(stdout).toContain('e-mail\ta\\x1b[2J@b.example (not confirmed)\n');
    expect(stdout).toContain('password\topen: works at every door\n');
  });
});

describe('chat users', () => {
  const paged = () =>
    loggedIn({
      'user.list': ({ after }) =>
        after === undefined ? { users: [alice], next: 'alice' } : { users: [bob], next: null },
    });

  it('prints one name a line over all pages', async () => {
    const world = await paged();
    expect(await world.run('users')).toEqual({ code: 0, stdout: 'alice\nbob\n', stderr: '' });
    expect(world.server.calls.map(({ params }) => params)).toEqual([{}, { after: 'alice' }]);
  });

  it('asks for everybody with --all, and prints objects with -o json', async () => {
    const world = await paged();
    const { stdout } = await world.run('users', '--all', '-o', 'json');
    expect(stdout).toBe(`${JSON.stringify(alice)}\n${JSON.stringify(bob)}\n`);
    expect(world.server.calls.map(({ params }) => params)).toEqual([
      { all: true },
      { all: true, after: 'alice' },
    ]);
  });

  it('shows a name that a bad server made up escaped', async () => {
    const { run } = await loggedIn({
      'user.list': { users: [{ username: 'a\u001b[2J\nb', online: true }], next: null },
    });
    expect((await run('users')).stdout).toBe('a\\x1b[2J\\nb\n');
  });
});

describe('chat rooms', () => {
  const rooms = {
    rooms: [
      { room: '#lobby', members: 12, member: true, last_seq: 3 },
      { room: '#operations', members: 3, member: false, last_seq: 0 },
    ],
    next: null,
  };

  it('prints columns separated by a tab in a script, aligned on a terminal', async () => {
    expect((await (await loggedIn({ 'room.list': rooms })).run('rooms')).stdout).toBe(
      '#lobby\t12\tmember\n#operations\t3\t-\n',
    );
    const terminal = await loggedIn({ 'room.list': rooms }, { terminal: true });
    expect((await terminal.run('rooms')).stdout).toBe('#lobby       12  member\n#operations  3   -\n');
  });

  it('prints objects with -o json', async () => {
    const { stdout } = await (await loggedIn({ 'room.list': rooms })).run('rooms', '-o', 'json');
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(rooms.rooms);
  });
});

describe('chat room members', () => {
  it.each(['#ops', 'ops', '#Ops'])('takes %s and prints one name a line', async (room) => {
    const world = await loggedIn({ 'room.members': { members: [alice, bob], next: null } });
    expect(await world.run('room', 'members', room)).toEqual({ code: 0, stdout: 'alice\nbob\n', stderr: '' });
    expect(world.server.calls).toEqual([{ name: 'room.members', params: { room: '#ops' } }]);
  });

  it('of an unknown room is exit 6, of a bad name exit 2, of none exit 2', async () => {
    const world = await loggedIn({ 'room.members': new ChatError('not-found', 'no such room') });
    expect(await world.run('room', 'members', 'none')).toMatchObject({
      code: 6,
      stderr: 'chat: no such room\n',
    });
    expect(await world.run('room', 'members', '@bob')).toMatchObject({ code: 2 });
    expect(await world.run('room', 'members')).toMatchObject({
      code: 2,
      stderr: 'chat: chat room members needs ROOM\n',
    });
  });
});

describe('chat join and leave', () => {
  const missing = new ChatError('not-found', 'no such room');

  it('join a room, also one that one is in', async () => {
    const { run } = await loggedIn({ 'room.join': { room: '#ops', joined: false } });
    expect(await run('join', 'ops')).toEqual({ code: 0, stdout: '', stderr: 'joined #ops\n' });
    expect((await run('join', 'ops', '-o', 'json', '-q')).stdout).toBe('{"room":"#ops","created":false}\n');
  });

  it('make a missing room only with --create', async () => {
    const world = await loggedIn({ 'room.join': missing, 'room.create': { room: '#ops' } });
    expect(await world.run('join', '#ops')).toMatchObject({ code: 6, stderr: 'chat: no such room\n' });
    expect(await world.run('join', '#ops', '--create')).toMatchObject({
      code: 0,
      stderr: 'made and joined #ops\n',
    });
    expect(world.server.calls.map(({ name }) => name)).toEqual(['room.join', 'room.join', 'room.create']);
  });

  it('join after all when another was faster to make the room', async () => {
    let exists = false;
    const { run } = await loggedIn({
      'room.join': () => {
        if (!exists) throw missing;
        return { room: '#ops', joined: true };
      },
      'room.create': () => {
        exists = true;
        throw new ChatError('conflict', 'the room exists');
      },
    });
    expect(await run('join', 'ops', '--create')).toMatchObject({ code: 0, stderr: 'joined #ops\n' });
  });

  it('leave a room, and pass on what forbids it', async () => {
    const world = await loggedIn({
      'room.leave': ({ room }) => {
        if (room === '#lobby') throw new ChatError('forbidden', 'everybody is in #lobby');
        return { room: '#ops' };
      },
    });
    expect(await world.run('leave', 'ops')).toEqual({ code: 0, stdout: '', stderr: 'left #ops\n' });
    expect(await world.run('leave', '#lobby')).toMatchObject({
      code: 5,
      stderr: 'chat: everybody is in #lobby\n',
    });
  });
});

describe('chat sessions', () => {
  const id = '0193a6b0-0000-7000-8000-00000000000a';
  const session = {
    id,
    device: 'lap\ttop',
    door: 'line',
    address: '127.0.0.1',
    created_at: '2026-11-20T06:00:00.000Z',
    last_used_at: '2026-11-21T05:59:00.000Z',
    expires_at: '2026-11-22T06:00:00.000Z',
    current: true,
  };

  it('prints a line a session', async () => {
    const { run } = await loggedIn({
      'session.list': { sessions: [session, { ...session, current: false }] },
    });
    const columns = `${id}\tlap\\ttop\tline\t127.0.0.1\t2026-11-20 06:00:00\t2026-11-21 05:59:00\t2026-11-22 06:00:00`;
    expect((await run('sessions')).stdout).toBe(`${columns}\tthis one\n${columns}\t\n`);
    expect(JSON.parse((await run('sessions', '-o', 'json')).stdout.split('\n')[0] ?? '')).toEqual(session);
  });

  it('revoke --all ends this one too, says so, and forgets the login here', async () => {
    const world = await loggedIn({
      'session.list': { sessions: [session] },
      'certificate.list': { certificates: [] },
      'session.revoke': { revoked: [id, id] },
    });
    expect(await world.run('sessions', 'revoke', '--all')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'ended 2 sessions, this one too: alice is logged out here\n',
    });
    expect(world.server.calls.map(({ params }) => params)).toEqual([{}, {}, { all: true }]);
    expect((await world.run('sessions')).code).toBe(4);
  });

  it('rename names the device of one', async () => {
    const world = await loggedIn({ 'session.rename': ({ device }) => ({ device }) });
    expect(await world.run('sessions', 'rename', id.toUpperCase(), 'the\tlaptop')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'renamed to the\\tlaptop\n',
    });
    expect(await world.run('sessions', 'rename', id, 'pc', '-q', '-o', 'json')).toEqual({
      code: 0,
      stdout: '{"device":"pc"}\n',
      stderr: '',
    });
    expect(world.server.calls[0]).toEqual({
      name: 'session.rename',
      params: { id, device: 'the\tlaptop' },
    });
    expect(await world.run('sessions', 'rename', 'first', 'pc')).toMatchObject({ code: 2 });
    expect(await world.run('sessions', 'rename', id)).toMatchObject({ code: 2 });
  });

  it('revoke ends one, or all others', async () => {
    const world = await loggedIn({
      'session.list': { sessions: [{ ...session, current: false }] },
      'certificate.list': { certificates: [] },
      'session.revoke': ({ id: one }) => ({ revoked: one === undefined ? [id, id] : [one] }),
    });
    expect(await world.run('sessions', 'revoke', id.toUpperCase())).toEqual({
      code: 0,
      stdout: '',
      stderr: 'ended 1 session\n',
    });
    expect(await world.run('sessions', 'revoke', '--others', '-o', 'json', '-q')).toEqual({
      code: 0,
      stdout: `{"revoked":["${id}","${id}"]}\n`,
      stderr: '',
    });
    expect(world.server.calls.map(({ params }) => params)).toEqual([
      {},
      {},
      { id },
      {},
      {},
      { others: true },
    ]);
  });

  it('revoke of this one says so, and forgets the login here', async () => {
    const world = await loggedIn({
      'session.list': { sessions: [session] },
      'certificate.list': { certificates: [] },
      'session.revoke': { revoked: [id] },
    });
    expect(await world.run('sessions', 'revoke', id)).toEqual({
      code: 0,
      stdout: '',
      stderr: 'ended 1 session, this one: alice is logged out here\n',
    });
    expect((await world.run('sessions')).code).toBe(4);
  });

  it.each([
    [[], 'chat sessions revoke needs an ID (see chat sessions), --others or --all'],
    [[id, '--others'], 'ID and --others cannot be given together'],
    [[id, '--all'], 'ID and --all cannot be given together'],
    [['--others', '--all'], '--others and --all cannot be given together: they name different sessions'],
    [['first'], '"first" is not a session\'s ID (see chat sessions)'],
  ])('revoke %j is exit 2', async (argv, text) => {
    const world = await loggedIn();
    expect(await world.run('sessions', 'revoke', ...argv)).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${text}\n`,
    });
    expect(world.server.opened).toBe(0);
  });
});

describe('chat token', () => {
  it('prints the token, silently in a script', async () => {
    const { run } = await loggedIn();
    expect(await run('token')).toEqual({ code: 0, stdout: 'cs1_first\n', stderr: '' });
    expect((await run('token', '-o', 'json')).stdout).toBe(
      '{"session_token":"cs1_first","username":"alice","expires_at":"2026-11-22T06:00:00.000Z"}\n',
    );
  });

  it('warns on a terminal', async () => {
    const { run } = await loggedIn({}, { terminal: true });
    expect((await run('token')).stderr).toBe(
      'warning: whoever sees this token is logged in as you until it ends (chat logout)\n',
    );
  });
});
