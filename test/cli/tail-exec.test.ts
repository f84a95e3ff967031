import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClientLibrary } from '../../src/cli/client-library.ts';
import { run } from '../../src/cli/main.ts';
import { endGraceMs, messageEnvironment } from '../../src/cli/run-per-message.ts';
import type { WireMessage } from '../../src/client/connection.ts';
import { message } from './support/fake-client.ts';
import { temporaryDirectory } from './support/fake-host.ts';
import { following } from './support/following.ts';
import { loggedIn } from './support/logged-in.ts';

/** Waits for what another process does in its own time. */
const eventually = (check: () => unknown) => vi.waitFor(check, { interval: 5, timeout: 60_000 });

/** Runs `tail --exec CMD` in a directory of its own, which commands find as $DIR; real shells run real commands. */
async function world(
  messages: readonly WireMessage[],
  {
    env = {},
    client = following(messages),
  }: { env?: Record<string, string>; client?: Partial<ClientLibrary> } = {},
) {
  const directory = await temporaryDirectory();
  const outside = { client, env: { PATH: process.env.PATH ?? '', DIR: directory, ...env } };
  const answers = {
    'conversation.list': { conversations: [{ to: '#lobby', last_seq: 99, read_seq: 0 }] },
  };
  const { host, run: runIt } = await loggedIn(answers, outside);
  return {
    host,
    directory,
    tail: (cmd: string, ...argv: string[]) => runIt('tail', '#lobby', '--exec', cmd, ...argv),
    file: (name: string) => readFile(join(directory, name), 'utf8'),
    async position(): Promise<number | undefined> {
      const cursors = join(host.stateHome, 'chat', 'cursors');
      const path = join(cursors, 'bot@alice@default@chat_127.0.0.1_8080.json');
      if (!existsSync(path)) return undefined;
      return JSON.parse(await readFile(path, 'utf8')).positions['#lobby'];
    },
  };
}

const three = [message(1), message(2), message(3)];
const durable = ['--durable', 'bot', '--count', '3'];
const idOf = (seq: number) => message(seq).id;

describe('tail --exec', () => {
  it('runs a command for each message, one at a time and in order, and prints nothing itself', async () => {
    const { tail, file } = await world(three);
    const cmd =
      'echo "begin $CHAT_MESSAGE_SEQ" >>"$DIR/log"; sleep 0.05; echo "end $CHAT_MESSAGE_SEQ" >>"$DIR/log"';
    expect(await tail(cmd, '--count', '3')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await file('log')).toBe('begin 1\nend 1\nbegin 2\nend 2\nbegin 3\nend 3\n');
  });

  it('tells it of the message in its environment and, as -o json prints it, on its stdin', async () => {
    const odd = message(1, { to: '@sam', text: `"quotes" 'and' $(echo no) \`no\`\n \u202e\u001b[2J` });
    const { tail, file } = await world([odd]);
    const names = ['TO', 'SEQ', 'ID', 'SENDER', 'SENT_AT', 'TEXT'];
    const fields = names.map((name) => `"$CHAT_MESSAGE_${name}"`).join(' ');
    expect((await tail(`printf '%s|' ${fields} >"$DIR/fields"; cat >"$DIR/json"`, '--count', '1')).code).toBe(
      0,
    );
    expect(await file('fields')).toBe(`@sam|1|${odd.id}|sam|${odd.sent_at}|${odd.text}|`);
    const json = await file('json');
    expect(JSON.parse(json)).toEqual({ ...odd, protection: 'clear' });
    expect(json).toMatch(/^[\x20-\x7e]*\n$/);
  });

  it('hands an envelope over as one, and none of an earlier message', async () => {
    const { text: _text, ...sealed } = message(1);
    const { tail, file } = await world([{ ...sealed, envelope: 'AAAA' }], {
      env: { CHAT_MESSAGE_TEXT: 'of a tail around this one' },
    });
    const cmd = `echo "\${CHAT_MESSAGE_ENVELOPE-none} \${CHAT_MESSAGE_TEXT-none}" >"$DIR/fields"; cat >"$DIR/json"`;
    expect((await tail(cmd, '--count', '1')).code).toBe(0);
    expect(await file('fields')).toBe('AAAA none\n');
    expect(JSON.parse(await file('json'))).toEqual({ ...sealed, envelope: 'AAAA' });
  });

  it('leaves a text with a NUL to stdin', async () => {
    const { tail, file } = await world([message(1, { text: 'a\0b' }), message(2)]);
    const cmd = `echo "$CHAT_MESSAGE_SEQ \${CHAT_MESSAGE_TEXT-none}" >>"$DIR/fields"; cat >>"$DIR/json"`;
    expect(await tail(cmd, '--count', '2')).toMatchObject({ code: 0, stderr: '' });
    expect(await file('fields')).toBe('1 none\n2 message 2\n');
    const [first = ''] = (await file('json')).split('\n');
    expect(JSON.parse(first).text).toBe('a\0b');
  });

  it('adds nothing to the environment but the message', () => {
    const env = { PATH: '/bin', CHAT_SERVER: 'x', CHAT_MESSAGE_ENVELOPE: 'old', EMPTY: '', GONE: undefined };
    expect(messageEnvironment(message(1), env)).toEqual({
      PATH: '/bin',
      CHAT_SERVER: 'x',
      EMPTY: '',
      CHAT_MESSAGE_TO: '#lobby',
      CHAT_MESSAGE_SEQ: '1',
      CHAT_MESSAGE_ID: idOf(1),
      CHAT_MESSAGE_SENDER: 'sam',
      CHAT_MESSAGE_SENT_AT: '2019-11-01T09:30:01.000Z',
      CHAT_MESSAGE_TEXT: 'message 1',
    });
  });

  it('does not run for own messages, which do not count, unless --own asks for them', async () => {
    const messages = [
      message(1, { sender: 'alice' }),
      message(2),
      message(3, { sender: 'alice' }),
      message(4),
    ];
    const cmd = 'echo "$CHAT_MESSAGE_SEQ" >>"$DIR/log"';
    for (const [argv, expected] of [
      [[], '2\n4\n'],
      [['--no-own'], '2\n4\n'],
      [['--own'], '1\n2\n'],
    ] as const) {
      const { tail, file } = await world(messages);
      expect((await tail(cmd, '--count', '2', ...argv)).code).toBe(0);
      expect(await file('log')).toBe(expected);
    }
  });

  it('moves the cursor over what is left out and what was done', async () => {
    const own = { sender: 'alice' };
    const there = await world([message(1, own), message(2), message(3, own), message(4, own)]);
    expect(await there.tail('true', '--durable', 'bot', '--timeout', '3')).toMatchObject({ code: 0 });
    expect(await there.position()).toBe(4);
  });

  it('does not mind a command that never reads its stdin, whatever its length', async () => {
    // Every character is six in JSON: more than a pipe or a socket holds.
    const text = '\0'.repeat(200_000);
    const { tail, position } = await world([message(1, { text }), message(2, { text }), message(3)]);
    for (const cmd of ['true', 'exec <&-', 'head -c 1 >/dev/null']) {
      expect(await tail(cmd, ...durable)).toEqual({ code: 0, stdout: '', stderr: '' });
      expect(await position()).toBe(3);
    }
  });

  it('does not wait for what a command leaves behind', async () => {
    const { tail, file } = await world([message(1)]);
    expect((await tail('sleep 60 & echo $! >"$DIR/pid"', '--count', '1')).code).toBe(0);
    process.kill(Number(await file('pid')), 'SIGKILL');
  });
});

describe('a command that fails', () => {
  const failingAt2 = 'echo "$CHAT_MESSAGE_SEQ" >>"$DIR/log"; test "$CHAT_MESSAGE_SEQ" != 2 || ';

  it.each([
    ['with a status', 'exit 4', 'ended with status 4'],
    ['by a signal', 'kill -KILL $$', 'was ended by SIGKILL'],
    ['because there is no such program', 'exec /no/such/program 2>/dev/null', 'ended with status 127'],
  ])('%s ends the tail with exit 1 and stays before the cursor', async (_how, failing, said) => {
    const { tail, file, position } = await world(three);
    expect(await tail(`${failingAt2}${failing}`, ...durable)).toEqual({
      code: 1,
      stdout: '',
      stderr: `chat: #lobby message 2 (${idOf(2)}): the command ${said}\n`,
    });
    expect(await file('log')).toBe('1\n2\n');
    expect(await position()).toBe(1);
  });

  it('is a JSON error with -o json', async () => {
    const { tail } = await world(three);
    const { code, stderr } = await tail('exit 3', '-o', 'json');
    expect([code, JSON.parse(stderr)]).toEqual([
      1,
      {
        error: {
          code: 'internal',
          message: `#lobby message 1 (${idOf(1)}): the command ended with status 3`,
        },
      },
    ]);
  });

  it('with --exec-errors continue is told and passed, and counts', async () => {
    const { tail, file, position } = await world(three);
    expect(await tail(`${failingAt2}exit 4`, ...durable, '--exec-errors', 'continue')).toEqual({
      code: 0,
      stdout: '',
      stderr: `#lobby message 2 (${idOf(2)}): the command ended with status 4; going on\n`,
    });
    expect(await file('log')).toBe('1\n2\n3\n');
    expect(await position()).toBe(3);
  });

  it.runIf(process.platform === 'linux')('because it cannot be started does so too', async () => {
    const tooLong = `: ${'x'.repeat(200_000)}`;
    const { tail, position } = await world(three);
    expect(await tail(tooLong, ...durable)).toEqual({
      code: 1,
      stdout: '',
      stderr: `chat: #lobby message 1 (${idOf(1)}): the command cannot be started (E2BIG)\n`,
    });
    expect(await position()).toBeUndefined();
    const { code, stderr } = await tail(tooLong, ...durable, '--exec-errors', 'continue');
    expect([code, stderr.trimEnd().split('\n')]).toEqual([
      0,
      [1, 2, 3].map(
        (seq) => `#lobby message ${seq} (${idOf(seq)}): the command cannot be started (E2BIG); going on`,
      ),
    ]);
  });

  it('because nobody reads what it writes ends the tail quietly', async () => {
    const { host, tail, position } = await world(three);
    const goes = { ...host.stdout, isReaderGone: () => true };
    const argv = ['tail', '#lobby', '--exec', 'exit 141', ...durable];
    expect(await run(argv, { ...host, stdout: goes })).toBe(0);
    expect([host.stderr.text, await position()]).toEqual(['', undefined]);
    expect((await tail('true', ...durable)).code).toBe(0);
  });
});

describe('a command that runs when the tail is asked to end', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Also what has ended, and is only still counted. */
  const gone = (pid: number) => eventually(() => expect(() => process.kill(-pid, 0)).toThrow('ESRCH'));

  /** Asks when the command has begun; `ended` lets time pass. */
  async function asked(cmd: string, how: 'SIGTERM' | 'SIGINT' | 'time' = 'SIGTERM') {
    const there = await world(three);
    const argv = how === 'time' ? ['--timeout', '3600'] : [];
    // What the shell says of what was killed is no output of the test.
    const running = there.tail(`exec 2>&-; echo $$ >"$DIR/pid"; ${cmd}`, ...durable, ...argv);
    await eventually(() => expect(existsSync(join(there.directory, 'began'))).toBe(true));
    if (how === 'time') vi.advanceTimersByTime(3_600_000);
    else there.host.signal(how);
    let outcome: Awaited<typeof running> | undefined;
    void running.then((ended) => {
      outcome = ended;
    });
    return {
      ...there,
      pid: Number(await there.file('pid')),
      isOver: () => outcome !== undefined,
      ended: async () => {
        await eventually(() => expect(outcome).toBeDefined());
        return outcome;
      },
    };
  }

  it.each([
    ['SIGTERM', 143, ''],
    ['SIGINT', 130, ''],
    ['time', 10, 'chat: time is over after 3600 s: 0 messages handled\n'],
  ] as const)(
    '(%s) gets SIGTERM, with all that it runs, and its message stays',
    async (how, code, stderr) => {
      const { ended, position, pid } = await asked('(touch "$DIR/began"; sleep 60; true); true', how);
      expect(await ended()).toEqual({ code, stdout: '', stderr });
      expect(await position()).toBeUndefined();
      await gone(pid);
    },
  );

  it('and ends with 0 all the same has done its work', async () => {
    const { ended, position } = await asked(
      'trap "exit 0" TERM; touch "$DIR/began"; while :; do sleep 0.01; done',
    );
    expect(await ended()).toMatchObject({ code: 143 });
    expect(await position()).toBe(1);
  });

  it('and fails then is no error', async () => {
    const { ended, position } = await asked(
      'trap "exit 3" TERM; touch "$DIR/began"; while :; do sleep 0.01; done',
    );
    expect(await ended()).toEqual({ code: 143, stdout: '', stderr: '' });
    expect(await position()).toBeUndefined();
  });

  const never = 'trap "" TERM; touch "$DIR/began"; while :; do sleep 0.01; done';

  it('and does not end is killed after its grace, to the millisecond', async () => {
    const { ended, position, pid } = await asked(never);
    vi.advanceTimersByTime(endGraceMs - 1);
    expect(process.kill(-pid, 0)).toBe(true);
    vi.advanceTimersByTime(1);
    expect(await ended()).toEqual({ code: 143, stdout: '', stderr: '' });
    expect(await position()).toBeUndefined();
    await gone(pid);
  });

  it('and leaves something that does not is waited for, and all of it is killed', async () => {
    const { ended, isOver, pid } = await asked(`(${never}); true`);
    // Time stands still but for the few milliseconds of this look.
    await eventually(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'));
    expect(isOver()).toBe(false);
    vi.advanceTimersByTime(endGraceMs);
    expect(await ended()).toEqual({ code: 143, stdout: '', stderr: '' });
    await gone(pid);
  });
});

describe('a cursor', () => {
  it('is in its file before the next command starts', async () => {
    const { tail, file, host } = await world(three);
    const cursors = join(host.stateHome, 'chat', 'cursors');
    await mkdir(cursors, { recursive: true, mode: 0o700 });
    const path = join(cursors, 'bot@alice@default@chat_127.0.0.1_8080.json');
    const positions = { user_id: 'id-of-alice', all: false, positions: { '#lobby': 0 } };
    await writeFile(path, JSON.stringify(positions), { mode: 0o600 });
    const cmd = `tr -d ' \\n' <'${path}' >>"$DIR/log"; echo >>"$DIR/log"`;
    expect((await tail(cmd, ...durable)).code).toBe(0);
    const seen = (await file('log')).trimEnd().split('\n');
    expect(seen.map((line) => JSON.parse(line).positions['#lobby'])).toEqual([0, 1, 2]);
  });
});
