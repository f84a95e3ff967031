import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newOneTimeCode } from '../../src/core/one-time-code.ts';
import { type Person, type ServerProcess, World } from './support/server.ts';
import { talkClear } from './support/talker.ts';

let world: World;
let server: ServerProcess;
const closers: Array<() => Promise<void>> = [];

beforeAll(async () => {
  world = new World((close) => closers.push(close));
  server = await world.serve();
});
afterAll(async () => {
  for (const close of closers) await close();
});

/** Who stays on one machine. */
async function people(...names: string[]): Promise<Person[]> {
  const all: Person[] = [];
  for (const name of names) all.push(await world.person(name, server).register({ hasBackup: false }));
  return all;
}

/** Whose password brings the keys to another machine. */
const withBackup = (name: string): Promise<Person> => world.person(name, server).register();

/** The same account on a machine that has nothing of it; it is not logged in there. */
function elsewhere({ env }: Person, place: string): Person {
  const other = world.person(place, server);
  other.env.CHAT_PASSWORD = env.CHAT_PASSWORD;
  return other;
}

/** What `tail` shows of a conversation, without the times. */
async function shown(person: Person, to: string): Promise<string[]> {
  const out = await person.does(['tail', to, '--once', '-n', '100']);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.slice('2019-11-01 09:30:00 '.length));
}

/** Every file below a directory that has these bytes. */
function filesWith(directory: string, text: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile() && readFileSync(path).includes(text));
}

const marker = 'MARKER-of-a-private-message';

describe('a private message between two who came with chat', () => {
  it('is read by both, marked as encrypted, and is nowhere in the files or the log of the server', async () => {
    const [ann, ben] = (await people('ann', 'ben')) as [Person, Person];
    expect(await ann.run(['send', '@ben', marker])).toEqual({ code: 0, out: '', err: '' });
    expect((await ben.succeed(['tail', '@ann', '--once'])).slice(20)).toBe(
      `ann: @ben [encrypted] ${marker}\n`,
    );
    expect(await shown(ann, '@ben')).toEqual([`ann: @ben [encrypted] ${marker}`]);
    const [record] = await ben.json(['tail', '@ann', '--once']);
    expect(record).toMatchObject({ to: '@ann', sender: 'ann', text: marker, protection: 'encrypted' });
    await ann.succeed(['send', '#lobby', 'MARKER-of-a-room']);
    // The one in the room shows that what is sent is to be found there.
    expect(filesWith(server.data, 'MARKER-of-a-room')).not.toEqual([]);
    expect(filesWith(server.data, 'MARKER-of-a-private')).toEqual([]);
    expect(filesWith(server.data, Buffer.from(marker).toString('base64').slice(0, 24))).toEqual([]);
    expect(server.running.out + server.running.err).not.toContain('MARKER-of-a-private');
  });

  it('is said to be encrypted at the doors that cannot read it', async () => {
    const [cat, dan] = (await people('cat', 'dan')) as [Person, Person];
    await cat.does(['send', '@dan', 'not for these doors']);
    const token = (await dan.does(['token'])).trim();
    const [slash, pipe] = [await talkClear(server.port), await talkClear(server.port)];
    slash.say(`/login dan ${token}`);
    expect(await slash.line()).toBe('Authentication Succeeded');
    expect(await slash.line()).toMatch(/^[\d: -]{19} cat: @dan \[encrypted: read it with chat\]$/);
    pipe.say(`TOKEN|${token}`);
    expect(await pipe.line()).toBe('TOKEN|SUCCESS|dan');
    pipe.say('FOLLOW|@cat|0');
    expect(await pipe.line()).toBe('FOLLOW|SUCCESS|@cat');
    expect(await pipe.line()).toMatch(/^MESSAGE\|@cat\|1\|[^|]*\|cat\|\[encrypted: read it with chat\]$/);
    for (const talker of [slash, pipe]) talker.close();
    const url = `http://${server.address}/api/conversations/${encodeURIComponent('@cat')}/messages?after=0`;
    const answer = (await (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).json()) as {
      messages: object[];
    };
    expect(answer.messages).toEqual([
      expect.objectContaining({ sender: 'cat', envelope: expect.stringMatching(/^[\w-]{500,}$/) }),
    ]);
    expect(JSON.stringify(answer)).not.toContain('not for these doors');
  });

  it('is found by its words on the machines of the two alone', async () => {
    const [eve, fay] = (await people('eve', 'fay')) as [Person, Person];
    await eve.does(['send', '@fay', 'the Zebra is hidden']);
    await eve.does(['send', '#lobby', 'a zebra in the room']);
    const found = await fay.succeed(['search', 'zebra']);
    expect(found.split('\n').map((line) => line.slice(20))).toEqual([
      '#lobby eve: a zebra in the room',
      'eve: @fay [encrypted] the Zebra is hidden',
      '',
    ]);
    expect(await fay.run(['search', 'hidden', '--in', '#lobby'])).toMatchObject({ code: 6 });
    expect((await fay.run(['search', 'hid*', '--in', '@eve', '-n', '1'])).code).toBe(0);
  });
});

describe('a recipient without keys', () => {
  it('is sent nothing that the server can read, unless that is said, and then both see it', async () => {
    const [gus] = (await people('gus')) as [Person];
    const talker = await talkClear(server.port);
    expect(await talker.ask('/register hal a long password')).toBe('Registration Succeeded');
    talker.close();
    expect(await gus.run(['send', '@hal', 'hello'])).toEqual({
      code: 9,
      out: '',
      err: 'chat: hal has no keys to encrypt for: they come with a login by chat; chat send --allow-clear sends it so that the server can read it\n',
    });
    expect(await gus.run(['send', '@hal', '--allow-clear', 'hello'])).toEqual({ code: 0, out: '', err: '' });
    expect(await shown(gus, '@hal')).toEqual(['gus: @hal [clear] hello']);
    // The first login with chat brings them, for an open account with a recovery key alone.
    const hal = world.person('hal', server);
    hal.env.CHAT_PASSWORD = 'a long password';
    const recovery = world.path('hal-recovery');
    expect((await hal.run(['login', 'hal', '--recovery-file', recovery])).err).toContain(
      `the recovery key of your private messages is in ${recovery}: without it a lost machine loses them\n`,
    );
    expect(statSync(recovery).mode & 0o777).toBe(0o600);
    await gus.succeed(['send', '@hal', 'now encrypted']);
    expect(await shown(hal, '@gus')).toEqual([
      'gus: @hal [clear] hello',
      'gus: @hal [encrypted] now encrypted',
    ]);
    // The server has seen the password of an open account: it opens nothing.
    const other = elsewhere(hal, 'hal-elsewhere');
    const { code, err } = await other.run(['login', 'hal']);
    expect([code, err]).toEqual([0, expect.stringContaining('bring their keys with chat keys restore')]);
    const locked = await shown(other, '@gus');
    expect(locked.at(-1)).toMatch(/^gus: @hal \[encrypted: this machine has no keys of this account:/);
    expect(await other.run(['send', '@gus', 'hi'])).toMatchObject({ code: 9 });
    await other.succeed(['keys', 'restore', '--recovery-file', recovery]);
    expect((await shown(other, '@gus')).at(-1)).toBe('gus: @hal [encrypted] now encrypted');
  });
});

describe('the keys of an account', () => {
  it('are read by their owner alone, and come to another machine with name and password', async () => {
    const [ida] = (await people('ida')) as [Person];
    const jon = await withBackup('jon');
    await ida.does(['send', '@jon', 'from before']);
    const files = readdirSync(join(jon.home, 'state', 'chat', 'clientkeys')).filter((name) =>
      name.endsWith('.json'),
    );
    expect(files).toHaveLength(1);
    expect(statSync(join(jon.home, 'state', 'chat', 'clientkeys', `${files[0]}`)).mode & 0o777).toBe(0o600);
    const laptop = elsewhere(jon, 'jon-laptop');
    expect(await laptop.run(['login', 'jon'])).toEqual({
      code: 0,
      out: '',
      err: expect.stringContaining('the keys of your private messages are on this machine now\n'),
    });
    expect(await shown(laptop, '@ida')).toEqual(['ida: @jon [encrypted] from before']);
    await laptop.succeed(['send', '@ida', 'from the laptop']);
    expect((await shown(jon, '@ida')).at(-1)).toBe('jon: @ida [encrypted] from the laptop');
  });

  it('come by a new recovery key too, and by no other, which is a clear error', async () => {
    const kim = await withBackup('kim');
    await kim.does(['send', '@kim', 'note to self']);
    const key = (await kim.succeed(['keys', 'backup'])).trim();
    expect(key).toMatch(/^([0-9A-Z]{4}-){6}[0-9A-Z]{4}$/);
    // The password was set anew: it opens nothing.
    await server.running.says(/chat admin claim /);
    const [root] = (await people('root')) as [Person];
    await root.does(['admin', 'claim', /chat admin claim (\S+)/.exec(server.running.err)?.[1] ?? '']);
    writeFileSync(world.path('kim-code'), await root.does(['admin', 'reset', 'kim']));
    await kim.does(['reset', 'kim', '--code-file', world.path('kim-code')]);
    const laptop = elsewhere(kim, 'kim-laptop');
    expect((await laptop.run(['login', 'kim'])).code).toBe(0);
    const [right, wrong, none] = ['right', 'wrong', 'none'].map((name) => world.path(`kim-${name}`));
    writeFileSync(`${right}`, `${key.toLowerCase()}\n`);
    writeFileSync(`${wrong}`, newOneTimeCode());
    writeFileSync(`${none}`, 'something else');
    const restore = (file: string | undefined) =>
      laptop.run(['keys', 'restore', '--recovery-file', `${file}`]);
    expect(await restore(wrong)).toEqual({
      code: 2,
      out: '',
      err: 'chat: this is not the recovery key of this account: nothing was restored\n',
    });
    expect(await restore(none)).toEqual({
      code: 2,
      out: '',
      err: `chat: --recovery-file: ${none}: this is no recovery key: a character of its seven groups of four is wrong or missing; compare it\n`,
    });
    expect(await restore(right)).toMatchObject({ code: 0 });
    expect(await shown(laptop, '@kim')).toEqual(['kim: @kim [verified] note to self']);
    // From then on the new password opens the backup, and the recovery key still does.
    const phone = elsewhere(kim, 'kim-phone');
    expect((await phone.run(['login', 'kim'])).err).toContain(
      'the keys of your private messages are on this machine now\n',
    );
    await phone.succeed(['keys', 'restore', '--recovery-file', `${right}`]);
  });

  it('follow a changed password in the same step: the new one brings them, and the old one nothing', async () => {
    const lea = await withBackup('lea');
    await lea.does(['send', '@lea', 'before the change']);
    writeFileSync(world.path('new'), 'a password that is new');
    await lea.succeed(['account', 'password', '--new-password-file', world.path('new')]);
    const laptop = elsewhere(lea, 'lea-laptop');
    expect((await laptop.run(['login', 'lea'])).code).toBe(4);
    laptop.env.CHAT_PASSWORD = 'a password that is new';
    await laptop.succeed(['login', 'lea']);
    expect(await shown(laptop, '@lea')).toEqual(['lea: @lea [verified] before the change']);
    // Here they stay, and can be rotated without another login.
    await lea.does(['keys', 'rotate', '--password-file', world.path('new')]);
  });

  it('are rotated: who writes fetches the new ones, and old messages stay readable', async () => {
    const [max] = (await people('max')) as [Person];
    const nia = await withBackup('nia');
    await max.does(['send', '@nia', 'in epoch one']);
    const laptop = elsewhere(nia, 'nia-laptop');
    await laptop.does(['login', 'nia']);
    expect((await nia.run(['keys', 'rotate'])).err).toBe(
      'epoch 2 has begun; other machines of yours get it at their next chat login; end the login of a lost one with chat sessions revoke. The ' +
        'identity stays: who has lost keys of yours can still sign as you, which --new-identity ends\n',
    );
    expect(await nia.json(['keys'])).toMatchObject([{ epoch: 2, seq: 2, username: 'nia' }]);
    await max.succeed(['send', '@nia', 'in epoch two']);
    const both = ['max: @nia [encrypted] in epoch one', 'max: @nia [encrypted] in epoch two'];
    expect(await shown(nia, '@max')).toEqual(both);
    expect((await shown(laptop, '@max')).at(-1)).toBe(
      'max: @nia [encrypted: it is for newer keys of this account; chat login brings them here]',
    );
    expect(await laptop.run(['search', 'two', '--in', '@max'])).toEqual({
      code: 6,
      out: '',
      err: '1 encrypted message was not searched: it is for newer keys of this account; chat login brings them here\nnothing found\n',
    });
    await laptop.does(['login', 'nia']);
    expect(await shown(laptop, '@max')).toEqual(both);
  });

  it('have one safety number on both sides, and who has compared it is marked', async () => {
    const [oda, pat] = (await people('oda', 'pat')) as [Person, Person];
    const number = await oda.succeed(['keys', 'verify', 'pat']);
    expect(number).toMatch(/^((\d{5} ){3}\d{5}\n){3}$/);
    expect(await pat.succeed(['keys', 'verify', '@oda'])).toBe(number);
    await oda.does(['send', '@pat', 'is it you?']);
    expect(
      await pat.run(['keys', 'verify', 'oda', '--number', number.replace(/\d/, (d) => `${(+d + 1) % 10}`)]),
    ).toEqual({
      code: 9,
      out: '',
      err: 'chat: this is not the safety number of you and oda: somebody may stand between you, or it was copied wrongly\n',
    });
    await pat.succeed(['keys', 'verify', 'oda', '--number', number]);
    expect(await shown(pat, '@oda')).toEqual(['oda: @pat [verified] is it you?']);
    expect(await shown(oda, '@pat')).toEqual(['oda: @pat [encrypted] is it you?']);
  });

  it('of another identity stop who writes until they are trusted', async () => {
    const [quy, rob] = (await people('quy', 'rob')) as [Person, Person];
    await quy.does(['send', '@rob', 'to the first identity']);
    await rob.does(['send', '@quy', 'from the first identity']);
    expect(await rob.run(['keys', 'rotate', '--new-identity'])).toMatchObject({ code: 2 });
    const key = await rob.succeed(['keys', 'rotate', '--new-identity', '--yes']);
    expect(key.trim()).toMatch(/^([0-9A-Z]{4}-){6}[0-9A-Z]{4}$/);
    const stopped = await quy.run(['send', '@rob', 'to whom?']);
    expect([stopped.code, stopped.err]).toEqual([
      9,
      expect.stringContaining('chat trust rob shows what to compare'),
    ]);
    expect((await quy.run(['send', '@rob', '--allow-clear', 'to whom?'])).code).toBe(9);
    expect((await quy.run(['trust', 'rob'])).code).toBe(2);
    expect((await quy.run(['trust', 'rob', '--yes'])).code).toBe(0);
    await quy.succeed(['send', '@rob', 'to the second']);
    // It ends with 0: nothing has failed.
    expect((await quy.succeed(['tail', '@rob', '--once'])).split('\n').map((line) => line.slice(20))).toEqual(
      [
        'quy: @rob [encrypted] to the first identity',
        'rob: @quy [encrypted: it is signed by an identity that rob has replaced]',
        'quy: @rob [encrypted] to the second',
        '',
      ],
    );
    expect(await shown(rob, '@quy')).toEqual([
      'quy: @rob [encrypted: it is for keys of this account from before its new identity, which are lost]',
      'rob: @quy [encrypted: it is for keys of this account from before its new identity, which are lost]',
      'quy: @rob [encrypted] to the second',
    ]);
  });
});
