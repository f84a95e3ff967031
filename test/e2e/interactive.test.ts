import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chat, type Person, type ServerProcess, World } from './support/server.ts';
import { chatIn, keys, type Size, shellIn, type TerminalSession } from './support/terminal.ts';

const wide: Size = { columns: 80, rows: 24 };
const small: Size = { columns: 40, rows: 10 };
const free = ['--messages-per-second', '0', '--registrations-per-hour', '0', '--logins-per-minute', '0'];

/** A server that can be stopped and started again on its port, alice on it. */
async function aliceAlone() {
  const world = new World();
  let server = await world.servePeople(free);
  const { address } = server;
  const alice = await world.person('alice', server).register();
  return {
    world,
    alice,
    stop: (signal: NodeJS.Signals = 'SIGTERM') => server.stop(signal),
    start: async () => {
      server = await world.serve(free, { listen: address });
    },
  };
}

/** The same, and bob. */
async function aliceAndBob() {
  const alone = await aliceAlone();
  const bob = await alone.world.person('bob', alone.alice.env.CHAT_SERVER ?? '').register();
  return { ...alone, bob };
}

const everybody = new World(afterAll);
/** For who neither stops a server nor minds what was said on it; nobody stays online. */
let server: ServerProcess;
/** Logged in there. */
let alice: Person;
beforeAll(async () => {
  server = await everybody.servePeople(free);
  alice = await everybody.person('alice', server).register();
});

/** Alice where she has never been: not logged in, nothing kept, and no password in the environment. */
function aliceElsewhere(): { person: Person; env: NodeJS.ProcessEnv } {
  const person = new World().person('alice', server);
  const { CHAT_PASSWORD: _, ...env } = person.env;
  return { person, env };
}

const isOnline = /^>/m;

/** A chat on the whole screen that is connected. */
async function chatting(person: Person, size = wide, args: readonly string[] = []): Promise<TerminalSession> {
  const terminal = chatIn(person.env, size, args);
  await terminal.shows(isOnline);
  await terminal.shows('1 online');
  return terminal;
}

const bodyOf = (terminal: TerminalSession) => terminal.rows.slice(1, -2).filter((row) => row !== '');
const withoutTimes = (rows: readonly string[]) => rows.map((row) => row.replace(/^\d\d:\d\d /, 'hh:mm '));
const texts = async (person: Person, to = '#lobby') =>
  (await person.doesJson<{ text: string }>(['tail', to, '--once', '-n', '900'])).map(({ text }) => text);

describe('signing in', () => {
  it('registers by prompts, chats, and remembers the login', async () => {
    const carol = new World().person('carol', server);
    const { CHAT_PASSWORD: _, ...env } = carol.env;
    const terminal = chatIn(env, wide);
    await terminal.shows('You are not logged in to');
    terminal.type(keys.down);
    await terminal.shows('❯ create an account');
    terminal.type(keys.enter);
    await terminal.shows('Username');
    terminal.enter('carol');
    await terminal.shows('Password');
    terminal.enter('a good secret');
    await terminal.shows('Password again');
    terminal.enter('a good secret');
    await terminal.shows('#lobby');
    await terminal.shows('1 online: carol');
    expect(terminal.written).not.toContain('a good secret');
    // On the screen too: it is never shown again.
    await terminal.shows(
      /Recovery key of your private messages, shown this once:\s+· ([0-9A-Z]{4}-){6}[0-9A-Z]{4}\s/,
    );
    terminal.type(keys.ctrl('d'));
    expect(await terminal.ended()).toBe(0);
    expect(await carol.run(['whoami'], '', {})).toMatchObject({ code: 0, out: 'carol\n' });
    const again = chatIn(env, wide);
    await again.shows('1 online: carol');
  });

  it('says what was wrong and asks again', async () => {
    const terminal = chatIn(aliceElsewhere().env, wide);
    await terminal.shows('❯ log in');
    terminal.type(keys.enter);
    await terminal.shows('Username');
    terminal.enter('alice');
    await terminal.shows('Password');
    terminal.enter('the wrong one');
    await terminal.shows('unknown user or wrong secret');
    await terminal.shows(/❯ log in[\s\S]*leave/);
    terminal.type(keys.up);
    await terminal.shows('❯ leave');
    terminal.type(keys.enter);
    expect(await terminal.ended()).toBe(0);
  });

  it.each([
    ['y', 0],
    ['n', 4],
  ])('a server that was chosen is used from now on when that is wanted (%s)', async (answer, code) => {
    const { person } = aliceElsewhere();
    const { CHAT_SERVER: address = '', ...env } = person.env;
    const terminal = chatIn(env, wide, ['--trust', 'always']);
    await terminal.shows('You are not logged in to');
    terminal.type(keys.up + keys.up);
    await terminal.shows('❯ another server');
    terminal.type(keys.enter);
    await terminal.shows('Server (HOST:PORT)');
    terminal.enter(address);
    await terminal.shows(/Use \S+ from now on, in other commands too\?/);
    terminal.enter(answer);
    await terminal.shows(/You are not logged in to \S+\.[\s\S]*❯ log in/);
    terminal.type(keys.enter);
    await terminal.shows('Username');
    terminal.enter('alice');
    await terminal.shows('1 online: alice');
    terminal.type(keys.ctrl('d'));
    expect(await terminal.ended()).toBe(0);
    const whoami = await person.run(['whoami'], '', { CHAT_SERVER: undefined });
    expect(whoami.code).toBe(code);
  });

  it('finds no server, and can be left by Ctrl-C', async () => {
    const world = new World();
    const terminal = chatIn(world.person('alice', 'plain://127.0.0.1:1').env, wide);
    await terminal.shows('cannot connect: connection refused');
    await terminal.shows('❯ try again');
    terminal.type(keys.ctrl('c'));
    expect(await terminal.ended()).toBe(130);
    expect(terminal.text).not.toMatch(/^\s+at /m);
  });
});

describe('a chat on the whole screen', () => {
  it.each([wide, small])(
    'shows who says what, where one is and who is there, at $columns x $rows',
    async (size) => {
      const { alice, bob } = await aliceAndBob();
      await bob.does(['send', 'good morning']);
      await bob.does(['send', '@alice', 'a word in private']);
      const terminal = await chatting(alice, size);
      await terminal.shows('bob: good morning');
      await terminal.shows('2:@bob (1)');
      terminal.enter('hello bob');
      await terminal.shows(/^\d\d:\d\d alice: hello bob$/m);
      expect(terminal.rows).toHaveLength(size.rows);
      expect(terminal.rows[0]).toMatch(/^ #lobby {2}alice · 1 online: alice/);
      expect(withoutTimes(bodyOf(terminal)).slice(1)).toEqual([
        'hh:mm bob: good morning',
        'hh:mm alice: hello bob',
      ]);
      expect(terminal.rows.at(-2)).toMatch(/^\[1:#lobby\] 2:@bob \(1\)/);
      expect(terminal.rows.at(-1)).toBe('>');
      expect(terminal.cursor).toEqual({ row: size.rows - 1, column: 2 });
      terminal.type(keys.ctrl('n'));
      await terminal.shows('[2:@bob]');
      await terminal.shows('bob: [encrypted] a word in private');
      expect(withoutTimes(bodyOf(terminal)).slice(1)).toEqual(['hh:mm bob: [encrypted] a word in private']);
      terminal.type(keys.alt('1'));
      await terminal.shows(/\[1:#lobby\] 2:@bob(?! \()/);
    },
  );

  it('keeps the line that is typed while a hundred messages a second arrive', async () => {
    const { alice, bob } = await aliceAndBob();
    const terminal = await chatting(alice);
    const sending = (async () => {
      for (let batch = 0; batch < 10; batch += 1) {
        const lines = Array.from({ length: 30 }, (_, index) => `flood ${batch * 30 + index}`);
        await bob.does(['send', '--lines'], `${lines.join('\n')}\n`);
      }
    })();
    const typed = 'what I have to say: 你好, é, 👍';
    for (const character of typed) {
      terminal.type(character);
      await terminal.shows((text) => text.split('\n').at(-1) !== '>');
    }
    await sending;
    await terminal.shows('bob: flood 299');
    await terminal.shows(`> ${typed}`);
    const shown = bodyOf(terminal).map((row) => Number(/flood (\d+)$/.exec(row)?.[1]));
    expect(shown).toEqual(shown.map((_, index) => 299 - shown.length + 1 + index));
    expect(terminal.cursor).toEqual({ row: 23, column: 2 + 'what I have to say: ____, _, __'.length });
    terminal.type(keys.enter);
    await terminal.shows(`alice: ${typed}`);
    expect((await texts(bob)).at(-1)).toBe(typed);
  });

  it('what was looked at just before leaving is read the next time', async () => {
    const { alice, bob } = await aliceAndBob();
    await bob.does(['send', 'in the lobby']);
    await bob.does(['send', '@alice', 'in private']);
    const terminal = await chatting(alice);
    await terminal.shows('2:@bob (1)');
    terminal.type(keys.ctrl('n'));
    await terminal.shows('bob: [encrypted] in private');
    terminal.type(keys.ctrl('p'));
    await terminal.shows('[1:#lobby]');
    terminal.type(keys.ctrl('d'));
    expect(await terminal.ended()).toBe(0);
    const again = await chatting(alice);
    await again.shows('bob: in the lobby');
    expect(again.rows.at(-2)).toMatch(/^\[1:#lobby\] 2:@bob {2}/);
  });

  it('loads what is older as one scrolls up, to the very first message', async () => {
    const { alice, bob } = await aliceAndBob();
    const lines = Array.from({ length: 400 }, (_, index) => `line ${index + 1}`);
    await bob.does(['send', '--lines'], `${lines.join('\n')}\n`);
    const terminal = await chatting(alice);
    await terminal.shows('line 400');
    const shown = (text: string) =>
      [...text.matchAll(/bob: line (\d+)/g)].map(([, number]) => Number(number));
    // What is half drawn has the rows of two places, or of one and nothing below them.
    const isWhole = (numbers: readonly number[]) =>
      bodyOf(terminal).length === wide.rows - 3 &&
      numbers.every((number, index) => number === (numbers[0] ?? 0) + index);
    await terminal.shows((text) => isWhole(shown(text)));
    const seen = new Set<string>();
    for (let pages = 0; !terminal.text.includes('line 1\n'); pages += 1) {
      expect(pages).toBeLessThan(200);
      for (const row of bodyOf(terminal)) seen.add(row);
      const [before] = shown(terminal.text);
      terminal.type(keys.pageUp);
      await terminal.shows((text) => shown(text)[0] !== before && isWhole(shown(text)));
    }
    for (const row of bodyOf(terminal)) seen.add(row);
    expect([...seen].filter((row) => row.includes('bob: line'))).toHaveLength(400);
    expect(terminal.rows.at(-2)).toContain('↓ PgDn');
    // New messages leave the place where one reads alone.
    const place = bodyOf(terminal);
    await bob.does(['send', 'something new']);
    await bob.does(['send', '@alice', 'look at the lobby']);
    await terminal.shows('2:@bob (1)');
    expect(bodyOf(terminal)).toEqual(place);
    for (let pages = 0; terminal.text.includes('↓ PgDn'); pages += 1) {
      expect(pages).toBeLessThan(60);
      const before = terminal.text;
      terminal.type(keys.pageDown);
      await terminal.shows((text) => text !== before);
    }
    await terminal.shows(() => /bob: something new$/.test(bodyOf(terminal).at(-1) ?? ''));
  });

  it('sends a paste of several lines as one message, and shows control characters escaped', async () => {
    const { alice, bob } = await aliceAndBob();
    const terminal = await chatting(alice);
    terminal.type(keys.paste('first\nsecond\r\n\tthird\n'));
    await terminal.shows('  second');
    terminal.type(keys.enter);
    await terminal.shows(/^\d\d:\d\d alice: first\n +second\n +\\tthird/m);
    expect(await texts(bob)).toEqual(['first\nsecond\n\tthird']);
    await bob.does(['send', '\u001b[2J\u001b]0;gotcha\u0007\u202eevil\n12:00 alice: I said this']);
    await terminal.shows('\\x1b[2J\\x1b]0;gotcha\\x07\\u202eevil');
    // The line that would pass for another one stands behind the name of who wrote it.
    expect(terminal.text).toMatch(/^ {5,}12:00 alice: I said this$/m);
  });

  it('completes names, rooms and commands, and tells what a mistyped command may have meant', async () => {
    const { alice, bob } = await aliceAndBob();
    await bob.does(['join', 'operations', '--create']);
    const terminal = await chatting(alice);
    // The lists come after the first picture.
    for (;;) {
      terminal.type(`/join oper${keys.tab}`);
      await terminal.shows(/^> \/join oper/m);
      await delay(20);
      if (/^> \/join operations/m.test(terminal.text)) break;
      terminal.type(keys.ctrl('u'));
      await terminal.shows('> type a message, or /help');
    }
    terminal.type(keys.enter);
    await terminal.shows('[2:#operations]');
    terminal.enter('/jion x');
    await terminal.shows('there is no command /jion; did you mean /join?');
    // It can be mended.
    await terminal.shows('> /jion x');
    terminal.type(`${keys.ctrl('u')}hello @b${keys.tab}`);
    await terminal.shows('> hello @bob');
    terminal.type(`${keys.ctrl('u')}@bob psst${keys.enter}`);
    await terminal.shows('sent to @bob privately');
    await expect.poll(() => texts(bob, '@alice'), { timeout: 15_000 }).toEqual(['psst']);
    terminal.enter('/leave');
    await terminal.shows('[1:#lobby]');
    terminal.enter('/quit');
    expect(await terminal.ended()).toBe(0);
  });

  it('goes on after the server was killed: the half-typed line stays, what was sent meanwhile arrives once', async () => {
    const { alice, stop, start } = await aliceAlone();
    const terminal = await chatting(alice);
    await stop('SIGKILL');
    await terminal.shows('not connected, next try in');
    terminal.enter('sent while away');
    await terminal.shows('…   alice: sent while away');
    terminal.type('half a li');
    await start();
    await terminal.shows(/^\d\d:\d\d alice: sent while away$/m);
    await terminal.shows('connected');
    await terminal.shows('> half a li');
    terminal.type('ne');
    terminal.type(keys.enter);
    await terminal.shows('alice: half a line');
    expect(await texts(alice)).toEqual(['sent while away', 'half a line']);
  });

  it('follows the size of the terminal, and says when it is too small', async () => {
    const { alice, bob } = await aliceAndBob();
    await bob.does(['send', 'a line that is longer than forty columns are wide']);
    const terminal = await chatting(alice);
    terminal.type('typed');
    await terminal.shows('> typed');
    terminal.resize(small);
    await terminal.shows(/bob: a line that is longer than\n/);
    expect([terminal.rows.length, terminal.rows.at(-1)]).toEqual([10, '> typed']);
    terminal.resize({ columns: 15, rows: 4 });
    await terminal.shows('too small');
    terminal.resize(wide);
    await terminal.shows('a line that is longer than forty columns are wide');
    await terminal.shows('> typed');
  });

  it('asks before it leaves with something unsent, says when all is sent, and leaves then', async () => {
    const { alice, stop, start } = await aliceAlone();
    const terminal = await chatting(alice);
    await stop('SIGKILL');
    await terminal.shows('not connected');
    expect(terminal.rows[0]).not.toContain('online');
    terminal.enter('last words');
    terminal.type(keys.ctrl('d'));
    await terminal.shows('1 message is not sent yet; leave again to drop what is not sent');
    await start();
    await terminal.shows('all is sent');
    terminal.type(keys.ctrl('d'));
    expect(await terminal.ended()).toBe(0);
    expect(await texts(alice)).toEqual(['last words']);
  });

  it('asks to sign in again when its session was ended elsewhere, and keeps what was typed', async () => {
    const { alice } = await aliceAlone();
    const terminal = await chatting(alice);
    terminal.type('not yet sent');
    await terminal.shows('> not yet sent');
    const elsewhere = { XDG_STATE_HOME: alice.world.path('elsewhere') };
    expect(await alice.run(['login', 'alice'], '', elsewhere)).toMatchObject({ code: 0 });
    expect(await alice.run(['sessions', 'revoke', '--others'], '', elsewhere)).toMatchObject({ code: 0 });
    await terminal.shows('❯ log in');
    expect(terminal.buffer).toBe('normal');
    terminal.type(keys.enter);
    await terminal.shows('Username');
    terminal.enter('alice');
    await terminal.shows('> not yet sent');
  });
});

describe('the terminal', () => {
  const restored = (terminal: TerminalSession) => [terminal.buffer, terminal.marksPastes];

  it.each<[string, (terminal: TerminalSession) => void, number]>([
    ['/quit', (terminal) => terminal.enter('/quit'), 0],
    ['Ctrl-D', (terminal) => terminal.type(keys.ctrl('d')), 0],
    ['Ctrl-C twice', (terminal) => terminal.type(keys.ctrl('c') + keys.ctrl('c')), 0],
    ['SIGTERM', (terminal) => terminal.kill('SIGTERM'), 143],
    ['SIGHUP', (terminal) => terminal.kill('SIGHUP'), 129],
  ])('is given back by %s', async (_how, leave, code) => {
    const terminal = await chatting(alice);
    expect(restored(terminal)).toEqual(['alternate', true]);
    leave(terminal);
    expect(await terminal.ended()).toBe(code);
    expect(restored(terminal)).toEqual(['normal', false]);
    expect(terminal.written.lastIndexOf('\u001b[?25h')).toBeGreaterThan(
      terminal.written.lastIndexOf('\u001b[?25l'),
    );
  });

  it('has its echo and lines back after a chat, and a chat that was stopped goes on', async () => {
    const shell = shellIn(alice.env, wide);
    await shell.shows('$');
    shell.enter(`${chat}; stty -a | tr ';' '\\n' | grep -oE -- '-?(icanon|echo|isig)\\b' | tr '\\n' ' '`);
    await shell.shows('1 online');
    shell.type('kept');
    await shell.shows('> kept');
    shell.type(keys.ctrl('z'));
    await shell.shows('Stopped');
    expect(shell.buffer).toBe('normal');
    shell.enter('fg');
    await shell.shows('> kept');
    shell.type(`${keys.ctrl('u')}${keys.ctrl('d')}`);
    await shell.shows((text) => shell.buffer === 'normal' && /\$$/.test(text.trimEnd()));
    shell.enter('stty -a | grep -oE -- "-?(icanon|echo|isig)( |;)" | tr -d "; \\n"');
    await shell.shows(/isigicanonecho|icanon.*echo/);
    expect(shell.text).not.toMatch(/-icanon|-echo\b|-isig/);
  });

  it('is kept at Ctrl-Z where no shell could continue the chat', async () => {
    const terminal = await chatting(alice);
    terminal.type(`before${keys.ctrl('z')}`);
    // Given back and taken again.
    await terminal.shows(() => terminal.written.split('\u001b[?1049h').length === 3);
    terminal.type(' and after');
    await terminal.shows('> before and after');
    expect([terminal.buffer, terminal.marksPastes]).toEqual(['alternate', true]);
    terminal.type(`${keys.ctrl('u')}${keys.ctrl('d')}`);
    expect(await terminal.ended()).toBe(0);
    expect(terminal.buffer).toBe('normal');
  });

  it('is taken again when somebody else has stopped the chat', async () => {
    const shell = shellIn(alice.env, wide);
    await shell.shows('$');
    shell.enter('echo the shell is here');
    shell.enter(`sh -c 'echo $$ >"$XDG_STATE_HOME/pid"; exec ${chat}'`);
    await shell.shows('1 online');
    shell.type('kept');
    await shell.shows('> kept');
    process.kill(Number(await readFile(`${alice.env.XDG_STATE_HOME}/pid`, 'utf8')), 'SIGSTOP');
    await shell.shows('Stopped');
    shell.enter('stty sane; fg');
    await shell.shows((text) => text.includes('> kept') && text.includes('1 online'));
    shell.type(' and more');
    await shell.shows('> kept and more');
    shell.type(`${keys.ctrl('u')}${keys.ctrl('d')}`);
    await shell.shows('the shell is here');
    expect(shell.buffer).toBe('normal');
  });

  it('that goes away ends the chat', async () => {
    const watcher = await new World().person('watcher', server).register({ hasBackup: false });
    const shell = shellIn(alice.env, wide);
    await shell.shows('$');
    shell.enter(`${chat}`);
    await shell.shows('1 online');
    shell.kill('SIGKILL');
    await shell.ended();
    await expect
      .poll(async () => (await watcher.does(['users'])).split('\n'), { timeout: 60_000 })
      .not.toContain('alice');
  });
});

describe('without drawing', () => {
  it.each([
    ['--screen-reader', {}, ['--screen-reader']],
    ['TERM=dumb', { TERM: 'dumb' }, []],
  ])('(%s) a chat writes lines below one another only', async (_how, env, args) => {
    const { alice, bob, stop, start } = await aliceAndBob();
    await bob.does(['send', 'good morning']);
    const terminal = chatIn({ ...alice.env, ...env }, wide, args);
    await terminal.shows('bob: good morning');
    await terminal.shows('* you are in #lobby');
    terminal.enter('hello');
    terminal.enter('/users');
    await terminal.shows('* 1 online: alice');
    await bob.does(['send', '@alice', 'in private']);
    await terminal.shows('@bob bob: [encrypted] in private');
    terminal.enter('/nope');
    await terminal.shows('* error: there is no command /nope; /help lists the commands');
    await stop();
    await terminal.shows('* not connected: ');
    await start();
    await terminal.shows('* connected again');
    expect(await texts(bob)).toEqual(['good morning', 'hello']);
    terminal.type(keys.ctrl('d'));
    expect(await terminal.ended()).toBe(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what must not be there
    expect(terminal.written).not.toMatch(/\u001b/);
  });

  it.each(['before it has begun', 'at a question of which nothing is shown'])(
    'what is typed ahead is there when it is asked for: %s',
    async (when) => {
      const { alice, world } = await aliceAlone();
      const { CHAT_PASSWORD: _, ...own } = alice.env;
      const env = { ...own, XDG_STATE_HOME: world.path('elsewhere') };
      const terminal = chatIn(env, wide, ['--screen-reader']);
      const [ahead, rest] = when === 'before it has begun' ? [6, 0] : [2, 4];
      const lines = ['2', 'carol', 'a good secret', 'a good secret', 'hello', 'I am new'];
      terminal.type(lines.slice(0, ahead).join('\r').concat('\r'));
      if (rest > 0) {
        await terminal.shows('Password (not shown):');
        terminal.type(lines.slice(-rest).join('\r').concat('\r'));
      }
      await terminal.shows('* you are in #lobby');
      await expect.poll(() => texts(alice), { timeout: 60_000 }).toEqual(['hello', 'I am new']);
      if (rest > 0) expect(terminal.written).not.toContain('a good secret');
      terminal.type(keys.ctrl('d'));
      expect(await terminal.ended()).toBe(0);
    },
  );

  it('the end of the input waits for what was typed before', async () => {
    const { alice, stop, start } = await aliceAlone();
    const terminal = chatIn(alice.env, wide, ['--screen-reader']);
    await terminal.shows('* you are in #lobby');
    await stop('SIGKILL');
    await terminal.shows('* not connected: ');
    terminal.enter('last words');
    terminal.type(keys.ctrl('d'));
    await terminal.shows('* 1 message is not sent yet; this ends when all is sent');
    await start();
    expect(await terminal.ended()).toBe(0);
    expect(await texts(alice)).toEqual(['last words']);
  });

  it('Ctrl-C ends it, also when the input has ended and nothing can be sent', async () => {
    const { alice, stop } = await aliceAlone();
    const terminal = chatIn(alice.env, wide, ['--screen-reader']);
    await terminal.shows('* you are in #lobby');
    await stop('SIGKILL');
    await terminal.shows('* not connected: ');
    terminal.enter('last words');
    terminal.type(keys.ctrl('d'));
    await terminal.shows('* 1 message is not sent yet');
    terminal.type(keys.ctrl('c'));
    expect(await terminal.ended()).toBe(130);
  });

  it('/quit says that something is not sent, and leaves when it is asked again', async () => {
    const { alice, stop } = await aliceAlone();
    const terminal = chatIn(alice.env, wide, ['--screen-reader']);
    await terminal.shows('* you are in #lobby');
    await stop('SIGKILL');
    await terminal.shows('* not connected: ');
    terminal.enter('last words');
    terminal.enter('/quit');
    await terminal.shows('* 1 message is not sent yet; leave again to drop what is not sent');
    terminal.enter('/quit');
    expect(await terminal.ended()).toBe(3);
    await terminal.shows('the server has not said that it has stored 1 typed message');
  });

  it('NO_COLOR leaves every colour out', async () => {
    const { alice, bob } = await aliceAndBob();
    await bob.does(['send', 'good morning']);
    const terminal = chatIn({ ...alice.env, NO_COLOR: '1' }, wide);
    await terminal.shows('bob: good morning');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
    const looks = new Set(terminal.written.match(/\u001b\[[\d;]*m/g));
    expect([...looks].sort()).toEqual(['\u001b[0m', '\u001b[27m', '\u001b[7m']);
  });
});
