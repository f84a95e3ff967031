import { chmod, chown, mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { spanText } from '../../src/cli/doctor/login.ts';
import { runStep } from '../../src/cli/doctor/step.ts';
import type { Finding } from '../../src/cli/findings.ts';
import { ChatError } from '../../src/core/errors.ts';
import {
  type FakeServer,
  fakeClient,
  fakeServer,
  otherFingerprint,
  serverFingerprint,
} from './support/fake-client.ts';
import { type FakeHost, fakeHost, type Outside, runOn, testNow } from './support/fake-host.ts';
import { loggedIn } from './support/logged-in.ts';

const pong = (skewMs = 0, protocol: unknown = 1) => ({
  ping: () => ({ time: new Date(testNow - skewMs).toISOString(), protocol }),
});

/** What the doctor says, by the names of its checks; and how it ends. */
async function examine(host: FakeHost, ...flags: string[]) {
  const { code, stdout, stderr } = await runOn(host, 'doctor', '-o', 'json', ...flags);
  const all: Finding[] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const of = (check: string): string[] =>
    all
      .filter((finding) => finding.check === check)
      .map(({ status, message }) => `${status} ${message.replaceAll(host.stateHome, 'HOME')}`);
  return { code, stderr, all, of };
}

/** The doctor on a machine on which nobody has used chat yet. */
async function examineNew(server: FakeServer, flags: string[] = [], outside: Outside = {}) {
  return await examine(await fakeHost({ ...outside, client: fakeClient(server) }), ...flags);
}

// What takes time is not what is tested: every answer comes at once.
beforeEach(() => {
  vi.spyOn(performance, 'now').mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('chat doctor', () => {
  it('says ok for everything that is as it should be, one line each, and exits 0', async () => {
    const { host } = await loggedIn(pong(), { env: { LANG: 'C.UTF-8' } });
    const { code, stdout, stderr } = await runOn(host, 'doctor');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replaceAll(host.stateHome, 'HOME')).toBe(
      [
        'ok\tversion\tchat 1.2.3, protocol 1, on linux',
        'ok\tsettings\tserver chat://127.0.0.1:8080 (default)',
        'ok\tstate\tHOME/chat is yours (0700)',
        'ok\tconfig\tHOME/config/chat is made by what you save there',
        'ok\tlocks\tnone is held or left behind',
        'ok\tserver\tchat://127.0.0.1:8080 is reached over TLS in 0 ms',
        `ok\tkey\t${serverFingerprint}, as it was remembered`,
        'ok\tround trip\t0.0 ms',
        "ok\tclock\t0.0 s from the server's",
        'ok\tprotocol\t1, here and there',
        'ok\tlogin\talice is logged in to chat://127.0.0.1:8080; the session ends in 24 h, commands refresh it',
        'ok\tterminal\tno terminal: columns are separated by tabs, and nothing is asked',
        'ok\tlocale\tLANG=C.UTF-8',
        '',
      ].join('\n'),
    );
  });

  it('prints objects with -o json, also with --quiet', async () => {
    const { all } = await examineNew(fakeServer(pong()), ['--quiet']);
    expect(all[0]).toEqual({
      check: 'version',
      status: 'ok',
      message: 'chat 1.2.3, protocol 1, on linux',
    });
  });

  it('aligns columns on a terminal', async () => {
    const { host } = await loggedIn(pong(), { terminal: true, env: { LANG: 'C.UTF-8' } });
    expect((await runOn(host, 'doctor')).stdout).toContain('\nok    round trip    ');
  });

  it('changes nothing on a machine that is new to chat', async () => {
    const host = await fakeHost({ client: fakeClient(fakeServer(pong())) });
    const { code, of } = await examine(host);
    expect([code, of('state')]).toEqual([0, ['ok HOME/chat is made by the first login']]);
    expect(await readdir(host.stateHome)).toEqual([]);
  });
});

describe('the doctor on settings', () => {
  it('says what is set and by what', async () => {
    const { of } = await examineNew(fakeServer(pong()), ['--context', 'work'], {
      env: { CHAT_SERVER: 'localhost:1' },
    });
    expect(of('settings')).toEqual([
      'ok server chat://localhost:1 (CHAT_SERVER), context work (--context), output json (--output)',
    ]);
  });

  it('runs with a settings file that does not fit, tells all of it, and ends with 2', async () => {
    const host = await fakeHost({ client: fakeClient(fakeServer(pong())) });
    const directory = join(host.stateHome, 'config', 'chat');
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'config.yaml'), 'sever: a\nquiet: 3\n');
    await chmod(join(directory, 'config.yaml'), 0o666);
    const { code, of } = await examine(host);
    expect([code, of('settings')]).toEqual([
      2,
      [
        'fail HOME/config/chat/config.yaml:1: sever: there is no such setting; did you mean server?',
        'fail HOME/config/chat/config.yaml:2: quiet takes true or false, not 3',
        "warn HOME/config/chat/config.yaml can be written by other users, who can send you to another server; run: chmod go-w 'HOME/config/chat/config.yaml'",
      ],
    ]);
  });
});

describe('the doctor on files', () => {
  it('warns of directories that are open to others', async () => {
    const { host } = await loggedIn(pong());
    await mkdir(join(host.stateHome, 'config', 'chat'), { recursive: true });
    await chmod(join(host.stateHome, 'config', 'chat'), 0o777);
    await chmod(join(host.stateHome, 'chat'), 0o750);
    const { code, of } = await examine(host);
    expect([code, of('state'), of('config')]).toEqual([
      0,
      ["warn HOME/chat is open to other users (0750); run: chmod 700 'HOME/chat'"],
      ["warn HOME/config/chat can be written by other users (0777); run: chmod 700 'HOME/config/chat'"],
    ]);
  });

  it('fails for a state directory that is a link, and for one that is a file', async () => {
    const linked = await fakeHost({ client: fakeClient(fakeServer(pong())) });
    await mkdir(join(linked.stateHome, 'elsewhere'));
    await symlink(join(linked.stateHome, 'elsewhere'), join(linked.stateHome, 'chat'));
    const link = await examine(linked);
    expect([link.code, link.of('state')]).toEqual([
      2,
      ['fail HOME/chat: is a symbolic link; chat keeps its secrets in a directory of its own'],
    ]);
    const file = await fakeHost({ client: fakeClient(fakeServer(pong())) });
    await mkdir(join(file.stateHome, 'config'));
    await writeFile(join(file.stateHome, 'config', 'chat'), '');
    await writeFile(join(file.stateHome, 'chat'), '');
    const both = await examine(file);
    expect([...both.of('state'), ...both.of('config'), ...both.of('locks')]).toEqual([
      'fail HOME/chat: is no directory; move it away',
      'fail HOME/config/chat: is no directory; move it away',
      'ok none is held or left behind',
    ]);
  });

  it.runIf(process.getuid?.() === 0)('explains a state directory of another user', async () => {
    const { host } = await loggedIn(pong());
    await chown(join(host.stateHome, 'chat'), 1234, 1234);
    const { code, of } = await examine(host);
    expect([code, of('state')]).toEqual([
      2,
      [
        'fail HOME/chat: belongs to user 1234, and this is user 0; was chat run with sudo? Give it back (chown -R 0), or name another directory with XDG_STATE_HOME',
      ],
    ]);
  });

  it('fails for a login that others can read', async () => {
    const { host } = await loggedIn(pong());
    const path = join(host.stateHome, 'chat', 'logins', 'default.chat_127.0.0.1_8080.json');
    await chmod(path, 0o644);
    const { code, of } = await examine(host);
    expect(code).toBe(2);
    expect(of('state')[1]).toMatch(
      /^fail HOME\/chat\/logins\/default\.chat_.*: can be read by other users; see who did/,
    );
  });

  it('explains locks that are held and left behind, and old leftovers of writes', async () => {
    const { host } = await loggedIn(pong());
    const at = (name: string) => join(host.stateHome, 'chat', 'logins', name);
    const lock = (pid: number) => JSON.stringify({ pid, host: host.hostName, nonce: 'x' });
    await writeFile(at('a.lock'), lock(4_194_305));
    await writeFile(at('b.lock'), lock(process.pid));
    await writeFile(at('new.tmp'), '');
    await writeFile(at('old.tmp'), '');
    const old = new Date(Date.now() - 3_601_000);
    await utimes(at('old.tmp'), old, old);
    const { code, of } = await examine(host);
    expect([code, of('locks').map((text) => text.replace(/\d+ s/, 'N s'))]).toEqual([
      0,
      [
        'warn HOME/chat/logins/a.lock was left behind by process 4194305 on test-machine, N s ago; the next command that needs it takes it over',
        `ok HOME/chat/logins/b.lock is held by process ${process.pid} on test-machine, since N s`,
        'warn HOME/chat/logins/old.tmp was left behind by a write that was interrupted; remove it',
      ],
    ]);
    expect(
      (await readdir(join(host.stateHome, 'chat', 'logins'))).filter((name) => name.endsWith('.lock')),
    ).toHaveLength(2);
  });
});

describe('the doctor on the server', () => {
  it('that cannot be reached says why and what to do, and goes on', async () => {
    const server = fakeServer();
    const connect: FakeServer['connect'] = async () => {
      throw new ChatError('unavailable', 'chat://127.0.0.1:8080: cannot connect: connection refused');
    };
    const { code, of, all } = await examineNew({ ...server, connect });
    expect([code, of('server'), of('key'), of('clock')]).toEqual([
      3,
      ['fail chat://127.0.0.1:8080: cannot connect: connection refused; start it with: chat serve'],
      [],
      [],
    ]);
    expect(all.at(-1)?.check).toBe('locale');
    const far = await examineNew({ ...server, connect }, ['--server', '192.0.2.1:1']);
    expect(far.of('server')).toEqual([
      'fail chat://127.0.0.1:8080: cannot connect: connection refused; is it running, and is the port right?',
    ]);
  });

  it('whose name nobody knows is not connected to', async () => {
    const server = fakeServer(pong());
    const { code, of } = await examineNew(server, ['--server', 'nowhere.invalid']);
    expect([code, server.opened, of('server')]).toEqual([3, 0, []]);
    expect(of('name')).toEqual([
      expect.stringMatching(
        /^fail nowhere\.invalid cannot be looked up \(E\w+\); check the name, and whether the network is there$/,
      ),
    ]);
  });

  const far = ['--server', '192.0.2.1:1'];
  it.each([
    [
      'new, on this machine',
      [],
      {},
      0,
      `ok ${serverFingerprint}, not known yet; the next command remembers it`,
    ],
    [
      'new, elsewhere',
      far,
      {},
      0,
      `warn the key of chat://192.0.2.1:1 is not known: ${serverFingerprint}; compare it with what \`chat serve\` printed there, then pass --fingerprint ${serverFingerprint}`,
    ],
    [
      'new, elsewhere, to be trusted',
      [...far, '--trust', 'on-first-use'],
      {},
      0,
      `ok ${serverFingerprint}, not known yet; the next command remembers it`,
    ],
    [
      'new, never to be trusted',
      ['--trust', 'never'],
      {},
      9,
      expect.stringMatching(/^fail the key of .* is not known/),
    ],
    [
      'expected',
      [...far, '--fingerprint', serverFingerprint],
      {},
      0,
      `ok ${serverFingerprint}, as --fingerprint says`,
    ],
    [
      'not the expected one',
      [...far, '--fingerprint', otherFingerprint],
      {},
      9,
      `fail chat://192.0.2.1:1 shows the key ${serverFingerprint}, not the expected ${otherFingerprint}`,
    ],
    [
      'in a certificate that the system trusts',
      far,
      { trustedBySystem: true },
      0,
      `ok ${serverFingerprint}, in a certificate that this system trusts`,
    ],
  ])('with a key that is %s', async (_what, flags, is, exit, text) => {
    const server = Object.assign(fakeServer(pong()), is);
    const { code, of } = await examineNew(server, [...flags]);
    expect([code, of('key')]).toEqual([exit, [text]]);
  });

  it('with a changed key fails with 9, asks it nothing, and changes nothing', async () => {
    const { host, server } = await loggedIn(pong());
    server.fingerprint = otherFingerprint;
    const { code, of } = await examine(host);
    expect(code).toBe(9);
    expect(of('key')[0]).toMatch(
      new RegExp(
        `^fail the key of chat://127.0.0.1:8080 has changed: HOME/chat/known_servers.json has ${serverFingerprint.replace('+', '.')}`,
      ),
    );
    expect([of('login'), server.calls, server.opened]).toEqual([
      ['warn alice is saved here; the server was not asked'],
      [],
      0,
    ]);
    server.fingerprint = serverFingerprint;
    expect((await examine(host)).of('key')).toEqual([`ok ${serverFingerprint}, as it was remembered`]);
  });

  it('shows no login to a server whose key is not known', async () => {
    const { host, server } = await loggedIn(pong());
    await chmod(join(host.stateHome, 'chat'), 0o700);
    await writeFile(join(host.stateHome, 'chat', 'known_servers.json'), '{}', { mode: 0o600 });
    const { code, of } = await examine(host);
    expect([code, of('login')]).toEqual([
      0,
      ['warn alice is saved here; a server whose key is not known is not asked'],
    ]);
    expect(server.calls.map(({ name }) => name)).toEqual(['ping', 'ping', 'ping']);
  });

  it.each([
    [0, "ok 0.0 s from the server's"],
    [4_900, "ok 4.9 s from the server's"],
    [-4_900, "ok 4.9 s from the server's"],
    [
      7_000,
      "warn the clock here is 7.0 s ahead of the server's; set whichever is wrong: one-time codes and certificates go by it",
    ],
    [
      -3_600_000,
      "warn the clock here is 3600.0 s behind the server's; set whichever is wrong: one-time codes and certificates go by it",
    ],
  ])('whose clock differs by %i ms', async (skewMs, text) => {
    const { code, of } = await examineNew(fakeServer(pong(skewMs)));
    expect([code, of('clock')]).toEqual([0, [text]]);
  });

  it('of another version says so', async () => {
    const older = await examineNew(fakeServer({ ping: {} }));
    expect([older.of('clock'), older.of('protocol')]).toEqual([
      ['warn the server does not tell its time; it is of an older version'],
      ['warn the server speaks a version that it does not tell, this program 1; update the older one'],
    ]);
    const newer = await examineNew(fakeServer(pong(0, 2)));
    expect(newer.of('protocol')).toEqual([
      'warn the server speaks version 2, this program 1; update the older one',
    ]);
  });

  it('that does not answer in time is unavailable, exit 3', async () => {
    const { code, of } = await examineNew(
      fakeServer({ ping: new ChatError('timeout', 'no answer within 5000 ms') }),
    );
    expect([code, of('round trip')]).toEqual([3, ['fail no answer within 5000 ms']]);
  });
});

describe('the doctor on the login', () => {
  it('that is over fails with 4, and says what to do', async () => {
    const { host, server } = await loggedIn({
      ...pong(),
      'session.refresh': new ChatError('unauthenticated', 'the session is unknown, expired or revoked'),
    });
    server.alive.clear();
    const { code, of } = await examine(host);
    expect([code, of('login')]).toEqual([
      4,
      ['fail the session has ended on chat://127.0.0.1:8080; log in with: chat login'],
    ]);
    expect(server.closed).toBe(1);
  });

  it('that is missing is a warning', async () => {
    const { code, of } = await examineNew(fakeServer(pong()), ['--context', 'work']);
    expect([code, of('login')]).toEqual([
      0,
      ['warn nobody is logged in to chat://127.0.0.1:8080 (context work); log in with: chat login NAME'],
    ]);
  });

  it('of CHAT_TOKEN is looked at in the place of the saved one', async () => {
    const { stateHome } = (await loggedIn(pong())).host;
    const server = fakeServer(pong());
    const of = async (token: string) =>
      await examine(await fakeHost({ stateHome, client: fakeClient(server), env: { CHAT_TOKEN: token } }));
    const alive = await of('cs1_first');
    expect([alive.code, alive.of('login')]).toEqual([
      0,
      ['ok alice is logged in to chat://127.0.0.1:8080; the session ends in 24 h, CHAT_TOKEN ends then'],
    ]);
    expect((await of('cs1_other')).code).toBe(4);
  });

  it.each([
    [29_999, 'less than a minute'],
    [30_000, '1 min'],
    [119 * 60_000, '119 min'],
    [120 * 60_000, '2 h'],
    [47 * 3_600_000, '47 h'],
    [48 * 3_600_000, '2 days'],
  ])('that lasts %i ms lasts %s', (ms, text) => {
    expect(spanText(ms)).toBe(text);
  });
});

describe('the doctor on the terminal', () => {
  const of = async (check: string, outside: Outside, ...flags: string[]) =>
    (await examine(await fakeHost({ ...outside, client: fakeClient(fakeServer(pong())) }), ...flags)).of(
      check,
    );

  it('says what it is and whether it is coloured', async () => {
    expect([
      await of('terminal', { terminal: true }),
      await of('terminal', { terminal: true }, '--no-color'),
      await of('terminal', { terminal: true, env: { TERM: 'dumb' } }),
    ]).toEqual([
      ['ok stdin, stdout, stderr are a terminal of 100 columns, coloured'],
      ['ok stdin, stdout, stderr are a terminal of 100 columns, not coloured, as was asked for'],
      [
        'warn stdin, stdout, stderr are a terminal of 100 columns, and TERM=dumb: nothing is drawn or coloured',
      ],
    ]);
  });

  it('says whether its locale is UTF-8, by the first variable that is set', async () => {
    const wrong = 'letters beyond ASCII may come out wrong; set, for example, LC_ALL=C.UTF-8';
    expect([
      await of('locale', { env: { LC_ALL: 'de_DE.utf8', LANG: 'C' } }),
      await of('locale', { env: { LC_ALL: '', LC_CTYPE: 'C', LANG: 'C.UTF-8' } }),
      await of('locale', {}),
    ]).toEqual([
      ['ok LC_ALL=de_DE.utf8'],
      [`warn LC_CTYPE=C is not UTF-8: ${wrong}`],
      [`warn no locale is set: ${wrong}`],
    ]);
  });
});

describe('a step of the doctor', () => {
  it('is a failure when it takes longer than it may, and not a moment sooner', async () => {
    vi.useFakeTimers();
    try {
      let found: readonly Finding[] | undefined;
      void runStep({ check: 'disk', limitMs: 10_000, run: () => new Promise(() => {}) }).then((findings) => {
        found = findings;
      });
      await vi.advanceTimersByTimeAsync(9_999);
      expect(found).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      expect(found).toEqual([
        {
          check: 'disk',
          status: 'fail',
          code: 'unavailable',
          message: 'nothing came of this within 10 s; look at the disk or the network behind it',
        },
      ]);
    } finally {
      vi.useRealTimers();
    }
  });
});
