import { describe, expect, it } from 'vitest';
import { loggedIn } from './support/logged-in.ts';

describe('chat admin', () => {
  const account = {
    user_id: 'u',
    username: 'alice',
    email: null,
    privacy: 'private',
    admin: true,
    disabled_at: null,
    erases_at: null,
    created_at: '2026-11-21T09:30:00.000Z',
    online: true,
  };

  it('users prints columns for scripts, and objects with -o json, over all pages', async () => {
    const bob = {
      ...account,
      username: 'bob',
      email: 'bob@example.org',
      admin: false,
      online: false,
      disabled_at: account.created_at,
    };
    const erases_at = '2026-11-28T09:30:00.000Z';
    const carol = { ...bob, username: 'carol', erases_at };
    const dan = { ...carol, username: 'dan', disabled_at: null };
    const world = await loggedIn({
      'admin.users': ({ after }) =>
        after === undefined ? { users: [account], next: 'alice' } : { users: [bob, carol, dan], next: null },
    });
    expect(await world.run('admin', 'users')).toEqual({
      code: 0,
      stdout: [
        'alice\tadministrator\t-\t2026-11-21 09:30:00\tonline\n',
        'bob\tuser\tbob@example.org\t2026-11-21 09:30:00\tdisabled\n',
        'carol\tuser\tbob@example.org\t2026-11-21 09:30:00\tdisabled, to be erased at 2026-11-28 09:30:00\n',
        'dan\tuser\tbob@example.org\t2026-11-21 09:30:00\tto be erased at 2026-11-28 09:30:00\n',
      ].join(''),
      stderr: '',
    });
    const { stdout } = await world.run('admin', 'users', '-o', 'json');
    expect(stdout).toBe([account, bob, carol, dan].map((user) => `${JSON.stringify(user)}\n`).join(''));
  });

  it('claim hands the code over as it was typed', async () => {
    const world = await loggedIn({ 'admin.claim': { username: 'alice' } });
    expect(await world.run('admin', 'claim', 'k7qm 2f0v')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'alice is the administrator of this server\n',
    });
    expect(await world.run('admin', 'claim', 'x', '-q', '-o', 'json')).toEqual({
      code: 0,
      stdout: '{"username":"alice"}\n',
      stderr: '',
    });
    expect(world.server.calls.map(({ params }) => params)).toEqual([{ code: 'k7qm 2f0v' }, { code: 'x' }]);
  });

  it('claim asks for the code at a terminal, and in a script says that it is missing', async () => {
    const answers = { 'admin.claim': { username: 'alice' } };
    const terminal = await loggedIn(answers, { terminal: true, typed: [' k7qm '] });
    expect((await terminal.run('admin', 'claim')).code).toBe(0);
    expect(terminal.server.calls.map(({ params }) => params)).toEqual([{ code: 'k7qm' }]);
    const script = await loggedIn(answers);
    expect(await script.run('admin', 'claim')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'chat: CODE is missing\n',
    });
  });

  it('names a mistyped subcommand', async () => {
    const { run } = await loggedIn();
    expect(await run('admin', 'user')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'chat: chat admin: unexpected "user"; did you mean users? (see chat admin --help)\n',
    });
  });

  it('alone says where its subcommands stand', async () => {
    const { run } = await loggedIn();
    expect(await run('admin')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'chat: chat admin takes a subcommand: see chat admin --help\n',
    });
  });

  it.each([
    ['disable', 'admin.disable', { username: 'bob' }, 'bob is disabled, and its sessions have ended'],
    ['enable', 'admin.enable', { username: 'bob' }, 'bob is enabled'],
    [
      'revoke',
      'admin.set-administrator',
      { username: 'bob', admin: false },
      'bob is no administrator any more',
    ],
  ])('%s asks for it and says what was done', async (name, operation, params, said) => {
    const world = await loggedIn({ [operation]: {} });
    expect(await world.run('admin', name, '@Bob')).toEqual({ code: 0, stdout: '', stderr: `${said}\n` });
    expect(world.server.calls).toEqual([{ name: operation, params }]);
    expect(await world.run('admin', name, 'bob', '-q', '-o', 'json')).toEqual({
      code: 0,
      stdout: '{"username":"bob"}\n',
      stderr: '',
    });
    expect((await world.run('admin', name)).code).toBe(2);
    expect((await world.run('admin', name, 'b ob')).code).toBe(2);
  });

  it('grant gives a fresh proof of the own password, and asks for it', async () => {
    const answers = {
      'account.me': { second_factor: { on: false, recovery_codes_left: 0 } },
      'admin.set-administrator': {},
    };
    const world = await loggedIn(answers, { env: { CHAT_PASSWORD: 'secret' } });
    expect(await world.run('admin', 'grant', '@Bob')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'bob is an administrator\n',
    });
    const proof = { exchange: 'exchange of alice', message: 'proof of secret' };
    expect(world.server.calls.slice(1)).toEqual([
      { name: 'admin.set-administrator', params: { username: 'bob', admin: true, proof } },
    ]);
    expect((await world.run('admin', 'grant', 'bob', '-q', '-o', 'json')).stdout).toBe(
      '{"username":"bob"}\n',
    );
    expect((await world.run('admin', 'grant')).code).toBe(2);
    const script = await loggedIn(answers);
    const outcome = await script.run('admin', 'grant', 'bob');
    expect([outcome.code, script.server.calls]).toEqual([2, []]);
    expect(outcome.stderr).toContain('a password is needed');
  });

  it('totp off takes a second factor away, for a fresh proof of the own password', async () => {
    const me = { second_factor: { on: false, recovery_codes_left: 0 } };
    const taken = (ended_sessions: number) => ({ username: 'bob', ended_sessions });
    const answers = { 'account.me': me, 'admin.take-second-factor': taken(1) };
    const world = await loggedIn(answers, { env: { CHAT_PASSWORD: 'secret' } });
    const said = (ended: string) => ({
      code: 0,
      stdout: '',
      stderr: `bob has no second factor any more; ended ${ended}\n`,
    });
    expect(await world.run('admin', 'totp', 'off', '@Bob')).toEqual(said('1 session'));
    const proof = { exchange: 'exchange of alice', message: 'proof of secret' };
    expect(world.server.calls.slice(1)).toEqual([
      { name: 'admin.take-second-factor', params: { username: 'bob', proof } },
    ]);
    world.server.answers['admin.take-second-factor'] = taken(2);
    expect(await world.run('admin', 'totp', 'off', 'bob')).toEqual(said('2 sessions'));
    const { stdout } = await world.run('admin', 'totp', 'off', 'bob', '-q', '-o', 'json');
    expect(JSON.parse(stdout)).toEqual(taken(2));
    world.server.calls.length = 0;
    for (const argv of [[], ['off'], ['off', 'a', 'b'], ['off', 'no name'], ['bob']])
      expect([(await world.run('admin', 'totp', ...argv)).code, world.server.calls]).toEqual([2, []]);
    const script = await loggedIn(answers);
    const outcome = await script.run('admin', 'totp', 'off', 'bob');
    expect([outcome.code, script.server.calls]).toEqual([2, []]);
    expect(outcome.stderr).toContain('a password is needed');
  });

  const made = {
    id: '01a1fd8f-8de3-750f-b5a3-c220b878d450',
    code: 'K7QM-2F0V',
    uses: 1,
    expires_at: account.created_at,
    registration: 'invite',
  };

  it('invite prints the code on stdout, and until when it is good on stderr', async () => {
    const world = await loggedIn({ 'admin.create-invite': ({ uses }) => ({ ...made, uses }) });
    expect(await world.run('admin', 'invite')).toEqual({
      code: 0,
      stdout: 'K7QM-2F0V\n',
      stderr: 'good for one account, until 2026-11-21 09:30:00 (UTC)\n',
    });
    const many = await world.run('admin', 'invite', '--uses', '1000', '--expires', '90d', '-o', 'json');
    expect(JSON.parse(many.stdout)).toEqual({ ...made, uses: 1_000 });
    await world.run('admin', 'invite', '--expires', '1s');
    expect(world.server.calls.map(({ params }) => params)).toEqual([
      { uses: 1, expires_in_s: 3_600 },
      { uses: 1_000, expires_in_s: 7_776_000 },
      { uses: 1, expires_in_s: 1 },
    ]);
  });

  it.each([
    ['open', 'but everybody may register on this server now, without an invite'],
    ['closed', 'but this server takes no invites now: start it with chat serve --registration invite'],
  ])('invite says that it counts for nothing where registration is %s', async (registration, remark) => {
    const { run } = await loggedIn({ 'admin.create-invite': { ...made, registration } });
    expect(await run('admin', 'invite')).toEqual({
      code: 0,
      stdout: 'K7QM-2F0V\n',
      stderr: `good for one account, until 2026-11-21 09:30:00 (UTC)\n${remark}\n`,
    });
  });

  it.each([
    ['--uses', '0'],
    ['--uses', '1001'],
    ['--uses', '-1'],
    ['--uses', 'x'],
    ['--expires', '0.5s'],
    ['--expires', '91d'],
    ['--expires', '1'],
    ['--expires', 'tomorrow'],
  ])('invite refuses %s %s before it connects', async (flag, value) => {
    const world = await loggedIn();
    const { code, stdout, stderr } = await world.run('admin', 'invite', `${flag}=${value}`);
    expect({ code, stdout, opened: world.server.opened }).toEqual({ code: 2, stdout: '', opened: 0 });
    expect(stderr).toContain(flag);
  });

  it('stats prints a name and a value a line, and one object with -o json', async () => {
    const stats = { version: '0.1.0', uptime_s: 12, accounts: 3 };
    const world = await loggedIn({ 'admin.stats': stats });
    expect((await world.run('admin', 'stats')).stdout).toBe('version\t0.1.0\nuptime_s\t12\naccounts\t3\n');
    expect(JSON.parse((await world.run('admin', 'stats', '-o', 'json')).stdout)).toEqual(stats);
  });

  it('stats has a line for each door and each warning, and - for what is not known', async () => {
    const doors = [
      { door: 'line', tls: true, connections: 2 },
      { door: 'websocket', tls: false, connections: 1 },
    ];
    const stats = { doors, backup_at: null, warnings: ['the disk is nearly full', 'there is no backup'] };
    const world = await loggedIn({ 'admin.stats': stats });
    expect((await world.run('admin', 'stats')).stdout).toBe(
      'connections_line_tls\t2\nconnections_websocket\t1\nbackup_at\t-\nwarning\tthe disk is nearly full\nwarning\tthere is no backup\n',
    );
  });

  it('backup prints name, size and digest', async () => {
    const made = { name: 'chat-20261121T153002Z-3f9a01.db', bytes: 4_096, sha256: 'ab'.repeat(32) };
    const world = await loggedIn({ 'admin.backup': made });
    expect(await world.run('admin', 'backup')).toEqual({
      code: 0,
      stdout: `${made.name}\t4096\t${made.sha256}\n`,
      stderr: '',
    });
    expect(JSON.parse((await world.run('admin', 'backup', '-o', 'json')).stdout)).toEqual(made);
  });

  it('check says what is sound, and ends with 3 for what is not', async () => {
    const sound = { name: null, bytes: 4_096, format: 5, faults: [] as string[] };
    const world = await loggedIn({
      'admin.check': ({ name }) =>
        name === undefined ? sound : { ...sound, name, faults: ['page 3 is never used', 'page 4 too'] },
    });
    expect(await world.run('admin', 'check')).toEqual({
      code: 0,
      stdout: 'the database is sound, format 5, 4096 bytes\n',
      stderr: '',
    });
    expect(await world.run('admin', 'check', 'a.db')).toEqual({
      code: 3,
      stdout: 'a.db is not sound: page 3 is never used\na.db is not sound: page 4 too\n',
      stderr: '',
    });
    expect(world.server.calls.map(({ params }) => params)).toEqual([{}, { name: 'a.db' }]);
  });

  it('invites lists them over all pages, and takes one back', async () => {
    const invite = {
      id: made.id,
      by: 'alice',
      created_at: account.created_at,
      expires_at: account.created_at,
      uses: 3,
      uses_left: 2,
    };
    const world = await loggedIn({
      'admin.invites': ({ after }) =>
        after === undefined
          ? { invites: [invite], next: made.id }
          : { invites: [{ ...invite, by: null }], next: null },
      'admin.revoke-invite': {},
    });
    const columns = `${made.id}\t2 of 3\t2026-11-21 09:30:00`;
    expect((await world.run('admin', 'invites')).stdout).toBe(`${columns}\talice\n${columns}\t-\n`);
    expect(await world.run('admin', 'invites', 'revoke', made.id.toUpperCase())).toEqual({
      code: 0,
      stdout: '',
      stderr: 'took 1 invite back\n',
    });
    expect(world.server.calls.at(-1)).toEqual({ name: 'admin.revoke-invite', params: { id: made.id } });
    expect(await world.run('admin', 'invites', 'revoke', 'first')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'chat: "first" is not an invite\'s ID (see chat admin invites)\n',
    });
  });
});

describe('chat admin without a login', () => {
  const secret = ['--cluster-secret', '/nowhere/cluster-secret'];
  const store = 'postgres://chat@127.0.0.1:1/chat';
  const bad = (text: string) => ({ code: 2, stdout: '', stderr: expect.stringContaining(text) });

  it('takes the database by CHAT_STORE or --store, and says what is missing, cannot be, or is no place for a password', async () => {
    const world = await loggedIn({});
    const reset = (...words: string[]) => world.run('admin', 'reset', 'alice', ...words);
    expect(await reset(...secret)).toEqual(
      bad('chat: --cluster-secret needs the database too: set CHAT_STORE,'),
    );
    expect(await reset('--store', store)).toEqual(bad('chat: --store needs --cluster-secret FILE too'));
    expect(await reset('--data', '/x', ...secret)).toEqual(
      bad(
        'chat: --data and --cluster-secret cannot be given together: a server has its accounts in one place',
      ),
    );
    expect(await reset('--data', '/x', '--store', store)).toEqual(
      bad('chat: --data and --store cannot be given together'),
    );
    expect(await reset(...secret, '--store', store, '--otp', '123456')).toEqual(
      bad('chat: --cluster-secret and --otp cannot be given together: nobody logs in there'),
    );
    expect(await reset(...secret, '--store', store.replace('chat@', 'chat:pw@'))).toEqual(bad('CHAT_STORE'));
    expect(await reset(...secret, '--store', 'mysql://x')).toEqual(bad('chat: --store'));
    expect(await world.run('admin', 'totp', 'off', 'alice', ...secret, '--store', store)).toEqual(
      bad('chat: --cluster-secret: /nowhere/cluster-secret is not there'),
    );
    expect(world.server.calls).toEqual([]);
  });

  it('is not what CHAT_STORE alone asks for, which may be set for a server', async () => {
    const me = { second_factor: { on: false, recovery_codes_left: 0 } };
    const issued = { username: 'bob', code: 'K7QM-2F0V', expires_at: '2026-11-28T09:30:00.000Z' };
    const world = await loggedIn(
      { 'account.me': me, 'admin.reset': issued },
      { env: { CHAT_STORE: store, CHAT_CLUSTER_SECRET: '/nowhere', CHAT_PASSWORD: 'secret' } },
    );
    expect(await world.run('admin', 'reset', 'bob')).toMatchObject({ code: 0, stdout: 'K7QM-2F0V\n' });
    expect(world.server.calls.at(-1)).toMatchObject({ name: 'admin.reset', params: { username: 'bob' } });
  });
});
