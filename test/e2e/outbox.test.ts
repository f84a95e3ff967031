import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Person, type Running, World } from './support/server.ts';

const away =
  /cannot connect: connection refused; .*kept, and sent by the next --outbox or by: chat outbox send\n$/;

interface Kept {
  readonly id: string;
  readonly to: string;
  readonly count: number;
  readonly first: string;
  readonly refused: { readonly code: string; readonly message: string } | null;
}

/** Somebody whose server can be stopped and started again on its port. */
async function personAndServer() {
  const world = new World();
  const flags = ['--messages-per-second', '0'];
  let server = await world.serve(flags);
  const listen = server.address;
  const person = world.person('alice', server);
  await person.register();
  return {
    person,
    stop: () => server.stop(),
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

const keep = (person: Person, ...words: string[]) =>
  person.run(['send', '--outbox', '--timeout', '0.2', ...words]);
const kept = (person: Person) => person.json<Kept>(['outbox']);
const texts = async (person: Person, to = '#lobby') =>
  (await person.json<{ text: string }>(['tail', to, '--once', '-n', '1000'])).map(({ text }) => text);

describe('a message that cannot be sent now', () => {
  it('is kept with --outbox and sent later in its order, once, by the next --outbox', async () => {
    const { person, stop, start } = await personAndServer();
    await stop();
    expect(await keep(person, 'one')).toEqual({ code: 3, out: '', err: expect.stringMatching(away) });
    expect(await keep(person, '#lobby', 'two\u2028three')).toMatchObject({ code: 3 });
    expect(await kept(person)).toMatchObject([
      { to: '#lobby', count: 1, first: 'one', refused: null },
      { to: '#lobby', count: 1, first: 'two\u2028three', refused: null },
    ]);
    await start();
    expect(await person.run(['send', '--outbox', 'four'])).toEqual({ code: 0, out: '', err: '' });
    expect(await kept(person)).toEqual([]);
    expect(await texts(person)).toEqual(['one', 'two\u2028three', 'four']);
  });

  it('is sent by chat outbox send, which leaves what the server refuses and says why', async () => {
    const { person, stop, start } = await personAndServer();
    await stop();
    await keep(person, 'one');
    await keep(person, '@nobody', 'hello');
    await keep(person, 'two');
    expect(await person.run(['outbox', 'send', '--timeout', '0.2'])).toMatchObject({ code: 3 });
    expect(await kept(person)).toHaveLength(3);
    await start();
    const sent = await person.run(['outbox', 'send']);
    expect(sent).toMatchObject({ code: 6, out: '' });
    expect(sent.err).toMatch(/to @nobody stays: .*no such user\nsent 2 messages\nchat: 1 entry refused/);
    const [refused, ...others] = await kept(person);
    expect([refused, others]).toMatchObject([{ to: '@nobody', refused: { code: 'not-found' } }, []]);
    expect(await texts(person)).toEqual(['one', 'two']);
    // It does not hold up what comes after it, and goes when it is dropped.
    expect(await person.run(['send', '--outbox', 'three'])).toMatchObject({ code: 0 });
    expect(await person.run(['outbox', 'rm', refused?.id ?? ''])).toMatchObject({ code: 0 });
    expect(await person.run(['outbox', 'send'])).toEqual({ code: 0, out: '', err: 'sent 0 messages\n' });
  });

  it('is waited for by chat outbox send --wait until the server is back', async () => {
    const { person, stop, start } = await personAndServer();
    await stop();
    await keep(person, 'patient');
    const waiting = person.start(['outbox', 'send', '--wait']);
    await waiting.says(/trying again/);
    await start();
    expect(await waiting.ended).toMatchObject({ code: 0, err: expect.stringMatching(/sent 1 message\n$/) });
    expect(await texts(person)).toEqual(['patient']);
  }, 120_000);

  it('is not kept when the server refuses it for good, nor without a login', async () => {
    const { person } = await personAndServer();
    expect(await person.run(['send', '--outbox', '@nobody', 'hello'])).toMatchObject({ code: 6 });
    expect(await kept(person)).toEqual([]);
    await person.run(['logout']);
    expect(await person.run(['send', '--outbox', 'hello'])).toMatchObject({ code: 4 });
    expect(await person.run(['send', '--outbox', 'hello'], '', { CHAT_TOKEN: 'x' })).toEqual({
      code: 2,
      out: '',
      err: 'chat: CHAT_TOKEN does not say whose messages are kept; the outbox needs a saved login (chat login)\n',
    });
    expect(existsSync(join(person.home, 'state', 'chat', 'outbox'))).toBe(true);
    expect(await kept(person)).toEqual([]);
  });

  it('stays with the account that wrote it', async () => {
    const { person, stop, start } = await personAndServer();
    await stop();
    await keep(person, 'from alice');
    await start();
    await person.run(['register', 'bob']);
    const sent = await person.run(['outbox', 'send']);
    expect(sent).toEqual({
      code: 0,
      out: '',
      err: '1 entry of alice left alone: log in as that account to send\nsent 0 messages\n',
    });
    expect(await kept(person)).toHaveLength(1);
    await person.run(['login', 'alice']);
    await person.run(['outbox', 'send']);
    expect(await texts(person)).toEqual(['from alice']);
  });

  it('is not lost and not doubled when senders are killed at any moment', async () => {
    const { person, stop, start } = await personAndServer();
    await stop();
    const words = Array.from({ length: 60 }, (_, index) => `word ${index}`);
    await person.run(
      ['send', '--outbox', '--lines', '--timeout', '0.2'],
      `${words.slice(0, 30).join('\n')}\n`,
    );
    for (const word of words.slice(30, 36)) await keep(person, word);
    await start();
    for (let after = 60; after < 460; after += 40) {
      const sending = person.start(['outbox', 'send']);
      const timer = setTimeout(() => sending.child.kill('SIGKILL'), after);
      await sending.ended;
      clearTimeout(timer);
    }
    expect(await person.run(['outbox', 'send'])).toMatchObject({ code: 0 });
    expect(await texts(person)).toEqual(words.slice(0, 36));
    expect(await kept(person)).toEqual([]);
    const left = readdirSync(join(person.home, 'state', 'chat', 'outbox'), { recursive: true }).map(String);
    expect(left.filter((name) => /jsonl|part/.test(name))).toEqual([]);
  }, 120_000);

  it('is sent once when several send it at the same time', async () => {
    const { person, stop, start } = await personAndServer();
    await stop();
    for (const word of ['a', 'b', 'c']) await keep(person, word);
    await start();
    const all = await Promise.all(['d', 'e', 'f'].map((word) => person.run(['send', '--outbox', word])));
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0]);
    const came = await texts(person);
    expect(came.slice(0, 3)).toEqual(['a', 'b', 'c']);
    expect(came.slice(3).sort()).toEqual(['d', 'e', 'f']);
  });
});

describe('lines', () => {
  it('are kept from the first that was not stored, when the server goes away among them', async () => {
    const { person, stop, start } = await personAndServer();
    const lines = Array.from({ length: 900 }, (_, index) => `line ${index + 1}`);
    const sending = person.world.start(
      ['send', '--lines', '--outbox', '--timeout', '0.5', '-o', 'json'],
      person.env,
      `${lines.join('\n')}\n`,
    );
    const stored = await linesUntilStopped(sending, stop);
    const ended = await sending.ended;
    expect(ended).toMatchObject({ code: 3 });
    expect(ended.err).toContain(`${stored} messages are stored; kept, and sent by`);
    expect(await kept(person)).toMatchObject([{ count: 900 - stored, first: `line ${stored + 1}` }]);
    await start();
    expect(await person.run(['outbox', 'send'])).toMatchObject({ code: 0 });
    expect(await person.json(['tail', '--once', '--since', 'all'])).toMatchObject(
      lines.map((text) => ({ text })),
    );
  });

  it('that failed in the middle are gone on with from the line and with the key that the error names', async () => {
    const { person, stop, start } = await personAndServer();
    const input = `${Array.from({ length: 900 }, (_, index) => `line ${index + 1}`).join('\n')}\n`;
    const sending = person.start(['send', '--lines', '--timeout', '0.5', '-o', 'json'], input);
    await linesUntilStopped(sending, stop);
    const { code, err } = await sending.ended;
    const [, key = '', line = ''] = /go on with --key '([^']+)' --from-line (\d+)/.exec(err) ?? [];
    expect([code, Number(line) > 1]).toEqual([3, true]);
    await start();
    expect(await person.run(['send', '--lines', '--key', key, '--from-line', line], input)).toMatchObject({
      code: 0,
    });
    expect((await person.json(['tail', '--once', '--since', 'all'])).length).toBe(900);
  });
});
