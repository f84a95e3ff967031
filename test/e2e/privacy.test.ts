import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type ServerProcess, World } from './support/server.ts';

const terms = 'Be kind.\nThat is all.\n';
const sha256 = createHash('sha256').update(terms).digest('hex');

let world: World;
let server: ServerProcess;
const closers: Array<() => Promise<void>> = [];

beforeAll(async () => {
  world = new World((close) => closers.push(close));
  writeFileSync(world.path('terms.txt'), terms);
  server = await world.serve(['--erase-after', '0', '--consent-file', world.path('terms.txt')]);
});
afterAll(async () => {
  for (const close of closers) await close();
});

/** Somebody new, who has accepted the terms, on a device with a name to be found. */
async function somebody(name: string): Promise<Person> {
  const person = world.person(name, server);
  const own = ['--device', `${name}-DEVICE`, '--email', `${name}-MAIL@example.org`];
  await person.does(['register', name, '--accept-terms', ...own], '', { hasBackup: false });
  return person;
}

/** Which of `texts` any file of the data directory has the bytes of. */
function kept(...texts: readonly string[]): string[] {
  const files = readdirSync(server.data)
    .map((name) => join(server.data, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path));
  return texts.filter((text) => files.some((file) => file.includes(text)));
}

const isKept = (text: string): boolean => kept(text).length > 0;

/** The log says when an account is gone and its bytes too; its last line comes before the files are scrubbed. */
async function gone(...markers: readonly string[]): Promise<void> {
  while (kept(...markers).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('terms', () => {
  it('are shown by chat register, which registers nobody in a script who has not accepted them', async () => {
    const eve = world.person('eve', server);
    const { code, err } = await eve.run(['register', 'eve']);
    expect(code).toBe(5);
    expect(err).toContain('The terms of this server:\nBe kind.\nThat is all.\n');
    expect(err).toContain(
      'chat: only who accepts the terms of this server may have an account here: --accept-terms does\n',
    );
    await eve.succeed(['register', 'eve', '--accept-terms']);
    const [row] = (await eve.json(['account', 'export'])).filter(({ section }) => section === 'consents');
    expect(row).toMatchObject({ sha256, door: 'line' });
  });
});

describe('an account', () => {
  it('is exported into a file for its owner alone, which is not replaced unless that is said', async () => {
    const ann = await somebody('ann');
    await ann.does(['send', '#lobby', 'ann was here']);
    const file = world.path('ann.json');
    expect(await ann.run(['account', 'export', '--file', file])).toMatchObject({ code: 0, out: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const document = JSON.parse(readFileSync(file, 'utf8'));
    expect(document).toMatchObject({
      account: [{ username: 'ann', email: 'ann-MAIL@example.org' }],
      consents: [{ sha256 }],
      devices: [{ label: 'ann-DEVICE' }],
      messages: [{ to: '#lobby', text: 'ann was here' }],
      invites: [],
    });
    expect(JSON.parse(await ann.succeed(['account', 'export']))).toMatchObject({
      messages: document.messages,
    });
    expect(await ann.run(['account', 'export', '--file', file])).toEqual({
      code: 2,
      out: '',
      err: `chat: --file: ${file} is there already; --force replaces it\n`,
    });
    expect(await ann.run(['account', 'export', '--file', file, '--force'])).toMatchObject({ code: 0 });
    expect(await ann.run(['account', 'export', '--file', world.path('no', 'such')])).toMatchObject({
      code: 2,
      err: `chat: --file: cannot write ${world.path('no', 'such')} (ENOENT)\n`,
    });
    expect(readdirSync(world.directory).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('is erased when its owner says so, and nothing that it wrote is in the data directory afterwards', async () => {
    const [sue, tom] = [await somebody('sue'), await somebody('tom')];
    await sue.does(['send', '#lobby', '--key', 'sue-KEY', 'sue-TEXT']);
    await tom.does(['send', '#lobby', 'tom-TEXT']);
    const markers = ['sue-TEXT', 'sue-KEY', 'sue-DEVICE', 'sue-MAIL', 'sue-mail'];
    for (const marker of [...markers, 'tom-TEXT']) expect([marker, isKept(marker)]).toEqual([marker, true]);

    expect(await sue.run(['account', 'erase'])).toEqual({
      code: 2,
      out: '',
      err: 'chat: nobody can be asked whether this is meant: give --yes\n',
    });
    expect(
      await sue.run(['account', 'erase', '--yes'], '', { CHAT_PASSWORD: 'not her password' }),
    ).toMatchObject({ code: 4 });
    expect(await sue.run(['account', 'erase', '--yes'])).toEqual({
      code: 0,
      out: '',
      err: 'the account sue is being erased\n',
    });
    await gone(...markers);
    expect(isKept('tom-TEXT')).toBe(true);
    expect(await sue.run(['whoami'])).toMatchObject({ code: 4 });
    expect(await sue.run(['login', 'sue'])).toMatchObject({ code: 4 });
    expect(await sue.run(['register', 'sue', '--accept-terms'])).toMatchObject({ code: 7 });
    const read = await tom.json(['tail', '#lobby', '--once', '--since', '1h']);
    const hers = read.filter(({ sender }) => sender === 'sue');
    expect(hers).toMatchObject([{ text: '[erased]', erased: true }]);
    expect(read).toContainEqual(expect.objectContaining({ sender: 'tom', text: 'tom-TEXT' }));
    const lines = await tom.succeed(['tail', '#lobby', '--once', '--since', '1h']);
    expect(lines).toMatch(/sue.*\[erased\]/);
  });

  it('is erased to its end by a server that was killed at it, when that starts again', async () => {
    const lea = await somebody('lea');
    await lea.does(['send', '#lobby', 'lea-TEXT']);
    /** Kills the server while it erases somebody, and starts it again; false when it was done before. */
    const isKilledErasing = async (name: string): Promise<boolean> => {
      const person = await somebody(name);
      const padding = 'x'.repeat(2_000);
      const many = Array.from({ length: 900 }, (_, line) => `${name}-TEXT ${line} ${padding}\n`).join('');
      await person.does(['send', '#lobby', '--lines'], many);
      expect(isKept(`${name}-TEXT`)).toBe(true);
      const asked = person.start(['account', 'erase', '--yes']);
      await asked.says(/being erased/);
      await server.stop('SIGKILL');
      const wasErasing = isKept(`${name}-TEXT`);
      const [, port] = server.address.split(':');
      server = await world.serve(['--erase-after', '0', '--consent-file', world.path('terms.txt')], {
        listen: `127.0.0.1:${port}`,
      });
      await gone(`${name}-TEXT`, `${name}-DEVICE`, `${name}-MAIL`);
      return wasErasing;
    };
    // When the signal comes is the system's to say.
    const names = ['kim', 'kit', 'kai', 'ken', 'kay'];
    let killed = 0;
    for (const name of names) if (killed === 0 && (await isKilledErasing(name))) killed += 1;
    expect(killed).toBe(1);
    expect(isKept('lea-TEXT')).toBe(true);
    expect(await server.stop()).toMatchObject({ code: 0 });
    expect(isKept('kim-TEXT')).toBe(false);
    server = await world.serve(['--erase-after', '3600']);
  });

  it('is kept by who thinks better of it in time', async () => {
    const max = await somebody('max');
    expect((await max.run(['account', 'erase', '--yes'])).err).toMatch(
      /^the account max is to be erased at .*; until then chat login and chat account erase --cancel keep it\n$/,
    );
    expect(await max.run(['send', '#lobby', 'hello'])).toMatchObject({ code: 4 });
    expect((await max.run(['login', 'max'])).err).toMatch(
      /this account is to be erased at .*: chat account erase --cancel keeps it\n/,
    );
    expect(await max.run(['send', '#lobby', 'hello'])).toMatchObject({ code: 5 });
    expect(await max.run(['account', 'erase', '--cancel'])).toEqual({
      code: 0,
      out: '',
      err: 'the account max is kept\n',
    });
    expect(await max.run(['send', '#lobby', 'hello'])).toMatchObject({ code: 0 });
    expect(await max.run(['account', 'erase', '--cancel'])).toMatchObject({ code: 7 });
  });
});
