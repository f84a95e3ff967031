import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClientLibrary } from '../../src/cli/client-library.ts';
import { run } from '../../src/cli/main.ts';
import type { WireMessage } from '../../src/client/connection.ts';
import { ChatError } from '../../src/core/errors.ts';
import { message } from './support/fake-client.ts';
import type { Outside } from './support/fake-host.ts';
import { type FollowOptions, following } from './support/following.ts';
import { loggedIn } from './support/logged-in.ts';

const messages = [
  message(1),
  message(2, { to: '#ops', sender: 'erik' }),
  message(1, { to: '@sam', sender: 'sam', text: 'hey' }),
  message(2, { to: '@sam', sender: 'alice', text: 'hey yourself' }),
];

async function tail(
  argv: readonly string[],
  client: Partial<ClientLibrary> = following(messages),
  outside: Outside = {},
) {
  const world = await loggedIn({}, { ...outside, client });
  return { ...(await world.run('tail', ...argv)), world };
}

describe('a line of text', () => {
  it('of one room is as document 5 prints it, in UTC', async () => {
    const client = following([
      message(1, { sent_at: '2019-11-01T09:30:00.999Z', text: 'this is a message' }),
    ]);
    expect((await tail(['#lobby', '--count', '1'], client)).stdout).toBe(
      '2019-11-01 09:30:00 sam: this is a message\n',
    );
  });

  it('of a private conversation names who it is to, in both directions', async () => {
    const client = following(messages.slice(2));
    expect((await tail(['@sam', '--count', '2'], client)).stdout).toBe(
      '2019-11-01 09:30:01 sam: @alice [clear] hey\n2019-11-01 09:30:02 alice: @sam [clear] hey yourself\n',
    );
  });

  it('among several conversations says which it is from', async () => {
    for (const targets of [[], ['#lobby', '#ops', '@sam']]) {
      expect((await tail([...targets, '--count', '4'])).stdout).toBe(
        [
          '2019-11-01 09:30:01 #lobby sam: message 1',
          '2019-11-01 09:30:02 #ops erik: message 2',
          '2019-11-01 09:30:01 sam: @alice [clear] hey',
          '2019-11-01 09:30:02 alice: @sam [clear] hey yourself\n',
        ].join('\n'),
      );
    }
  });

  it('cannot be forged or broken by what is in it', async () => {
    const text = 'hi\n2019-11-01 09:30:02 root: all passwords expired\r\u001b[2K\u202e';
    const client = following([message(1, { text, sender: 'sam\u001b[1m\nroot' })]);
    expect((await tail(['#lobby', '--count', '1'], client)).stdout).toBe(
      '2019-11-01 09:30:01 sam\\x1b[1m\\nroot: hi\\n2019-11-01 09:30:02 root: all passwords expired\\r\\x1b[2K\\u202e\n',
    );
  });

  it('says why an envelope cannot be read here', async () => {
    const { text: _text, ...sealed } = message(1, { to: '@sam' });
    const client = following([{ ...sealed, envelope: 'AAAA' }]);
    expect((await tail(['--count', '1'], client)).stdout).toBe(
      '2019-11-01 09:30:01 sam: @alice [encrypted: this machine has no keys of this account: chat keys restore brings them (in a script: --recovery-file FILE)]\n',
    );
  });

  it('is coloured on a terminal, around what is escaped', async () => {
    const client = following([message(1, { text: '\u001b[2J' })]);
    const { stdout } = await tail(['#lobby', '--count', '1'], client, { terminal: true });
    expect(stdout).toBe('\u001b[2m2019-11-01 09:30:01\u001b[22m \u001b[36msam\u001b[39m: \\x1b[2J\n');
  });
});

describe('a line of JSON', () => {
  it('is the whole message, one a line, whatever the text', async () => {
    const odd = message(1, { text: 'a\nb\u009b\u202e' });
    const { text: _text, ...sealed } = message(2);
    const client = following([odd, { ...sealed, envelope: 'AAAA' }]);
    const { stdout } = await tail(['--count', '2', '-o', 'json'], client);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([odd, { ...sealed, envelope: 'AAAA' }]);
    expect(stdout).toMatch(/^[\x20-\x7e\n]*$/);
  });
});

describe('where it begins', () => {
  const id = '0193a6b0-0000-7000-8000-00000000000a';
  it.each<[string[], object]>([
    [[], { targets: [], from: { last: 10 } }],
    [['-n', '0'], { targets: [], from: { last: 0 } }],
    [['#Ops', '#ops', '@bob', '-n', '3'], { targets: ['#ops', '@bob'], from: { last: 3 } }],
    [['--since', 'all'], { targets: [], from: { since: '1970-01-01T00:00:00.000Z' } }],
    [['--since', '1h'], { targets: [], from: { since: '2026-11-21T05:00:00.000Z' } }],
    [
      ['#ops', '--since', '2019-11-01 09:30'],
      { targets: ['#ops'], from: { since: '2019-11-01T09:30:00.000Z' } },
    ],
    [['#ops', '--since', id], { targets: ['#ops'], from: { after_id: id } }],
  ])('%j', async (argv, expected) => {
    const seen: FollowOptions[] = [];
    expect((await tail([...argv, '--count', '1'], following(messages, { seen }))).code).toBe(0);
    expect(
      seen.map(({ targets, from, cursors, wholeLater }) => ({ targets, from, cursors, wholeLater })),
    ).toEqual([{ ...expected, cursors: undefined, wholeLater: false }]);
  });

  it.each<[string[], string]>([
    [['lobby'], 'TO: a conversation is written #room or @user'],
    [
      ['#'],
      "TO: a name has 1 to 32 characters of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit",
    ],
    [['-n', '3', '--since', '1h'], '--last and --since cannot be given together: both say where to begin'],
    [['-n', '-1'], '--last takes a whole number from 0 to 1000000, not "-1"'],
    [['--count', '0'], '--count takes a whole number of 1 or more, not "0"'],
    [['--timeout', '-1'], '--timeout takes a number from 0.001 to 86400, not "-1"'],
    [['--since', id], '--since ID needs exactly one conversation: chat tail TO --since ID'],
    [['#a', '#b', '--since', id], '--since ID needs exactly one conversation: chat tail TO --since ID'],
    [['--own', '--no-own'], '--own and --no-own cannot be given together: they ask for opposite things'],
    [['--exec-errors', 'continue'], '--exec-errors goes with --exec'],
    [['--exec', 'true', '--exec-errors', 'maybe'], '--exec-errors takes stop, continue, not "maybe"'],
    [['--exec', ''], '--exec must not be empty'],
    ...['Bot', '.bot', 'a/b', '../x', 'a b', 'b\0', 'x'.repeat(33)].map((name): [string[], string] => [
      ['--durable', name],
      "--durable takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit",
    ]),
    [
      ['--since', 'soon'],
      '--since takes a message id, a time (2019-11-01 09:30:00, UTC), a duration (90s, 10m, 2h, 1d) or all, not "soon"',
    ],
  ])('that does not fit is exit 2: %j', async (argv, text) => {
    const { code, stdout, stderr, world } = await tail(argv);
    expect({ code, stdout, stderr, opened: world.server.opened }).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${text}\n`,
      opened: 0,
    });
  });
});

describe('own messages', () => {
  const mine = [
    message(1, { sender: 'alice' }),
    message(2),
    message(3, { sender: 'alice' }),
    message(4),
    message(5),
  ];
  const seqs = async (...argv: string[]) => {
    const { code, stdout } = await tail(['#lobby', '-o', 'json', ...argv], following(mine));
    return [
      code,
      ...stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).seq),
    ];
  };

  it('are printed, unless --no-own leaves them out; then they do not count', async () => {
    expect(await seqs('--count', '2')).toEqual([0, 1, 2]);
    expect(await seqs('--own', '--count', '2')).toEqual([0, 1, 2]);
    expect(await seqs('--no-own', '--count', '2')).toEqual([0, 2, 4]);
  });
});

describe('where it ends', () => {
  it('after --count messages', async () => {
    const { code, stdout } = await tail(['--count', '3']);
    expect([code, stdout.split('\n').length - 1]).toEqual([0, 3]);
  });

  describe('by --timeout', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    /** Yields what there is, then lets five seconds pass, and sees that they end exactly at the last millisecond. */
    const endingAfter5s = (there: readonly WireMessage[]): Partial<ClientLibrary> => ({
      async *follow({ open, signal }) {
        await open();
        yield* there;
        vi.advanceTimersByTime(4_999);
        expect(signal?.aborted).toBe(false);
        vi.advanceTimersByTime(1);
        expect(signal?.aborted).toBe(true);
      },
    });

    it('with exit 10 when it is over before --count', async () => {
      const { code, stdout, stderr } = await tail(
        ['--count', '5', '--timeout', '5'],
        endingAfter5s(messages),
      );
      expect([code, stdout.split('\n').length - 1]).toEqual([10, 4]);
      expect(stderr).toBe('chat: time is over after 5 s: 4 messages printed\n');
    });

    it('with exit 0 when no number was asked for', async () => {
      const { code, stdout, stderr } = await tail(['--timeout', '5'], endingAfter5s(messages));
      expect([code, stdout.split('\n').length - 1, stderr]).toEqual([0, 4, '']);
    });

    it('with exit 10 when it is over before the end of --once', async () => {
      const client: Partial<ClientLibrary> = {
        async *history() {
          yield message(1);
          vi.advanceTimersByTime(5_000);
          yield message(2);
        },
      };
      const { code, stdout, stderr } = await tail(['#lobby', '--once', '--timeout', '5'], client);
      expect({ code, lines: stdout.split('\n').length - 1, stderr }).toEqual({
        code: 10,
        lines: 1,
        stderr: 'chat: time is over after 5 s: 1 message printed\n',
      });
    });

    it.each(['1', '2'])('with exit 10 although stdout is blocked before line %s is out', async (count) => {
      const world = await loggedIn({}, { client: following(messages) });
      const write = () => {
        setImmediate(() => vi.advanceTimersByTime(5_000));
        return new Promise<void>(() => {});
      };
      const blocked = { ...world.host.stdout, write };
      expect(
        await run(['tail', '--timeout', '5', '--count', count], { ...world.host, stdout: blocked }),
      ).toBe(10);
    });
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('at %s with exit %i', async (signal, exit) => {
    const world = await loggedIn(
      {},
      {
        client: {
          async *follow({ open, signal: stop }) {
            await open();
            yield message(1);
            world.host.signal(signal);
            expect(stop?.aborted).toBe(true);
          },
        },
      },
    );
    expect(await world.run('tail', '#lobby')).toEqual({
      code: exit,
      stdout: '2019-11-01 09:30:01 sam: message 1\n',
      stderr: '',
    });
  });

  it('quietly with exit 0 when nobody reads any more, at the next message or before', async () => {
    const atNext = await loggedIn(
      {},
      {
        client: {
          async *follow({ open }) {
            await open();
            yield message(1);
            world.host.stdout.break();
            yield message(2);
          },
        },
      },
    );
    const world = atNext;
    expect(await world.run('tail')).toMatchObject({ code: 0, stderr: '' });
    const idle = await loggedIn({}, { client: following([]) });
    idle.host.stdout.break();
    expect(await idle.run('tail')).toMatchObject({ code: 0, stderr: '' });
  });

  it('with the error that no new connection cures', async () => {
    const client: Partial<ClientLibrary> = {
      // biome-ignore lint/correctness/useYield: it fails before its first message
      async *follow({ open }) {
        await open();
        throw new ChatError('not-found', 'no such room');
      },
    };
    expect(await tail(['#none'], client)).toMatchObject({ code: 6, stderr: 'chat: no such room\n' });
  });
});

describe('the connection', () => {
  it('has to be there at the start: exit 3', async () => {
    const connect = async () => {
      throw new ChatError('unavailable', 'connection refused');
    };
    expect(await tail([], { ...following(messages), connect })).toMatchObject({
      code: 3,
      stderr: 'chat: connection refused\n',
    });
  });

  it('is made once for the start and again when the library asks, and a wait is told on stderr', async () => {
    const client: Partial<ClientLibrary> = {
      async *follow({ open, onState }) {
        await open();
        onState?.({ kind: 'following' });
        yield message(1);
        onState?.({
          kind: 'waiting',
          cause: new ChatError('unavailable', 'the connection broke'),
          waitMs: 100,
        });
        await open();
        yield message(2);
      },
    };
    const { code, stderr, world } = await tail(['#lobby', '--verbose'], client);
    expect({ code, stderr, opened: world.server.opened }).toEqual({
      code: 0,
      stderr: 'following\nthe connection broke; trying again\n',
      opened: 2,
    });
  });

  it('is left unread while stdout is slow: the next message is asked for after the last was written', async () => {
    const log: string[] = [];
    const world = await loggedIn(
      {},
      {
        client: {
          async *follow({ open }) {
            await open();
            for (const one of [message(1), message(2)]) {
              log.push(`asked ${one.seq}`);
              yield one;
            }
          },
        },
      },
    );
    const slow = {
      ...world.host.stdout,
      write: () => new Promise<void>((resolve) => setImmediate(() => resolve(void log.push('written')))),
    };
    expect(await run(['tail'], { ...world.host, stdout: slow })).toBe(0);
    expect(log).toEqual(['asked 1', 'written', 'asked 2', 'written']);
  });
});

describe('--once', () => {
  const stored = [
    message(1, { to: '#ops', sent_at: '2019-11-01T09:00:02.000Z' }),
    message(1, { to: '#lobby', sent_at: '2019-11-01T09:00:01.000Z' }),
    message(2, { to: '#lobby', sent_at: '2019-11-01T09:00:03.000Z' }),
    message(3, {
      to: '#lobby',
      sent_at: '2019-11-01T09:00:03.000Z',
      id: '00000000-0000-7000-8000-000000000003',
    }),
    message(9, {
      to: '@sam',
      sent_at: '2019-11-01T09:00:03.000Z',
      id: '00000000-0000-7000-8000-000000000001',
    }),
  ];

  async function once(...argv: string[]) {
    const world = await loggedIn({
      'conversation.list': { conversations: [{ to: '#lobby' }, { to: '@sam' }, { to: '#ops' }] },
    });
    world.server.messages.push(...stored);
    const outcome = await world.run('tail', '--once', '-o', 'json', ...argv);
    const lines = outcome.stdout.split('\n').filter((line) => line !== '');
    return {
      code: outcome.code,
      seen: lines.map((line) => JSON.parse(line)).map(({ to, seq }) => `${to} ${seq}`),
      world,
    };
  }

  it('prints all own conversations, the oldest message first, each in its own order', async () => {
    const { code, seen, world } = await once();
    expect({ code, seen }).toEqual({
      code: 0,
      seen: ['#lobby 1', '#ops 1', '@sam 9', '#lobby 2', '#lobby 3'],
    });
    expect([world.server.opened, world.server.closed]).toEqual([1, 1]);
  });

  it('prints the named ones only, and no more than --count', async () => {
    expect((await once('#ops', '@sam')).seen).toEqual(['#ops 1', '@sam 9']);
    expect((await once('#lobby', '--count', '2')).seen).toEqual(['#lobby 1', '#lobby 2']);
  });
});

describe('what happens to the account elsewhere', () => {
  const notices = [
    {
      type: 'account-notice',
      kind: 'new-device',
      door: 'http',
      address: '192.0.2.9',
      device: 'a\u001b[2Jb',
      at: '2027-01-15T08:00:00.000Z',
    },
    {
      type: 'account-notice',
      kind: 'failed-logins',
      door: 'pipe',
      address: '::1',
      failures: 5,
      at: '2027-01-15T08:00:01.000Z',
    },
    { type: 'account-notice', kind: 'something-later', door: 'pipe', address: '::1', at: '' },
  ] as const;

  it.each([[], ['-o', 'json'], ['--quiet']])(
    'is told on stderr and never on stdout, with %j',
    async (...flags) => {
      const world = await loggedIn();
      world.server.messages.push(message(1));
      world.server.events.push(...notices);
      const { stdout, stderr } = await world.run('tail', '#lobby', '--count', '1', ...flags);
      expect(stdout.split('\n')).toHaveLength(2);
      expect(stdout).not.toContain('192.0.2.9');
      expect(stderr).toBe(
        'your account was logged in to from a new device, "a\\u001b[2Jb" at 192.0.2.9 (http), 2027-01-15 08:00:00; if that was not you: chat sessions\n' +
          '5 logins to your account have failed since the last good one, the latest from ::1 (pipe), 2027-01-15 08:00:01\n',
      );
    },
  );
});
