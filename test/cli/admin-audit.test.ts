import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WireAuditRow } from '../../src/cli/audit/verify-trail.ts';
import { auditChain, auditHash } from '../../src/core/audit-chain.ts';
import { ChatError } from '../../src/core/errors.ts';
import { testNow } from './support/fake-host.ts';
import { loggedIn } from './support/logged-in.ts';

const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32) });

/** A trail of `count` rows as a server sends it, with its ends. */
function trail(count: number, change: Partial<WireAuditRow> = {}) {
  let previous = chain.first;
  const rows: WireAuditRow[] = [];
  for (let seq = 1; seq <= count; seq++) {
    const at = Date.parse('2026-11-21T09:30:00.123Z') + seq * 1_000;
    const row = {
      seq,
      at,
      operation: 'login.finish',
      user: 'alice',
      door: 'line',
      factor: 'challenge-response',
      address: '192.0.2.1',
      outcome: 'ok',
      details: '{"session":"s"}',
    };
    previous = auditHash(previous, row);
    rows.push({ ...row, at: new Date(at).toISOString(), hash: previous.toHex(), ...change });
  }
  const ends = {
    start: { seq: 0, hash: chain.first.toHex() },
    head: { seq: count, hash: previous.toHex() },
    sealed: true,
  };
  return { rows, ends };
}

/** Answers as a server with that trail does, two rows a page. */
function answering({ rows, ends }: ReturnType<typeof trail>) {
  return {
    'admin.audit': (input: Readonly<Record<string, unknown>>) => {
      const after = typeof input.after === 'number' ? input.after : 0;
      const before = typeof input.before === 'number' ? input.before : Number.MAX_SAFE_INTEGER;
      const fitting = rows.filter(({ seq }) => seq > after && seq < before);
      const limit = Math.min(Number(input.limit), 2);
      const page = input.newest === true ? fitting.slice(-limit) : fitting.slice(0, limit);
      const edge = (input.newest === true ? page[0] : page.at(-1))?.seq ?? null;
      return { rows: page, next: fitting.length > page.length ? edge : null, ends };
    },
  };
}

const line = (seq: number) =>
  `${seq}\t2026-11-21 09:30:${String(seq).padStart(2, '0')}\tlogin.finish\talice\tline\t192.0.2.1\tok\tchallenge-response\t{"session":"s"}\n`;

describe('chat admin audit', () => {
  it('prints the last entries in their order, however the server pages them', async () => {
    const world = await loggedIn(answering(trail(5)));
    expect(await world.run('admin', 'audit', '-n', '3')).toEqual({
      code: 0,
      stdout: line(3) + line(4) + line(5),
      stderr: '',
    });
    expect((await world.run('admin', 'audit')).stdout).toBe([1, 2, 3, 4, 5].map(line).join(''));
    expect((await world.run('admin', 'audit', '-n', '0')).stdout).toBe('');
  });

  it('asks for what was asked for, and prints JSON with the details as such', async () => {
    const world = await loggedIn(answering(trail(3)));
    const { stdout } = await world.run(
      ...[
        'admin',
        'audit',
        '--since',
        '2026-11-21',
        '--user',
        'alice',
        '--operation',
        'login.finish',
        '-o',
        'json',
      ],
    );
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((one) => JSON.parse(one).seq),
    ).toEqual([1, 2, 3]);
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toEqual({
      ...trail(1).rows[0],
      details: { session: 's' },
    });
    expect(world.server.calls.at(-1)?.params).toMatchObject({
      since: '2026-11-21T00:00:00.000Z',
      user: 'alice',
      operation: 'login.finish',
    });
  });

  it('16.4.1: an entry can neither move the cursor nor forge a line', async () => {
    const evil = trail(1, { user: 'x\n2\tforged', address: '\u001b[2J', details: '{"a":"\u202e\r"}' });
    const world = await loggedIn(answering(evil));
    expect((await world.run('admin', 'audit')).stdout).toBe(
      '1\t2026-11-21 09:30:01\tlogin.finish\tx\\n2\\tforged\tline\t\\x1b[2J\tok\tchallenge-response\t{"a":"\\u202e\\r"}\n',
    );
    const { stdout } = await world.run('admin', 'audit', '-o', 'json');
    expect(stdout.split('\n')).toHaveLength(2);
    for (const harmful of ['\u001b', '\u202e', '\r']) expect(stdout).not.toContain(harmful);
  });

  it.each([
    [['-n', '3', '--since', '1d'], /-n|--last/],
    [['--verify', '--follow'], /--verify/],
    [['--verify', '--user', 'alice'], /--verify/],
    [['--expect', `1:${'0'.repeat(64)}`], /--expect goes with --verify/],
    [['--verify', '--expect', '1:00'], /SEQ:HASH/],
    [
      ['--since', '018f0000-0000-7000-8000-000000000000'],
      /--since takes a time \(.*a duration .* or all, not "018f/,
    ],
  ])('refuses %j', async (flags, text) => {
    const world = await loggedIn(answering(trail(1)));
    const { code, stderr, stdout } = await world.run('admin', 'audit', ...flags);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(text);
  });
});

describe('chat admin audit --verify', () => {
  it('says that a trail is intact, and where it ends', async () => {
    const whole = trail(5);
    const world = await loggedIn(answering(whole));
    const { head } = whole.ends;
    expect(await world.run('admin', 'audit', '--verify')).toEqual({
      code: 0,
      stdout: `intact: 5 rows, to 5:${head.hash}\n`,
      stderr: '',
    });
    const { stdout } = await world.run('admin', 'audit', '--verify', '-o', 'json');
    expect(JSON.parse(stdout)).toEqual({ intact: true, rows: 5, start: 0, head });
    const expected = `3:${whole.rows[2]?.hash}`;
    expect((await world.run('admin', 'audit', '--verify', '--expect', expected)).code).toBe(0);
  });

  it('ends with 9 and names the row when it is not, or is another one than was told before', async () => {
    const world = await loggedIn(answering(trail(5, { outcome: 'unauthenticated' })));
    expect(await world.run('admin', 'audit', '--verify')).toEqual({
      code: 9,
      stdout: '',
      stderr: 'chat: the audit trail is not intact: row 1 is not as it was written\n',
    });
    const whole = await loggedIn(answering(trail(5)));
    expect(await whole.run('admin', 'audit', '--verify', '--expect', `3:${'0'.repeat(64)}`)).toMatchObject({
      code: 9,
      stderr: 'chat: the audit trail is not intact: row 3 is not as it was written\n',
    });
  });
});

describe('chat admin audit --follow', () => {
  beforeEach(() => {
    vi.useFakeTimers({
      now: testNow,
      toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  type Input = Readonly<Record<string, unknown>>;

  /** A server whose trail has so many of these rows by now, and a follower of it. */
  async function following(...flags: string[]) {
    const whole = trail(12);
    const at = { count: 3, failure: undefined as ChatError | undefined, onCall: (_: Input): void => {} };
    const asked: Input[] = [];
    const world = await loggedIn({
      'admin.audit': (input: Input) => {
        if (at.failure) throw at.failure;
        asked.push(input);
        const ends = { ...whole.ends, head: { seq: at.count, hash: whole.rows[at.count - 1]?.hash } };
        at.onCall(input);
        return {
          ...answering({ ...whole, rows: whole.rows.slice(0, at.count) })['admin.audit'](input),
          ends,
        };
      },
    });
    const { stdout, stderr } = world.host;
    const running = world.run('admin', 'audit', '--follow', ...flags);
    let outcome: Awaited<typeof running> | undefined;
    void running.then((ended) => {
      outcome = ended;
    });
    /** Lets time pass until something holds; what never does lets the test run out of time. */
    async function until(holds: () => boolean): Promise<void> {
      while (!holds()) {
        await new Promise(setImmediate);
        await vi.advanceTimersByTimeAsync(20);
      }
    }
    return {
      at,
      asked,
      server: world.server,
      stderr,
      stdout,
      shows: (text: string) => until(() => stdout.text.length >= text.length),
      prints: (part: string) => until(() => stdout.text.includes(part)),
      says: (pattern: RegExp) => until(() => pattern.test(stderr.text)),
      /** Until the server was asked so many times more. */
      async polls(times: number): Promise<void> {
        const wanted = asked.length + times;
        await until(() => asked.length >= wanted);
      },
      async ended() {
        await until(() => outcome !== undefined);
        return await running;
      },
      async interrupted() {
        world.host.signal('SIGINT');
        return await this.ended();
      },
    };
  }
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => line(from + i)).join('');

  it('goes on with new rows, each once and in order, until Ctrl-C ends it with 130', async () => {
    const one = await following();
    await one.shows(lines(1, 3));
    one.at.count = 4;
    await one.shows(lines(1, 4));
    one.at.count = 12;
    await one.shows(lines(1, 12));
    await one.polls(2);
    expect(await one.interrupted()).toEqual({ code: 130, stdout: lines(1, 12), stderr: '' });
    expect(one.server.opened).toBe(1);
  });

  it('begins with the last rows that were asked for, and misses none that is written meanwhile', async () => {
    const one = await following('-n', '1');
    one.at.onCall = ({ newest }) => {
      if (newest === true) one.at.count = 6;
    };
    await one.shows(lines(3, 6));
    expect((await one.interrupted()).stdout).toBe(lines(3, 6));
  });

  it('repeats no row that was written between the ends of the trail and the page', async () => {
    const one = await following('-n', '0');
    await one.polls(3);
    one.at.onCall = () => {
      one.at.count = Math.min(one.at.count + 1, 12);
    };
    await one.shows(lines(4, 12));
    await one.polls(2);
    expect((await one.interrupted()).stdout).toBe(lines(4, 12));
  });

  it('asks with --since for what is there, and for all that is new; with --user and --operation always', async () => {
    const one = await following('--since', '2026-11-21', '--user', 'alice', '--operation', 'login.finish');
    await one.shows(lines(1, 3));
    await one.polls(2);
    await one.interrupted();
    const chosen = { user: 'alice', operation: 'login.finish', limit: 1_000 };
    expect(one.asked.slice(0, 4)).toEqual([
      { ...chosen, since: '2026-11-21T00:00:00.000Z', after: 0 },
      { ...chosen, since: '2026-11-21T00:00:00.000Z', after: 2 },
      { ...chosen, after: 3 },
      { ...chosen, after: 3 },
    ]);
  });

  it('does not look again at rows of others', async () => {
    const one = await following('--user', 'bob', '-n', '0');
    await one.polls(2);
    one.at.count = 9;
    await one.polls(8);
    await one.interrupted();
    expect(one.asked.at(-1)).toMatchObject({ after: 9, user: 'bob' });
  });

  it('prints one object a line with -o json', async () => {
    const one = await following('-o', 'json', '-n', '1');
    await one.polls(3);
    one.at.count = 5;
    await one.prints('"seq":5');
    const { stdout } = await one.interrupted();
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((text) => JSON.parse(text).seq),
    ).toEqual([3, 4, 5]);
  });

  it('connects again when the connection is lost, and goes on without a gap or a repeat', async () => {
    const one = await following();
    await one.shows(lines(1, 3));
    one.at.failure = new ChatError('unavailable', 'the connection was lost');
    await one.says(/(the connection was lost; trying again\n){3}/);
    one.at.count = 7;
    one.at.failure = undefined;
    await one.shows(lines(1, 7));
    await one.polls(2);
    expect(await one.interrupted()).toMatchObject({ code: 130, stdout: lines(1, 7) });
    expect(one.server.opened).toBeGreaterThanOrEqual(4);
    expect(one.server.closed).toBeGreaterThanOrEqual(one.server.opened);
  });

  it('goes on within what was there at the beginning too', async () => {
    const one = await following('--since', 'all');
    one.at.count = 12;
    let pages = 0;
    one.at.onCall = () => {
      pages += 1;
      if (pages === 3 || pages === 4) throw new ChatError('timeout', 'no answer within 10 s');
    };
    await one.shows(lines(1, 12));
    await one.polls(2);
    expect(await one.interrupted()).toEqual({
      code: 130,
      stdout: lines(1, 12),
      stderr: 'no answer within 10 s; trying again\n'.repeat(2),
    });
  });

  it.each([
    ['forbidden', 5],
    ['invalid', 2],
    ['unauthenticated', 4],
  ] as const)('ends with what no new connection cures: %s', async (code, exit) => {
    const one = await following();
    await one.shows(lines(1, 3));
    one.at.failure = new ChatError(code, 'no more');
    expect(await one.ended()).toEqual({ code: exit, stdout: lines(1, 3), stderr: 'chat: no more\n' });
  });

  it('takes a session that was renewed meanwhile', async () => {
    const one = await following();
    await one.shows(lines(1, 3));
    const { opened } = one.server;
    one.at.count = 5;
    one.at.onCall = () => {
      if (one.server.opened === opened) throw new ChatError('unauthenticated', 'the session has ended');
    };
    await one.shows(lines(1, 5));
    expect(await one.interrupted()).toEqual({ code: 130, stdout: lines(1, 5), stderr: '' });
  });

  it('ends with 9 when the trail has become shorter than it was', async () => {
    const one = await following();
    await one.shows(lines(1, 3));
    one.at.count = 2;
    expect(await one.ended()).toEqual({
      code: 9,
      stdout: lines(1, 3),
      stderr: 'chat: the audit trail is not intact: it ends at row 2, and there was a row 3 before\n',
    });
  });

  it('ends silently when its reader has gone, also when nothing new is written', async () => {
    const one = await following();
    await one.shows(lines(1, 3));
    one.stdout.break();
    expect(await one.ended()).toEqual({ code: 0, stdout: lines(1, 3), stderr: '' });
    expect(one.server.closed).toBeGreaterThanOrEqual(one.server.opened);
  });

  it('ends at once when there is no connection to begin with', async () => {
    const world = await loggedIn(
      {},
      {
        client: {
          connect: async () => {
            throw new ChatError('unavailable', 'cannot connect');
          },
        },
      },
    );
    expect(await world.run('admin', 'audit', '--follow')).toEqual({
      code: 3,
      stdout: '',
      stderr: 'chat: cannot connect\n',
    });
  });
});
