import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { chat, type Person, World } from './support/server.ts';

interface Line {
  readonly to: string;
  readonly seq: number;
  readonly text: string;
}

/** Waits for what another process does in its own time. */
const eventually = <T>(check: () => T) => vi.waitFor(check, { interval: 10, timeout: 60_000 });

async function opened(...flags: string[]) {
  const world = new World();
  const server = await world.servePeople(flags);
  const [alice, bob] = [world.person('alice', server), world.person('bob', server)];
  await Promise.all([alice.register(), bob.register()]);
  return { world, server, alice, bob };
}

const lines = (out: string): Line[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const places = (out: string): string[] => lines(out).map(({ to, seq }) => `${to} ${seq}`);

const cursorsOf = (person: Person): string => join(person.home, 'state', 'chat', 'cursors');

/** What a person's only cursor says of a conversation. */
function positionOf(person: Person, to: string): number | undefined {
  const name = readdirSync(cursorsOf(person)).find((one) => one.endsWith('.json'));
  if (name === undefined) return undefined;
  return JSON.parse(readFileSync(join(cursorsOf(person), name), 'utf8')).positions[to];
}

describe('tail --durable', () => {
  it('goes on after what it printed, over SIGTERM, a room joined, and a conversation begun meanwhile or while it ran', async () => {
    const { alice, bob } = await opened();
    await bob.does(['send', '#lobby', 'one']);
    const follow = ['tail', '--durable', 'work', '-o', 'json', '--verbose'];
    const first = alice.start(follow);
    expect(await first.json()).toMatchObject({ to: '#lobby', seq: 1 });
    await first.says(/following/);
    await bob.does(['send', '@alice', 'hello']);
    expect(await first.json()).toMatchObject({ to: '@bob', seq: 1 });
    // What was said in a room before alice came is hers to read, and comes first.
    await bob.does(['join', 'ops', '--create']);
    await bob.does(['send', '--lines', '#ops'], 'a\nb\n');
    await alice.does(['join', 'ops']);
    await bob.does(['send', '#ops', 'c']);
    expect([await first.json(), await first.json(), await first.json()]).toMatchObject(
      [1, 2, 3].map((seq) => ({ to: '#ops', seq })),
    );
    expect((await first.kill('SIGTERM')).code).toBe(143);

    await bob.does(['send', '#lobby', 'two']);
    await bob.does(['join', 'late', '--create']);
    await bob.does(['send', '--lines', '#late'], 'x\ny\n');
    await alice.does(['join', 'late']);
    const once = ['tail', '--durable', 'work', '--once', '-o', 'json'];
    expect(places(await alice.succeed([...once, '-n', '0']))).toEqual(['#lobby 2', '#late 1', '#late 2']);
    expect(await alice.succeed(once)).toBe('');
    // Another name is another cursor, and another person another one still.
    expect(
      places(await alice.succeed(['tail', '#lobby', '--durable', 'other', '--once', '-o', 'json'])),
    ).toEqual(['#lobby 1', '#lobby 2']);
  });

  it.runIf(process.platform === 'linux')(
    'appends whole lines to a file in which the last one was cut',
    async () => {
      const { world, alice, bob } = await opened();
      await bob.does(['send', '--lines', '#lobby'], 'one\ntwo\n');
      const file = world.path('lobby.jsonl');
      writeFileSync(file, '{"to":"#lob');
      const line = `'${chat}' tail '#lobby' --durable work --once -o json >>'${file}'`;
      execFileSync('sh', ['-c', `${line}; ${line}`], { env: alice.env });
      const [first, ...rest] = readFileSync(file, 'utf8').split('\n');
      expect([first, places(rest.join('\n'))]).toEqual(['{"to":"#lob', ['#lobby 1', '#lobby 2']]);
    },
  );

  it('is had by one process at a time, and taken over from one that was killed', async () => {
    const { alice, bob } = await opened();
    const follow = ['tail', '#lobby', '--durable', 'work', '-o', 'json', '--verbose'];
    const first = alice.start(follow);
    await first.says(/following/);
    const { code, out, err } = await alice.run(['tail', '#lobby', '--durable', 'work']);
    expect({ code, out, err }).toEqual({
      code: 7,
      out: '',
      err: expect.stringMatching(
        new RegExp(
          `^chat: --durable work is in use by process ${first.child.pid} \\(.*\\.lock\\): end that one, or take another name\n$`,
        ),
      ),
    });
    await first.kill('SIGKILL');
    await bob.does(['send', '#lobby', 'one']);
    expect(
      places(await alice.succeed(['tail', '#lobby', '--durable', 'work', '--once', '-o', 'json'])),
    ).toEqual(['#lobby 1']);
  });

  it('goes on through a server that is gone for a while, without a gap or a repeat', async () => {
    const { world, server, alice, bob } = await opened();
    const tail = alice.start(['tail', '#lobby', '--durable', 'work', '-o', 'json', '--verbose']);
    await tail.says(/following/);
    await bob.does(['send', '#lobby', 'one']);
    expect(await tail.json()).toMatchObject({ seq: 1 });
    await server.stop('SIGKILL');
    await tail.says(/trying again/);
    await world.serve([], { listen: server.address });
    await bob.does(['send', '#lobby', 'two']);
    expect(await tail.json()).toMatchObject({ seq: 2 });
    const { out } = await tail.kill('SIGTERM');
    expect(places(out)).toEqual(['#lobby 1', '#lobby 2']);
    expect(positionOf(alice, '#lobby')).toBe(2);
  });
});

describe.skipIf(process.platform === 'win32')('a tail whose reader goes away', () => {
  /** Runs a line of shell in which `chat` is the program. */
  async function shell(person: Person, line: string) {
    const child = spawn('sh', ['-c', `chat() { '${chat}' "$@"; }; ${line}`], {
      env: { ...person.env, DIR: person.world.directory },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { out, err, status: readFileSync(person.world.path('status'), 'utf8').trim() };
  }

  it.each([['tail'], ['tail --durable work']])(
    '(chat %s | head -1) ends quietly with 0 though no message comes',
    async (tail) => {
      const { alice, bob } = await opened();
      await bob.does(['send', '#lobby', 'one']);
      const { out, err, status } = await shell(
        alice,
        `{ chat ${tail} '#lobby' -o json; echo $? >"$DIR/status"; } | head -1`,
      );
      expect([places(out), err, status]).toEqual([['#lobby 1'], '', '0']);
      if (tail !== 'tail') expect(positionOf(alice, '#lobby')).toBe(1);
    },
  );

  it('over a socket too, as another program starts it', async () => {
    const { alice, bob } = await opened();
    await bob.does(['send', '#lobby', 'one']);
    const tail = alice.start(['tail', '#lobby']);
    await tail.line();
    tail.child.stdout?.destroy();
    expect(await tail.ended).toMatchObject({ code: 0, err: '' });
  });

  it('when it runs commands, because one of them fails at it', async () => {
    const { alice, bob } = await opened('--messages-per-second', '0');
    await bob.does(['send', '--lines', '#lobby'], Array(200).fill('x\n').join(''));
    const cmd = 'echo "$CHAT_MESSAGE_SEQ" || exit 5';
    const { out, err, status } = await shell(
      alice,
      `{ chat tail '#lobby' --durable work --since all --exec '${cmd}' 2>"$DIR/err"; echo $? >"$DIR/status"; } | head -1`,
    );
    expect([out, err, status]).toEqual(['1\n', '', '0']);
    // Of the shells, not of the tail.
    expect(readFileSync(alice.world.path('err'), 'utf8')).not.toContain('chat:');
    expect(positionOf(alice, '#lobby') ?? 0).toBeLessThan(200);
  });

  it('has a cursor at the last line that was accepted whole, and the next run goes on there', async () => {
    const { world, alice, bob } = await opened('--messages-per-second', '0');
    const count = 20;
    // Four of them fill a pipe.
    await bob.does(
      ['send', '--lines', '#lobby'],
      Array(count)
        .fill(`${'x'.repeat(15_000)}\n`)
        .join(''),
    );
    const fifo = world.path('fifo');
    execFileSync('mkfifo', [fifo]);
    const argv = ['tail', '#lobby', '--durable', 'work', '--since', 'all', '-o', 'json'];
    const words = argv.map((word) => `'${word}'`).join(' ');
    const child = spawn('sh', ['-c', `exec '${chat}' ${words} >'${fifo}'`], {
      env: alice.env,
      stdio: 'ignore',
    });
    const closed = once(child, 'close');
    // Nobody reads before it has ended.
    const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(reader));
    await eventually(() => expect(positionOf(alice, '#lobby')).toBeGreaterThan(1));
    child.kill('SIGTERM');
    expect(await closed).toEqual([143, null]);
    const whole = lines(cut(readAll(reader)));
    expect(whole.map(({ seq }) => seq)).toEqual(whole.map((_line, index) => index + 1));
    expect(whole.length).toBeLessThan(count);
    expect(positionOf(alice, '#lobby')).toBe(whole.length);
    const rest = lines(await alice.succeed([...argv, '--once'])).map(({ seq }) => seq);
    expect([...whole.map(({ seq }) => seq), ...rest]).toEqual(
      Array.from({ length: count }, (_, index) => index + 1),
    );
  });
});

/** What lies in a pipe. */
function readAll(fd: number): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(65_536);
    try {
      chunks.push(chunk.subarray(0, readSync(fd, chunk)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return Buffer.concat(chunks).toString();
      throw error;
    }
  }
}

/** Without a last line that has no end. */
const cut = (out: string): string => out.slice(0, out.lastIndexOf('\n') + 1);

describe('tail --exec', () => {
  it('answers a person and never itself, with what it prints going through', async () => {
    const { alice, bob } = await opened();
    const cmd = `echo "got $CHAT_MESSAGE_TEXT"; echo talk >&2; '${chat}' send "@$CHAT_MESSAGE_SENDER" "you said: $CHAT_MESSAGE_TEXT"`;
    const bot = bob.start(['tail', '--durable', 'bot', '-n', '0', '--verbose', '--exec', cmd]);
    await bot.says(/following/);
    const asked = ['$(touch /tmp/never)', "it's"];
    for (const question of asked) await alice.does(['send', '@bob', question]);
    for (const question of asked) expect(await bot.line()).toBe(`got ${question}`);
    const answers = await eventually(async () => {
      const found = await alice.doesJson<Line>(['tail', '@bob', '--no-own', '--once']);
      expect(found).toHaveLength(2);
      return found;
    });
    expect(answers.map(({ text }) => text)).toEqual(asked.map((question) => `you said: ${question}`));
    expect(await bot.kill('SIGINT')).toMatchObject({ code: 130, err: expect.stringContaining('talk\n') });
  });

  it('gives a command the environment it has itself, and the message', async () => {
    const { alice, bob } = await opened();
    await bob.does(['send', '#lobby', 'one']);
    const token = (await alice.does(['token'])).trim();
    const { CHAT_PASSWORD: _password, ...env } = alice.env;
    const names = (out: string) =>
      out
        .split('\n')
        .flatMap((line) => /^(CHAT_\w+)=/.exec(line)?.[1] ?? [])
        .sort();
    const message = ['ID', 'SENDER', 'SENT_AT', 'SEQ', 'TEXT', 'TO'].map((name) => `CHAT_MESSAGE_${name}`);
    const started = alice.world.start(['tail', '#lobby', '--once', '--exec', 'env'], env);
    const { code, out } = await started.ended;
    expect([code, names(out)]).toEqual([
      0,
      [...message, ...Object.keys(env).filter((name) => name.startsWith('CHAT_'))].sort(),
    ]);
    expect(out).not.toContain(token);
    expect(out).not.toContain('correct horse');
  });

  it('that fails ends with exit 1 and comes to the same message again', async () => {
    const { alice, bob } = await opened();
    await bob.does(['send', '--lines', '#lobby'], 'one\ntwo\nthree\n');
    const argv = (cmd: string) => ['tail', '#lobby', '--durable', 'bot', '--once', '--exec', cmd];
    const failed = await alice.run(argv('test "$CHAT_MESSAGE_SEQ" != 2 || exit 9'));
    expect(failed).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(
        /^chat: #lobby message 2 \([0-9a-f-]{36}\): the command ended with status 9\n$/,
      ),
    });
    expect(await alice.succeed(argv('echo "$CHAT_MESSAGE_SEQ"'))).toBe('2\n3\n');
  });

  it('that is ended by SIGTERM ends what it runs first', async () => {
    const { world, alice, bob } = await opened();
    await bob.does(['send', '#lobby', 'one']);
    const began = world.path('began');
    const tail = alice.start([
      'tail',
      '#lobby',
      '--durable',
      'bot',
      '--exec',
      `echo $$ >'${began}.new'; mv '${began}.new' '${began}'; sleep 60; true`,
    ]);
    await eventually(() => expect(existsSync(began)).toBe(true));
    expect((await tail.kill('SIGTERM')).code).toBe(143);
    const group = Number(readFileSync(began, 'utf8'));
    await eventually(() => expect(() => process.kill(-group, 0)).toThrow('ESRCH'));
    expect(
      await alice.succeed([
        'tail',
        '#lobby',
        '--durable',
        'bot',
        '--once',
        '--exec',
        'echo "$CHAT_MESSAGE_SEQ"',
      ]),
    ).toBe('1\n');
  });
});
