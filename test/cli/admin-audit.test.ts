import { describe, expect, it } from 'vitest';
import type { WireAuditRow } from '../../src/cli/audit/verify-trail.ts';
import { auditChain, auditHash } from '../../src/core/audit-chain.ts';
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
  `${seq}\t2026-11-21 09:30:0${seq}\tlogin.finish\talice\tline\t192.0.2.1\tok\tchallenge-response\t{"session":"s"}\n`;

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
    [['--since', '018f0000-0000-7000-8000-000000000000'], /no message id/],
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
