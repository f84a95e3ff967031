import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type ServerProcess, World } from './support/server.ts';
import { type Talker, talkByOpenssl, talkClear } from './support/talker.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) console.warn('openssl is missing: the slash door is NOT tried with openssl s_client');

/** `YYYY-MM-DD HH:MM:SS`, then exactly this. */
function said(text: string): RegExp {
  return new RegExp(
    `^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d ${text.replace(/[.*+?^$()[\]{}|\\]/g, '\\$&')}$`,
  );
}

/** When a line was said, in whole seconds of UTC. */
function timeOf(line = ''): number {
  return Date.parse(`${line.slice(0, 19).replace(' ', 'T')}Z`);
}

const ways: ReadonlyArray<readonly [string, boolean, (port: number) => Promise<Talker>]> = [
  ['openssl s_client -quiet -connect localhost:PORT', hasOpenssl, talkByOpenssl],
  ['clear text on loopback', true, talkClear],
];

describe.each(ways)('the slash door at %s', (_way, isThere, talk) => {
  let world: World;
  let server: ServerProcess;
  let close = () => Promise.resolve();
  beforeAll(async () => {
    world = new World((end) => {
      close = end;
    });
    server = await world.serve();
  });
  afterAll(() => close());

  async function connected(): Promise<Talker> {
    const talker = await talk(server.port);
    onTestFinished(() => talker.close());
    return talker;
  }

  /** Somebody new who is logged in. */
  async function person(name: string): Promise<Talker> {
    const talker = await connected();
    expect(await talker.ask(`/register ${name} words of ${name}`)).toBe('Registration Succeeded');
    return await loggedIn(talker, name);
  }

  async function loggedIn(talker: Talker, name: string): Promise<Talker> {
    expect(await talker.ask(`/login ${name} words of ${name}`)).toBe('Authentication Succeeded');
    return talker;
  }

  it.skipIf(!isThere)('registers and logs in, and stays open after each refusal', async () => {
    const sam = await connected();
    expect(await sam.ask('this is a message')).toBe('error: not logged in');
    expect(await sam.ask('/users')).toBe('error: not logged in');
    expect(await sam.ask('@sam hey')).toBe('error: not logged in');
    expect(await sam.ask('/login sam words of sam')).toBe('error: invalid credentials');
    expect(await sam.ask('/register sam')).toBe('error: a password or a client certificate is needed');
    expect(await sam.ask('/register sam words of sam')).toBe('Registration Succeeded');
    expect(await sam.ask('/register sam other words')).toBe('error: user already exists');
    expect(await sam.ask('/users')).toBe('error: not logged in');
    expect(await sam.ask('/login sam other words')).toBe('error: invalid credentials');
    expect(await sam.ask('/login sam')).toBe('error: invalid credentials');
    await loggedIn(sam, 'sam');
    expect(await sam.ask('/login sam words of sam')).toBe('error: user is already logged in');
    expect(await sam.ask('/nothing')).toBe('error: unknown command');
    expect((await sam.ask('/users'))?.split(' ')).toContain('sam');
    sam.say('/exit');
    expect(await sam.line()).toBeUndefined();
  });

  it.skipIf(!isThere)(
    'brings a public line to everybody, its sender too, in the words of document 5',
    async () => {
      const [kim, lee] = [await person('kim'), await person('lee')];
      const before = Math.floor(Date.now() / 1_000) * 1_000;
      const line = await kim.ask('this is a message');
      expect(line).toMatch(said('kim: this is a message'));
      expect(timeOf(line)).toBeGreaterThanOrEqual(before);
      expect(timeOf(line)).toBeLessThanOrEqual(Date.now());
      expect(await lee.line()).toBe(line);
      expect(await lee.ask('\u00fc \u{1f4a5} \x1b[2J')).toMatch(said('lee: ü 💥 \\x1b[2J'));
      for (const talker of [kim, lee]) talker.close();
    },
  );

  it.skipIf(!isThere)('brings a private line to the two whom it concerns, and to nobody else', async () => {
    const [ann, bea, cid] = [await person('ann'), await person('bea'), await person('cid')];
    const line = await bea.ask('@ann hey how are you?');
    expect(line).toMatch(said('bea: @ann hey how are you?'));
    expect(await ann.line()).toBe(line);
    expect(await bea.ask('@nobody hey')).toBe('error: no such user');
    // What comes next to the others is the next public line.
    const publicly = await bea.ask('to all');
    expect([await ann.line(), await cid.line()]).toEqual([publicly, publicly]);
    const users = (await ann.ask('/users'))?.split(' ') ?? [];
    expect(users.filter((name) => ['ann', 'bea', 'cid'].includes(name))).toEqual(['ann', 'bea', 'cid']);
    expect(users).toEqual(users.toSorted());
    cid.say('/exit');
    expect(await cid.line()).toBeUndefined();
    expect((await ann.ask('/users'))?.split(' ')).not.toContain('cid');
    for (const talker of [ann, bea]) talker.close();
  });

  it.skipIf(!isThere)('prints at a login what was missed, each line once, then what is new', async () => {
    const [max, ned] = [await person('max'), await person('ned')];
    const seen = await max.ask('seen by both');
    expect(await ned.line()).toBe(seen);
    ned.say('/exit');
    expect(await ned.line()).toBeUndefined();
    const missed = [
      await max.ask('missed one'),
      await max.ask('@ned missed privately'),
      await max.ask('missed two'),
    ];
    expect(missed[1]).toMatch(said('max: @ned missed privately'));
    const again = await loggedIn(await connected(), 'ned');
    const told = [await again.line(), await again.line(), await again.line()];
    const fresh = await max.ask('and now');
    expect([...told, await again.line()]).toEqual([...missed, fresh]);
    again.say('/exit');
    expect(await again.line()).toBeUndefined();
    const third = await loggedIn(await connected(), 'ned');
    const last = await max.ask('nothing was missed');
    expect(await third.line()).toBe(last);
    for (const talker of [max, third]) talker.close();
  });

  it.skipIf(!isThere)('closes at /exit before anybody has logged in', async () => {
    const talker = await connected();
    talker.say('/exit');
    expect([await talker.line(), talker.text]).toEqual([undefined, '']);
  });

  it.skipIf(!isThere)("is one chat with the program's own client", async () => {
    const amy = await person('amy');
    const own = world.person('amy', server);
    const env = { CHAT_PASSWORD: 'words of amy' };
    await own.succeed(['login', 'amy'], '', env);
    await own.succeed(['send', 'from the program']);
    expect(await amy.line()).toMatch(said('amy: from the program'));
    const back = await amy.ask('from the slash door');
    expect(back).toMatch(said('amy: from the slash door'));
    expect(await own.succeed(['tail', '#lobby', '--once', '-n', '1'])).toContain('amy: from the slash door');
    amy.close();
  });
});
