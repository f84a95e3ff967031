import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Gate } from './support/gate.ts';
import { runHere } from './support/here.ts';
import { type Person, type Running, type ServerProcess, World } from './support/server.ts';

const away =
  /cannot connect: connection refused; kept in the outbox as [0-9a-z]{8}, for the next --outbox or chat outbox send\n$/;

interface Kept {
  readonly id: string;
  readonly to: string;
  readonly count: number;
  readonly stored: number;
  readonly first: string;
  readonly refused: { readonly code: string; readonly message: string } | null;
}

/** Waits for what another process does in its own time. */
const eventually = <T>(check: () => T) => vi.waitFor(check, { interval: 10, timeout: 60_000 });

const flags = ['--messages-per-second', '0', '--registrations-per-hour', '0', '--logins-per-minute', '0'];

const everybody = new World(afterAll);
let shared: ServerProcess;
let people = 0;
beforeAll(async () => {
  shared = await everybody.serve(flags);
});

/** Somebody new on everybody's server, whose own way to it can be shut and opened again; with keys where somebody is written to. */
async function personAndGate({ hasKeys } = { hasKeys: false }) {
  const world = new World();
  const gate = await Gate.to(shared);
  people += 1;
  const person = await world.person(`alice-${people}`, gate).register({ hasKeys, hasBackup: false });
  return { world, person, stop: () => gate.shut(), start: () => gate.open() };
}

/** Somebody whose server can be stopped and started again on its port. */
async function personAndServer() {
  const world = new World();
  let server = await world.servePeople(flags);
  const listen = server.address;
  const person = world.person('alice', server);
  await person.register();
  return {
    world,
    person,
    stop: (signal?: NodeJS.Signals) => server.stop(signal),
    start: async () => {
      server = await world.serve(flags, { listen });
    },
  };
}

/** Stops the server after the first line of output, and counts all of them. */
async function linesUntilStopped(sending: Running, stop: () => Promise<unknown>): Promise<number> {
  await sending.line();
  const stopped = stop();
  let count = 1;
  while ((await sending.line()) !== undefined) count += 1;
  await stopped;
  return count;
}

const keeping = (words: readonly string[]) => ['send', '--outbox', '--timeout', '0.2', ...words];
const keep = (person: Person, ...words: string[]) => person.run(keeping(words));
/** Like {@link keep}, where it is no more than what there has to be. */
const keepBefore = async (person: Person, ...words: string[]) =>
  expect(await runHere(keeping(words), person.env)).toMatchObject({ code: 3 });
const kept = (person: Person) => person.doesJson<Kept>(['outbox']);
/** What a person has said in the lobby, or somebody whose name is theirs, a dot, and more. */
const texts = async (person: Person) =>
  (
    await person.doesJson<{ sender: string; text: string }>(['tail', '#lobby', '--once', '--since', 'all'])
  ).flatMap(({ sender, text }) => (`${sender}.`.startsWith(`${person.name}.`) ? [text] : []));
const outboxOf = (person: Person) => join(person.home, 'state', 'chat', 'outbox');

/** Every file below the outbox. */
const filesOf = (person: Person): string[] =>
  readdirSync(outboxOf(person), { recursive: true })
    .map(String)
    .filter((name) => statSync(join(outboxOf(person), name)).isFile());

describe('a message that cannot be sent now', () => {
  it('is kept with --outbox and sent later in its order, once, by the next --outbox', async () => {
    const { person, stop, start } = await personAndGate();
    await stop();
    expect(await keep(person, 'one')).toEqual({ code: 3, out: '', err: expect.stringMatching(away) });
    expect(await keep(person, '#lobby', 'two\u2028three')).toMatchObject({ code: 3 });
    expect(await kept(person)).toMatchObject([
      { to: '#lobby', count: 1, first: 'one', refused: null },
      { to: '#lobby', count: 1, first: 'two\u2028three', refused: null },
    ]);
    for (const name of filesOf(person))
      expect(statSync(join(outboxOf(person), name)).mode & 0o777).toBe(0o600);
    await start();
    expect(await person.run(['send', '--outbox', 'four'])).toEqual({ code: 0, out: '', err: '' });
    expect(await kept(person)).toEqual([]);
    expect(await texts(person)).toEqual(['one', 'two\u2028three', 'four']);
    expect(filesOf(person)).toEqual([]);
  });

  it('is sent by chat outbox send, which prints it, leaves what the server refuses and says why', async () => {
    const { person, stop, start } = await personAndGate({ hasKeys: true });
    await stop();
    await keepBefore(person, 'one');
    await keepBefore(person, '@nobody', 'hello');
    await keepBefore(person, 'two');
    expect(await person.run(['outbox', 'send', '--timeout', '0.2'])).toMatchObject({ code: 3, out: '' });
    const [one, refused, two] = await kept(person);
    await start();
    expect(await person.run(['outbox', 'send'])).toEqual({
      code: 6,
      out: `${one?.id}\t#lobby\tone\n${two?.id}\t#lobby\ttwo\n`,
      err: `sent 2 messages\nchat: ${refused?.id} stays: there is no user @nobody; chat outbox lists it, chat outbox rm drops it\n`,
    });
    expect(await kept(person)).toMatchObject([
      {
        id: refused?.id,
        to: '@nobody',
        refused: { code: 'not-found', message: 'there is no user @nobody' },
      },
    ]);
    expect(await texts(person)).toEqual(['one', 'two']);
    // It does not hold up what comes after it, and goes when it is dropped.
    expect(await person.run(['send', '--outbox', 'three'])).toEqual({ code: 0, out: '', err: '' });
    expect(await person.run(['outbox', 'rm', refused?.id ?? ''])).toMatchObject({ code: 0 });
    expect(await person.run(['outbox', 'send'])).toEqual({ code: 0, out: '', err: 'the outbox is empty\n' });
  });

  it('is waited for by chat outbox send --wait until the server is back', async () => {
    const { person, stop, start } = await personAndGate();
    await stop();
    await keepBefore(person, 'patient');
    const waiting = person.start(['outbox', 'send', '--wait']);
    await waiting.says(/trying again/);
    const second = await person.run(['outbox', 'send', '--timeout', '0.2']);
    expect(second).toEqual({
      code: 7,
      out: '',
      err: `chat: process ${waiting.child.pid} is sending from the outbox; wait for it, or end it\n`,
    });
    expect(await person.run(['outbox', 'rm', '--all'])).toMatchObject({ code: 7 });
    await start();
    expect(await waiting.ended).toMatchObject({ code: 0, err: expect.stringMatching(/sent 1 message\n$/) });
    expect(await texts(person)).toEqual(['patient']);
  }, 300_000);

  it('is waited for until a signal ends that, and stays', async () => {
    const { person, stop } = await personAndGate();
    await stop();
    await keepBefore(person, 'patient');
    const waiting = person.start(['outbox', 'send', '--wait']);
    await waiting.says(/trying again/);
    expect((await waiting.kill('SIGTERM')).code).toBe(143);
    expect(await kept(person)).toMatchObject([{ first: 'patient' }]);
  });

  it('is kept when a signal ends the trying, or a kill', async () => {
    const { person, stop, start } = await personAndGate();
    await stop();
    for (const [signal, text] of [
      ['SIGINT', 'one'],
      ['SIGKILL', 'two'],
    ] as const) {
      const sending = person.start(['send', '--outbox', '--verbose', text]);
      await sending.says(/trying again/);
      const { code, err } = await sending.kill(signal);
      if (signal === 'SIGKILL') continue;
      expect([code, err.trim().split('\n').at(-1)]).toEqual([
        130,
        expect.stringMatching(/^stopped; kept in the outbox as [0-9a-z]{8}, for the next --outbox or /),
      ]);
    }
    expect(await kept(person)).toMatchObject([{ first: 'one' }, { first: 'two' }]);
    await start();
    expect(await person.run(['outbox', 'send', '-q'])).toMatchObject({ code: 0, err: '' });
    expect(await texts(person)).toEqual(['one', 'two']);
  });

  it('is not kept when the server refuses it for good, nor without a login', async () => {
    const { person } = await personAndGate({ hasKeys: true });
    expect(await person.run(['send', '--outbox', '@nobody', 'hello'])).toEqual({
      code: 6,
      out: '',
      err: 'chat: there is no user @nobody\n',
    });
    expect(await kept(person)).toEqual([]);
    await person.does(['logout']);
    expect(await person.run(['send', '--outbox', 'hello'])).toMatchObject({ code: 4 });
    expect(await person.run(['send', '--outbox', 'hello'], '', { CHAT_TOKEN: 'x' })).toEqual({
      code: 2,
      out: '',
      err: 'chat: CHAT_TOKEN does not say whose messages are kept; the outbox needs a saved login (chat login)\n',
    });
    expect(await kept(person)).toEqual([]);
  });

  it('is kept when the session has ended, and sent after a login', async () => {
    const { person } = await personAndGate();
    await person.does(['login', person.name, '--context', 'other']);
    await person.does(['sessions', 'revoke', '--others', '--context', 'other']);
    const { code, err } = await person.run(['send', '--outbox', 'hello']);
    expect([code, err]).toEqual([
      4,
      expect.stringMatching(/the session has ended on .*; kept in the outbox as /),
    ]);
    await person.does(['login', person.name]);
    await person.succeed(['outbox', 'send']);
    expect(await texts(person)).toEqual(['hello']);
  });

  it('stays with the account that wrote it', async () => {
    const { person, stop, start } = await personAndGate();
    await stop();
    await keepBefore(person, 'from alice');
    await start();
    await person.does(['register', `${person.name}.bob`], '', { hasBackup: false });
    expect(await person.run(['outbox', 'send'])).toEqual({
      code: 0,
      out: '',
      err: `1 entry of ${person.name} left alone: log in as that account to send\nsent 0 messages\n`,
    });
    expect(await person.run(['send', '--outbox', 'from bob'])).toMatchObject({ code: 0 });
    expect(await kept(person)).toHaveLength(1);
    await person.does(['login', person.name]);
    await person.run(['outbox', 'send']);
    expect(await texts(person)).toEqual(['from bob', 'from alice']);
  });

  it('is not lost and not doubled when senders are killed at any moment', async () => {
    const { person, stop, start } = await personAndServer();
    await stop();
    const words = Array.from({ length: 3_006 }, (_, index) => `word ${index}`);
    await person.run(
      ['send', '--outbox', '--lines', '--timeout', '0.2'],
      `${words.slice(0, 3_000).join('\n')}\n`,
    );
    for (const word of words.slice(3_000)) await keepBefore(person, word);
    expect(await kept(person)).toMatchObject([{ count: 3_000 }, {}, {}, {}, {}, {}, {}]);
    await start();
    for (let after = 60; after < 600; after += 40) {
      const sending = person.start(['outbox', 'send']);
      const timer = setTimeout(() => sending.child.kill('SIGKILL'), after);
      await sending.ended;
      clearTimeout(timer);
    }
    expect(await person.run(['outbox', 'send'])).toMatchObject({ code: 0 });
    expect(await texts(person)).toEqual(words);
    expect(await kept(person)).toEqual([]);
    expect(filesOf(person)).toEqual([]);
  }, 300_000);

  it('is not lost and not doubled when its sender is killed in the middle of a batch', async () => {
    const { person, stop, start } = await personAndServer();
    await stop();
    const words = Array.from({ length: 20_000 }, (_, index) => `word ${index}`);
    await person.run(['send', '--outbox', '--lines', '--timeout', '0.2'], words.join('\n'));
    await start();
    const sending = person.start(['outbox', 'send']);
    const some = async () => (await person.does(['tail', '--once', '-n', '1'])) !== '';
    await eventually(async () => expect(await some()).toBe(true));
    await sending.kill('SIGKILL');
    expect(await person.run(['outbox', 'send', '-q'])).toMatchObject({ code: 0, err: '' });
    expect(await texts(person)).toEqual(words);
  }, 300_000);

  it('is sent once when several send it at the same time', async () => {
    const { person, stop, start } = await personAndGate();
    await stop();
    for (const word of ['a', 'b', 'c']) await keepBefore(person, word);
    await start();
    const all = await Promise.all(['d', 'e', 'f'].map((word) => person.run(['send', '--outbox', word])));
    expect(all).toEqual(all.map(() => ({ code: 0, out: '', err: '' })));
    const came = await texts(person);
    expect(came.slice(0, 3)).toEqual(['a', 'b', 'c']);
    expect(came.slice(3).sort()).toEqual(['d', 'e', 'f']);
  });

  it('whose file was damaged is named, and the others are sent', async () => {
    const { person, stop, start } = await personAndGate();
    await stop();
    for (const word of ['a', 'b', 'c']) await keepBefore(person, word);
    const [, second] = await kept(person);
    const file = filesOf(person).find((name) => name.endsWith(`${second?.id}.jsonl`)) ?? '';
    const path = join(outboxOf(person), file);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"b"', '"x"'));
    await start();
    const why = `${path}: is damaged (its digest is another)`;
    const { code, err } = await person.run(['outbox', 'send']);
    expect({ code, err }).toEqual({
      code: 2,
      err: `sent 2 messages\nchat: ${second?.id} stays: ${why}; chat outbox lists it, chat outbox rm drops it\n`,
    });
    expect(await texts(person)).toEqual(['a', 'c']);
    expect(await person.json(['outbox'])).toEqual([{ id: second?.id, damaged: why }]);
    expect(await person.run(['outbox', 'rm', second?.id ?? ''])).toMatchObject({ code: 0 });
    expect(filesOf(person)).toEqual([]);
  });
});

describe('lines', () => {
  it('are kept from the first that was not stored, when the server goes away among them', async () => {
    const { person, stop, start } = await personAndServer();
    const lines = Array.from({ length: 900 }, (_, index) => `line ${index + 1}`);
    const sending = person.start(
      ['send', '--lines', '--outbox', '--timeout', '2', '-o', 'json'],
      `${lines.join('\n')}\n`,
    );
    const stored = await linesUntilStopped(sending, stop);
    const ended = await sending.ended;
    expect(ended).toMatchObject({ code: 3 });
    expect(ended.err).toContain(`${stored} messages are stored; ${900 - stored} kept in the outbox as `);
    expect(await kept(person)).toMatchObject([{ count: 900 - stored, first: `line ${stored + 1}` }]);
    await start();
    expect(await person.run(['outbox', 'send'])).toMatchObject({ code: 0 });
    expect(await texts(person)).toEqual(lines);
  });

  it('are kept behind what was kept before them, and all comes in its order', async () => {
    const { person, stop, start } = await personAndGate();
    await stop();
    await keepBefore(person, 'one');
    expect(
      await person.run(['send', '--lines', '--outbox', '--timeout', '0.2'], 'two\n\nthree\r\n'),
    ).toMatchObject({
      code: 3,
      err: expect.stringContaining('0 messages are stored; 2 kept in the outbox as '),
    });
    await keepBefore(person, 'four');
    await start();
    expect(await person.run(['send', '--lines', '--outbox'], 'five\nsix\n')).toMatchObject({ code: 0 });
    expect(await texts(person)).toEqual(['one', 'two', 'three', 'four', 'five', 'six']);
    expect(filesOf(person)).toEqual([]);
  });
});

describe('a full disk', () => {
  it('is said when something is to be kept: exit 2, NOT kept; with a server it is sent all the same', async (test) => {
    const { world, person, stop } = await personAndGate();
    const state = world.path('small');
    mkdirSync(state);
    if (!mounted(state, '1m')) {
      test.skip('SKIPPED: no right to mount a tmpfs');
      return;
    }
    const env = { XDG_STATE_HOME: state };
    await person.succeed(['login', person.name], '', env);
    fill(join(state, 'ballast'));
    expect(await person.run(['send', '--outbox', 'hello'], '', env)).toEqual({
      code: 0,
      out: '',
      err: expect.stringMatching(/^warning: not kept: .*: cannot write it \(ENOSPC\)\n$/),
    });
    await stop();
    const { code, out, err } = await person.run(['send', '--outbox', '--timeout', '0.2', 'hello'], '', env);
    expect([code, out]).toEqual([2, '']);
    expect(err.split('\n').at(-2)).toMatch(
      /^chat: .*cannot connect: connection refused; it is NOT kept: .*: cannot write it \(ENOSPC\)$/,
    );
    const lines = ['send', '--lines', '--outbox', '--key', 'K', '--timeout', '0.2'];
    const failed = await person.run(lines, 'one\ntwo\n', env);
    expect(failed).toEqual({
      code: 2,
      out: '',
      err: expect.stringMatching(
        /^chat: .*cannot connect: connection refused; 0 messages are stored; to go on, send the same lines with --key K --from-line 1; NOT kept: .*: cannot write it \(ENOSPC\)\n$/,
      ),
    });
    rmSync(join(state, 'ballast'));
    expect(await person.run(['outbox'], '', env)).toEqual({ code: 0, out: '', err: '' });
  });
});

/** Puts a small file system at `place` until the test's end; false, and loudly so, when the system does not let us. */
function mounted(place: string, size: string): boolean {
  const { status, stderr, error } = spawnSync(
    'mount',
    ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) {
    console.warn(`SKIPPED: no small disk to be had, since mount failed: ${error?.message ?? stderr.trim()}`);
    return false;
  }
  onTestFinished(() => void execFileSync('umount', ['--lazy', place]));
  return true;
}

/** Writes a file until there is no room left. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, Buffer.alloc(4_096));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}
