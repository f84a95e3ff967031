import { readdirSync, readFileSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readKeyFile } from '../../src/client/keys/key-file.ts';
import { utf8 } from '../../src/core/crypto/bytes.ts';
import { encrypt } from '../../src/core/e2ee/aes-gcm.ts';
import {
  commitmentTo,
  infoOf,
  readEnvelope,
  sealMessage,
  signEnvelope,
} from '../../src/core/e2ee/envelope.ts';
import { wrapTo } from '../../src/core/e2ee/hpke.ts';
import { currentKeys } from '../../src/core/e2ee/key-backup.ts';
import { operations } from '../../src/core/operations/index.ts';
import { type Person, type ServerProcess, World } from './support/server.ts';
import { Wire } from './support/wire.ts';

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

async function people(...names: string[]): Promise<[Person, Person]> {
  const all: Person[] = [];
  for (const name of names) all.push(await world.person(name, server).register());
  return all as [Person, Person];
}

/** A bare connection that is logged in as somebody. */
async function wireOf(person: Person): Promise<Wire> {
  const wire = await Wire.open(server.port);
  await wire.call('login.resume', { session_token: (await person.does(['token'])).trim() });
  return wire;
}

function keysOf({ home }: Person) {
  const directory = join(home, 'state', 'chat', 'clientkeys');
  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.json'));
  const file = readKeyFile(readFileSync(join(directory, name), 'utf8'));
  if (!file) throw new Error('no keys');
  return file;
}

describe('Mallory cannot modify messages sent by other users: as another user', () => {
  it('nor give two readers two texts of one message of hers: no text is shown, and chat tail ends with 9', async () => {
    const [mallory, bob] = await people('mallory', 'bob');
    const [{ record, ring }, to] = [keysOf(mallory), keysOf(bob).record];
    const secrets = currentKeys(ring);
    const sealed = await sealMessage('for one reader', { id: 'm', at: Date.now() }, { record, secrets }, to);
    const { signature: _signature, ...parts } = readEnvelope(sealed) ?? fail();
    const wire = await wireOf(mallory);
    // A key that both wraps hold, and another one that is signed for.
    const [key, commitment] = [new Uint8Array(32).fill(1), commitmentTo(new Uint8Array(32).fill(2))];
    const info = infoOf(parts.context, commitment);
    const twoTexts = await signEnvelope(
      {
        ...parts,
        commitment,
        toSender: await wrapTo(record.keys.encryption, info, key),
        toRecipient: await wrapTo(to.keys.encryption, info, key),
        ciphertext: await encrypt(key, parts.nonce, info, utf8('for another one')),
      },
      secrets,
    );
    const swapped = await signEnvelope(
      { ...parts, toSender: parts.toRecipient, toRecipient: parts.toSender },
      secrets,
    );
    for (const [index, envelope] of [twoTexts, swapped].entries()) {
      expect(await wire.call('message.send', { to: '@bob', envelope })).toMatchObject({
        result: { seq: index + 1 },
      });
    }
    const { code, out } = await bob.run(['tail', '@mallory', '--once']);
    expect([code, out.split('\n').map((line) => line.slice(20))]).toEqual([
      9,
      [
        'mallory: @bob [failed: its key is not the one that was signed]',
        'mallory: @bob [failed: it is sealed for other keys than the ones here]',
        '',
      ],
    ]);
  });
});

describe('Mallory cannot use the server program to gain rights: as another user', () => {
  it('SQL in any field of any operation is text, changes nothing, and is answered with nothing of the system', async () => {
    const [eve, fay] = await people('eve', 'fay');
    await fay.does(['send', '#lobby', 'still there']);
    const evil = `'; DROP TABLE messages; DELETE FROM users; UPDATE users SET admin = 1; --`;
    const wire = await wireOf(eve);
    const before = await fay.doesJson(['users', '--all']);
    const answers: unknown[] = [];
    for (const { name, input } of operations) {
      if (['session.end', 'account.erase', 'session.revoke', 'login.reject'].includes(name)) continue;
      const fields = Object.keys((input as unknown as { shape?: object }).shape ?? {});
      const one = fields.map((field) => ({ [field]: evil }));
      for (const params of [Object.fromEntries(fields.map((field) => [field, evil])), ...one]) {
        const answer = (await wire.call(name, params)) as { error?: { message: string } };
        answers.push(answer);
      }
    }
    expect(answers.length).toBeGreaterThan(150);
    const said = JSON.stringify(answers);
    for (const own of [server.data, process.cwd(), 'SQLITE', 'node:', process.version, '.mjs', 'at Object'])
      expect(said).not.toContain(own);
    expect(said).not.toContain('"internal"');
    expect(await wire.call('message.send', { to: '#lobby', text: evil })).toMatchObject({
      result: { id: expect.any(String) },
    });
    expect(await fay.does(['tail', '#lobby', '--once'])).toContain(`eve: ${evil}\n`);
    expect(await fay.does(['tail', '#lobby', '--once'])).toContain('fay: still there\n');
    expect(await fay.doesJson(['users', '--all'])).toEqual(before);
    expect((await eve.run(['admin', 'users'])).code).toBe(5);
  });
});

describe('Mallory cannot read direct messages, nor find out passwords: with the stolen data directory', () => {
  it('no file of it, and no line of the log, has a password, a token or a word of a private message', async () => {
    const [gil, hua] = await people('gil', 'hua');
    await gil.does(['send', '@hua', 'marker-of-a-theft']);
    await gil.does(['send', '#lobby', 'marker-of-the-room']);
    const token = (await gil.does(['token'])).trim();
    const logins = join(gil.home, 'state', 'chat', 'logins');
    const saved = readFileSync(join(logins, readdirSync(logins)[0] ?? ''), 'utf8');
    const tokens = [token, ...(saved.match(/c[sr]1_[\w-]+/g) ?? [])];
    expect(tokens.length).toBeGreaterThanOrEqual(3);
    const files = readdirSync(server.data, { recursive: true, encoding: 'utf8' })
      .map((name) => join(server.data, name))
      .filter((path) => statSync(path).isFile())
      .map((path) => readFileSync(path));
    files.push(Buffer.from(server.running.out + server.running.err));
    const isThere = (text: string | Buffer) => files.some((bytes) => bytes.includes(text));
    // What a room was told is to be found, and so would the others be.
    expect(isThere('marker-of-the-room')).toBe(true);
    const passwords = [gil, hua].map(({ env }) => String(env.CHAT_PASSWORD));
    for (const secret of ['marker-of-a-theft', ...passwords, ...tokens]) {
      const bare = Buffer.from(secret.replace(/^c[sr]1_/, ''), 'base64url');
      const looks = [secret, btoa(secret).slice(0, -3), Buffer.from(secret).toString('hex')];
      for (const look of secret.startsWith('c') && secret[3] === '_' ? [...looks, bare] : looks)
        expect([secret, isThere(look)]).toEqual([secret, false]);
    }
  });
});

describe('Mallory cannot read, change or repeat what is sent: on the network', () => {
  /** A wire that she has tapped: `bend` is what becomes of what a client says. */
  async function tapped(bend: (chunk: Buffer, sent: number) => Buffer = (chunk) => chunk) {
    const heard: Buffer[] = [];
    const sockets = new Set<Socket>();
    let sent = 0;
    const listener = createServer((client) => {
      const real = connect(server.port, '127.0.0.1');
      for (const [from, to] of [
        [client, real],
        [real, client],
      ] as const) {
        sockets.add(from);
        from.on('error', () => {});
        from.on('close', () => to.destroy());
        from.on('data', (chunk: Buffer) => {
          heard.push(chunk);
          if (from === client) sent += 1;
          to.write(from === client ? bend(chunk, sent) : chunk);
        });
      }
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      listener.close();
      for (const socket of sockets) socket.destroy();
    });
    return { address: `chat://127.0.0.1:${(listener.address() as AddressInfo).port}`, heard };
  }

  it('what goes over her wire has no word of a message and no password, and a changed byte ends the connection', async () => {
    const honest = await tapped();
    const ivo = world.person('ivo', honest.address);
    await ivo.does(['register', 'ivo']);
    await ivo.does(['send', '#lobby', 'marker-on-the-wire']);
    const all = Buffer.concat(honest.heard);
    expect(all.length).toBeGreaterThan(2_000);
    for (const text of ['marker-on-the-wire', String(ivo.env.CHAT_PASSWORD), 'session_token', 'cs1_'])
      expect(all.includes(text)).toBe(false);
    // The first thing a client says is its greeting; what follows is sealed, and one bit of it is turned.
    const bent = await tapped((chunk, sent) => {
      if (sent > 1) chunk[chunk.length - 1] = (chunk.at(-1) ?? 0) ^ 1;
      return chunk;
    });
    const token = (await ivo.does(['token'])).trim();
    const args = ['send', '#lobby', 'marker-bent', '--server', bent.address, '--timeout', '1'];
    const env = { CHAT_TOKEN: token, CHAT_TRUST: 'always' };
    const { code, out } = await ivo.run(args, '', env);
    expect([code, out]).toEqual([3, '']);
    expect(await ivo.does(['tail', '#lobby', '--once'])).not.toContain('marker-bent');
    // What was said once is worth nothing said again.
    const before = await ivo.does(['tail', '#lobby', '--once']);
    const again = connect(server.port, '127.0.0.1');
    onTestFinished(() => void again.destroy());
    again.on('error', () => {});
    const closed = new Promise((resolve) => again.on('close', resolve));
    again.resume();
    again.end(all);
    await closed;
    expect(await ivo.does(['tail', '#lobby', '--once'])).toBe(before);
  });
});

function fail(): never {
  throw new Error('no envelope');
}
