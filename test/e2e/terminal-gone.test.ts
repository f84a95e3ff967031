import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { spawn } from '@lydell/node-pty';
import { describe, expect, it, onTestFinished } from 'vitest';
import { chat, World } from './support/server.ts';

/** As people type it: a shell names in its environment what it starts. */
const underNohup = ['-c', 'nohup "$@"', 'bash'] as const;

async function worldWithAlice() {
  const world = new World();
  const server = await world.servePeople();
  const alice = await world.person('alice', server).register();
  return { world, server, alice };
}

describe('SIGHUP', () => {
  it('ends a tail with 129, silently, and what was printed stays', async () => {
    const { alice } = await worldWithAlice();
    await alice.does(['send', 'hello']);
    const tail = alice.start(['tail', '#lobby', '-o', 'json', '--verbose']);
    expect(await tail.json()).toMatchObject({ text: 'hello' });
    await tail.says(/following/);
    const said = tail.err;
    expect(await tail.kill('SIGHUP')).toMatchObject({ code: 129, err: said });
  });

  it('ends a send that waits for a server with 129', async () => {
    const { alice, server } = await worldWithAlice();
    await server.stop();
    const send = alice.start(['send', 'hello', '--verbose']);
    await send.says(/trying again/);
    expect(await send.kill('SIGHUP')).toMatchObject({ code: 129, out: '' });
  });

  it('ends the command of tail --exec too', async () => {
    const { alice } = await worldWithAlice();
    await alice.does(['send', 'hello']);
    const command = 'trap "echo told; exit 0" TERM; echo began >&2; while :; do sleep 0.05; done';
    const tail = alice.start(['tail', '#lobby', '--own', '--exec', command]);
    await tail.says(/began/);
    expect(await tail.kill('SIGHUP')).toMatchObject({ code: 129, out: 'told\n' });
  });

  it('ends nothing that was started by nohup, which SIGTERM still ends', async () => {
    const { world, alice } = await worldWithAlice();
    const argv = [chat, 'tail', '#lobby', '-n', '0', '-o', 'json', '--verbose'];
    const tail = world.start([...underNohup, ...argv], alice.env, '', { program: 'bash' });
    await tail.says(/following/);
    tail.child.kill('SIGHUP');
    await alice.does(['send', 'still there?']);
    expect(await tail.json()).toMatchObject({ text: 'still there?' });
    expect(await tail.kill('SIGTERM')).toMatchObject({ code: 143 });
  });

  it('is not made deaf for what tail --exec starts', async () => {
    const { world, alice } = await worldWithAlice();
    await alice.does(['send', 'hello']);
    const argv = [chat, 'tail', '--own', '--once', '--exec', 'echo "$CHAT_NOHUP"'];
    const argvUnderNohup = [...underNohup, ...argv];
    expect(await world.start(argvUnderNohup, alice.env, '', { program: 'bash' }).ended).toMatchObject({
      code: 0,
      out: '\n',
    });
  });

  it('leaves a server running, which says so, and SIGTERM ends it in order', async () => {
    const { server, alice } = await worldWithAlice();
    server.running.child.kill('SIGHUP');
    await server.running.says(/the server goes on/);
    expect(await alice.run(['whoami'])).toMatchObject({ code: 0, out: 'alice\n' });
    expect(await server.stop('SIGTERM')).toMatchObject({ code: 0 });
  });
});

describe('SIGTERM', () => {
  it('that comes while a server starts ends it in order as soon as it is up', async () => {
    const world = new World();
    const data = world.path('data');
    const starting = world.startServer();
    // Made by the server itself, and before everything that takes time.
    while (!existsSync(data)) await new Promise((resolve) => setImmediate(resolve));
    expect(await starting.kill('SIGTERM')).toMatchObject({ code: 0 });
  });
});

/** `chat ARGS` at a terminal of its own, which can be taken away. */
function atTerminal(args: readonly string[], env: NodeJS.ProcessEnv) {
  const pty = spawn(chat, [...args], { cols: 120, rows: 30, env: { TERM: 'xterm', ...env } });
  let shown = '';
  let wake = (): void => {};
  pty.onData((text) => {
    shown += text;
    wake();
  });
  const ended = new Promise<number>((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)));
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
    wake();
  });
  onTestFinished(async () => {
    if (!hasEnded) process.kill(pty.pid, 'SIGKILL');
    await ended;
  });
  return {
    pid: pty.pid,
    ended,
    async shows(pattern: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const match = pattern.exec(shown);
        if (match !== null) return match;
        if (hasEnded) throw new Error(`ended without showing ${pattern}: ${shown}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    /** Closes the terminal's other end, as a window that is closed does. */
    close(): void {
      (pty as unknown as { _socket: Socket })._socket.destroy();
    },
  };
}

describe('a terminal that goes away', () => {
  it.each([
    ['tail', ['tail', '#lobby', '--verbose'], /following/],
    ['the chat on the whole screen', [], /#lobby/],
    ['a prompt', ['login', '--context', 'other'], /Username/],
  ] as const)('ends %s with 129', async (_what, argv, pattern) => {
    const { alice } = await worldWithAlice();
    const terminal = atTerminal(argv, alice.env);
    await terminal.shows(pattern);
    terminal.close();
    expect(await terminal.ended).toBe(129);
  });

  it('leaves the server that was started in it running, with nowhere to write its log', async () => {
    const world = new World();
    const argv = ['serve', '--listen', '127.0.0.1:0', '--data', world.path('data'), '--bcrypt-cost', '10'];
    const terminal = atTerminal(argv, { PATH: process.env.PATH, HOME: world.path('operator') });
    const [, address = ''] = await terminal.shows(/(127\.0\.0\.1:\d+) SHA256:/);
    terminal.close();
    const alice = await world.person('alice', address).register({ hasKeys: false });
    expect(await alice.run(['whoami'])).toMatchObject({ code: 0, out: 'alice\n' });
    process.kill(terminal.pid, 'SIGTERM');
    expect(await terminal.ended).toBe(0);
  });
});
