import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyFilesOf } from './support/prepared.ts';
import {
  chat,
  type Outcome,
  type Person,
  type Running,
  type ServerProcess,
  World,
} from './support/server.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/scripting.md', import.meta.url)), 'utf8');

/** The recipes of the page by their names: fenced blocks of `sh NAME`. */
const recipes = new Map(
  [...page.matchAll(/^```sh(?: (\S+))?\n(.*?)^```$/gms)].map(([, name = '(none)', text = '']) => [
    name,
    text,
  ]),
);

interface Message {
  readonly id: string;
  readonly sender: string;
  readonly text: string;
}

/** A machine whose recipes are saved as the page says, with somebody else's eyes on the room. */
class Kitchen {
  readonly world: World;
  readonly server: ServerProcess;
  readonly cook: Person;
  readonly alice: Person;
  readonly directory: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(world: World, server: ServerProcess) {
    this.world = world;
    this.server = server;
    this.cook = world.person('ops-bot', server);
    this.alice = world.person('alice', server);
    this.directory = join(this.cook.home, 'work');
    const { CHAT_PASSWORD: _password, ...env } = this.cook.env;
    const path = `${join(this.cook.home, 'bin')}:${dirname(chat)}:${process.env.PATH}`;
    // --verbose says when a tail has begun to follow; without it nothing can be sent after that for certain.
    this.#env = { ...env, PATH: path, CHAT_VERBOSE: '1' };
  }

  /** With the account of the first recipe, and alice in the room; its server is stopped, so that all of it can be copied. */
  static async furnish(world: World): Promise<Kitchen> {
    const kitchen = new Kitchen(world, await world.servePeople());
    for (const directory of [kitchen.directory, join(kitchen.cook.home, 'bin')])
      mkdirSync(directory, { recursive: true });
    for (const [name, text] of recipes) if (text.startsWith('#!')) kitchen.saved(name, text);
    await kitchen.alice.register();
    await kitchen.alice.does(['join', 'ops', '--create']);
    expect(await kitchen.run('account')).toMatchObject({ code: 0, out: '' });
    await kitchen.server.stop();
    return kitchen;
  }

  /** With all that a furnished one has. */
  static async like(furnished: Kitchen): Promise<Kitchen> {
    const world = new World();
    const data = world.path('data');
    cpSync(furnished.server.data, data, { recursive: true });
    const kitchen = new Kitchen(world, await world.serve(['--messages-per-second', '0'], { data }));
    const { address: before } = furnished.server;
    for (const [from, to] of [
      [furnished.cook, kitchen.cook],
      [furnished.alice, kitchen.alice],
    ] as const)
      copyFilesOf(before, from.home, kitchen.server.address, to.home);
    return kitchen;
  }

  /** Starts a recipe that is lines for a shell as those lines, and one that is a file with these arguments. */
  start(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Running {
    const text = recipes.get(name);
    if (text === undefined) throw new Error(`the page has no recipe ${name}`);
    const command = text.startsWith('#!') ? [name, ...args] : ['sh', '-c', text];
    return this.world.start(command, { ...this.#env, ...env }, '', {
      program: '/usr/bin/env',
      cwd: this.directory,
      isGroup: true,
    });
  }

  run(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    return this.start(name, args, env).ended;
  }

  /** A program of the person's own that a recipe calls. */
  program(name: string, text: string): void {
    this.file(name, `#!/bin/sh\n${text}\n`);
    chmodSync(join(this.directory, name), 0o755);
  }

  /** A program in the PATH, before all others. */
  saved(name: string, text: string): void {
    const path = join(this.cook.home, 'bin', name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  }

  file(name: string, text: string): void {
    writeFileSync(join(this.directory, name), text);
  }

  read(name: string): string {
    return readFileSync(join(this.directory, name), 'utf8');
  }

  /** Everything that was said in the room. */
  messages(): Promise<Message[]> {
    return this.alice.doesJson<Message>(['tail', '#ops', '--since', 'all', '--once']);
  }

  async texts(): Promise<string[]> {
    return (await this.messages()).map(({ text }) => text);
  }

  /** Waits until what the bot has said is enough, and answers it. */
  async said(isEnough: (texts: readonly string[]) => boolean): Promise<string[]> {
    const tail = this.alice.start(['tail', '#ops', '--since', 'all', '-o', 'json']);
    const texts: string[] = [];
    while (!isEnough(texts)) {
      const { sender, text } = await tail.json<Message>();
      if (sender === 'ops-bot') texts.push(text);
    }
    await tail.kill('SIGTERM');
    return texts;
  }
}

/** What each recipe does, when it is run as it stands. */
const tests: Readonly<Record<string, (kitchen: Kitchen) => Promise<void>>> = {
  async account(kitchen) {
    // It was run once already.
    expect(await kitchen.run('account')).toMatchObject({ code: 0 });
    expect(await kitchen.alice.does(['room', 'members', 'ops'])).toBe('alice\nops-bot\n');
  },

  async 'logged-in'(kitchen) {
    const logins = async () => (await kitchen.cook.doesJson(['sessions'])).length;
    expect(await kitchen.run('logged-in')).toMatchObject({ code: 0, out: '', err: '' });
    await kitchen.cook.does(['logout']);
    expect(await kitchen.run('logged-in')).toMatchObject({ code: 0, out: '' });
    expect(await logins()).toBe(1);
    await kitchen.server.stop();
    expect(await kitchen.run('logged-in')).toMatchObject({ code: 0, out: '', err: '' });
  },

  async alert(kitchen) {
    expect(await kitchen.run('alert', ['true'])).toEqual({ code: 0, out: '', err: '' });
    expect(await kitchen.texts()).toEqual([]);
    const failing = 'echo "reading"; printf "bad \\377 byte\\n" >&2; exit 7';
    expect(await kitchen.run('alert', ['sh', '-c', failing])).toMatchObject({ code: 7, out: '' });
    const [text = ''] = await kitchen.texts();
    expect(text).toMatch(/^sh -c .* ended with 7\nreading\nbad {2}byte$/s);

    const { address: listen } = kitchen.server;
    await kitchen.server.stop();
    expect(await kitchen.run('alert', ['sh', '-c', 'exit 9'])).toMatchObject({ code: 9, out: '' });
    await kitchen.world.serve([], { listen });
    await kitchen.cook.succeed(['outbox', 'send', '--quiet']);
    expect((await kitchen.texts())[1]).toMatch(/ended with 9$/);
  },

  async ci(kitchen) {
    const password = readFileSync(join(kitchen.cook.home, '.config', 'ops-bot', 'password'), 'utf8').trim();
    const env = { CHAT_PASSWORD: password, CHAT_FINGERPRINT: kitchen.server.fingerprint, CI_JOB_ID: '17' };
    kitchen.program('build', 'echo compiling; echo "3 tests failed"; exit 1');
    expect((await kitchen.run('ci', [], env)).code).toBe(1);
    kitchen.program('build', 'echo "12 tests passed"');
    expect((await kitchen.run('ci', [], { ...env, CI_JOB_ID: '18' })).code).toBe(0);
    expect((await kitchen.run('ci', [], { ...env, CI_JOB_ID: '18' })).code).toBe(0);
    expect(await kitchen.texts()).toEqual([
      'build 17 FAILED: 3 tests failed',
      'build 18 passed: 12 tests passed',
    ]);
  },

  async 'follow-log'(kitchen) {
    kitchen.file('app.log', 'ERROR from before\n');
    const follower = kitchen.start('follow-log');
    const log = join(kitchen.directory, 'app.log');
    // Nothing tells when tail has begun to look: so lines are written until one of them has come.
    const first = kitchen.said(({ length }) => length === 1);
    let hasCome = false;
    void first.then(() => {
      hasCome = true;
    });
    while (!hasCome) {
      writeFileSync(log, 'error: probe\n', { flag: 'a' });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    writeFileSync(log, 'all is well\nError: the disk is full\nend of errors\n', { flag: 'a' });
    const texts = await kitchen.said((said) => said.includes('end of errors'));
    expect(texts.filter((text) => text !== 'error: probe')).toEqual([
      'Error: the disk is full',
      'end of errors',
    ]);
    await follower.kill('SIGTERM');
  },

  async import(kitchen) {
    kitchen.file('app.log', 'one\n\ntwo\n');
    expect(await kitchen.run('import')).toMatchObject({ code: 0, out: '' });
    kitchen.file('app.log', 'one\n\ntwo\nthree\n');
    expect(await kitchen.run('import')).toMatchObject({ code: 0, out: '' });
    expect(await kitchen.texts()).toEqual(['one', 'two', 'three']);
  },

  async bot(kitchen) {
    const bot = kitchen.start('bot');
    await bot.says(/following/);
    for (const text of ['!ping', 'nothing for a bot', '!help', '$(touch oops) `touch oops` \\n "', '!time'])
      await kitchen.alice.does(['send', '#ops', text]);
    const [pong, help, time] = await kitchen.said(({ length }) => length === 3);
    expect([pong, help]).toEqual(['pong', 'I know !ping, !time and !help']);
    expect(time).toMatch(/UTC/);
    expect(() => kitchen.read('oops')).toThrow('ENOENT');
    await bot.kill('SIGTERM');
  },

  async 'ops-bot'(kitchen) {
    const mallory = await kitchen.world.person('mallory', kitchen.server).register();
    await mallory.does(['join', 'ops']);
    const first = kitchen.start('ops-bot');
    await first.says(/following/);
    await mallory.does(['send', '#ops', '!disk']);
    await kitchen.alice.does(['send', '#ops', '!disk; touch oops']);
    await kitchen.alice.does(['send', '#ops', '!disk']);
    expect((await kitchen.said(({ length }) => length === 1))[0]).toContain('Filesystem');
    await first.kill('SIGKILL');
    await kitchen.alice.does(['send', '#ops', '!load']);
    const second = kitchen.start('ops-bot');
    expect((await kitchen.said(({ length }) => length === 2))[1]).toMatch(/^\d+\.\d+ /);
    await second.kill('SIGTERM');
    expect((await kitchen.messages()).filter(({ sender }) => sender === 'ops-bot')).toHaveLength(2);
    expect(() => kitchen.read('oops')).toThrow('ENOENT');
  },

  async 'ops-command'(kitchen) {
    await kitchen.alice.does(['send', '#ops', 'a question']);
    const [question] = await kitchen.messages();
    const env = {
      CHAT_MESSAGE_TO: '#ops',
      CHAT_MESSAGE_ID: question?.id,
      CHAT_MESSAGE_SENDER: 'alice',
      CHAT_MESSAGE_TEXT: '!load',
    };
    // A command that is killed before tail knows that it is done is run again.
    expect(await kitchen.run('ops-command', [], env)).toMatchObject({ code: 0, out: '' });
    expect(await kitchen.run('ops-command', [], env)).toMatchObject({ code: 0, out: '' });
    expect(await kitchen.run('ops-command', [], { ...env, CHAT_MESSAGE_SENDER: 'mallory' })).toEqual({
      code: 0,
      out: '',
      err: '',
    });
    expect(await kitchen.texts()).toEqual(['a question', expect.stringMatching(/^\d+\.\d+ /)]);
  },

  async deploy(kitchen) {
    kitchen.program('deploy-now', 'echo "$1 is out"');
    const deploy = kitchen.start('deploy', ['1.4.2']);
    await deploy.says(/following/);
    await kitchen.alice.does(['send', '#ops', 'yes 1.4.1']);
    await kitchen.alice.does(['send', '#ops', 'yes 1.4.2']);
    expect(await deploy.ended).toMatchObject({ code: 0, out: '1.4.2 is out\n' });
    expect(await kitchen.run('deploy', ['1.5.0'], { DEPLOY_WAIT: '0.5' })).toMatchObject({
      code: 1,
      out: '',
    });
    expect(await kitchen.said(({ length }) => length === 4)).toEqual([
      'May I deploy 1.4.2? Say: yes 1.4.2',
      'deploying 1.4.2; alice said yes',
      'May I deploy 1.5.0? Say: yes 1.5.0',
      'nobody said yes to 1.5.0; it is not deployed',
    ]);
    await kitchen.cook.does(['logout']);
    expect(await kitchen.run('deploy', ['1.6.0'])).toMatchObject({ code: 3, out: '' });
  },

  async export(kitchen) {
    await kitchen.alice.does(['send', '#ops', 'a "quoted", word']);
    await kitchen.alice.does(['send', '#ops', 'two\nlines']);
    expect(await kitchen.run('export')).toMatchObject({ code: 0, out: '' });
    const lines = kitchen.read('ops.jsonl').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(await kitchen.messages());
    expect(kitchen.read('ops.csv').replaceAll(/"\d{4}-[^"]*Z"/g, 'THEN')).toBe(
      'THEN,"alice","a ""quoted"", word"\nTHEN,"alice","two\nlines"\n',
    );
  },

  async archive(kitchen) {
    await kitchen.alice.does(['send', '#ops', 'on monday']);
    expect(await kitchen.run('archive')).toMatchObject({ code: 0, out: '' });
    await kitchen.alice.does(['send', '#ops', 'on tuesday']);
    expect(await kitchen.run('archive')).toMatchObject({ code: 0, out: '' });
    expect(await kitchen.run('archive')).toMatchObject({ code: 0, out: '' });
    for (const name of ['archive.jsonl', 'archive-once.jsonl']) {
      const lines = kitchen.read(name).trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line).text)).toEqual(['on monday', 'on tuesday']);
    }
  },

  async tell(kitchen) {
    expect(await kitchen.run('tell', ['k1', 'one'])).toMatchObject({ code: 0, out: '' });
    expect(await kitchen.run('tell', ['k1', 'one'])).toMatchObject({ code: 0, out: '' });
    await kitchen.cook.does(['logout']);
    expect(await kitchen.run('tell', ['k2', '-two-'])).toMatchObject({ code: 0, out: '' });
    await kitchen.cook.does(['leave', 'ops']);
    expect(await kitchen.run('tell', ['back', 'in again'])).toMatchObject({ code: 0, out: '' });
    // A message that does not fit is not tried again.
    expect(await kitchen.run('tell', ['k3', ''])).toMatchObject({ code: 2, out: '' });
    const { address: listen } = kitchen.server;
    await kitchen.server.stop();
    // Gives up soon, so that it is the recipe that tries again.
    kitchen.saved(
      'chat',
      `#!/bin/sh\ncase $1 in send) shift; set -- send --timeout 0.1 "$@" ;; esac; exec ${chat} "$@"\n`,
    );
    const waiting = kitchen.start('tell', ['k4', 'three'], { TELL_PAUSE: '0.1' });
    await waiting.says(/cannot connect.*\n(.*\n)*.*cannot connect/);
    await kitchen.world.serve([], { listen });
    expect(await waiting.ended).toMatchObject({ code: 0, out: '' });
    expect(await kitchen.texts()).toEqual(['one', '-two-', 'in again', 'three']);
  },
};

describe('docs/scripting.md', () => {
  const world = new World(afterAll);
  let furnished: Kitchen;
  beforeAll(async () => {
    furnished = await Kitchen.furnish(world);
  });

  it('has a test for each of its recipes', () => {
    expect([...recipes.keys()].toSorted()).toEqual(Object.keys(tests).toSorted());
  });

  it('tells the name of each file in its first comment', () => {
    for (const [name, text] of recipes)
      if (text.startsWith('#!')) expect(text.split('\n')[1]).toMatch(new RegExp(`^# ${name}[ :]`));
  });

  it.each(Object.entries(tests))('has a recipe that holds: %s', async (_name, test) => {
    await test(await Kitchen.like(furnished));
  });
});
