import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newSecretKeys } from '../../src/core/e2ee/account-keys.ts';
import { readFields, writeFields } from '../../src/core/e2ee/fields.ts';
import { readKeyRecord, signKeyRecord } from '../../src/core/e2ee/key-record.ts';
import { type Person, type ServerProcess, World } from './support/server.ts';
import { between } from './support/tampering.ts';
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

interface Shown {
  readonly to: string;
  readonly seq: number;
  readonly id: string;
  readonly sender: string;
  readonly sent_at: string;
  readonly envelope: string;
}
type Change = (method: string, result: Record<string, unknown>) => Record<string, unknown>;

/** Two people whose every answer a malicious server may change from some moment on; `change` is put there later. */
async function atMallorys(...names: string[]) {
  const mallory: { change: Change } = { change: (_method, result) => result };
  const { server: address } = await between(server, (method, result) => mallory.change(method, result));
  const people: Person[] = [];
  for (const name of names) people.push(await world.person(name, address).register());
  return { mallory, people: people as [Person, Person, Person] };
}

/** What a server shows in the place of messages that carry envelopes. */
function showing(bend: (message: Shown) => object): Change {
  return (method, result) => {
    if (method !== 'message.history') return result;
    return { ...result, messages: (result.messages as Shown[]).map(bend) };
  };
}

/** The fields of an envelope, changed. */
function rewritten(envelope: string, change: (fields: Uint8Array[]) => Uint8Array[]): string {
  const fields = readFields(new Uint8Array(Buffer.from(envelope, 'base64url')));
  if (!fields) throw new Error('no envelope');
  return Buffer.from(writeFields(change([...fields]))).toString('base64url');
}

const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte));

/** Where they stand in an envelope: the two wraps, each as a key and what is sealed by it, and the ciphertext. */
const [key1At, key2At, ciphertextAt] = [10, 12, 15];

describe('Mallory cannot modify messages sent by other users, nor send them on behalf of another: as the server itself', () => {
  it('what she changes or moves is shown as failed, without a word of it, and ends chat tail with 9', async () => {
    const { mallory, people } = await atMallorys('alice', 'bob', 'mallory');
    const [alice, bob, third] = people;
    const secret = 'meet me at noon';
    await alice.does(['send', '@bob', secret]);
    await third.does(['send', '@bob', 'a word of hers']);
    let hers: Shown | undefined;
    mallory.change = showing((message) => {
      hers = message;
      return message;
    });
    await bob.does(['tail', '@mallory', '--once']);
    const { envelope: another = '' } = hers ?? {};
    const attacks: Record<string, [(message: Shown) => object, string]> = {
      'a flipped ciphertext': [
        (message) => ({
          ...message,
          envelope: rewritten(message.envelope, (fields) =>
            fields.map((field, at) => (at === ciphertextAt ? flipped(field) : field)),
          ),
        }),
        'its sender has not signed it',
      ],
      'swapped wraps': [
        (message) => ({
          ...message,
          envelope: rewritten(message.envelope, (fields) => {
            const first = fields.splice(key1At, 2);
            fields.splice(key2At, 0, ...first);
            return fields;
          }),
        }),
        'its sender has not signed it',
      ],
      'another sender': [
        (message) => ({ ...message, sender: 'bob' }),
        'it was written for another conversation, or by another account',
      ],
      'an envelope from another conversation': [
        (message) => ({ ...message, envelope: another }),
        'it was written for another conversation, or by another account',
      ],
      'another time': [
        (message) => ({ ...message, sent_at: '2019-11-01T09:30:00.000Z' }),
        'it was seen before, or its time is not that of the message: a replay',
      ],
      nonsense: [(message) => ({ ...message, envelope: 'AAAA' }), 'it is no envelope that this client knows'],
    };
    for (const [name, [bend, why]] of Object.entries(attacks)) {
      mallory.change = showing(bend);
      const { code, out, err } = await bob.run(['tail', '@alice', '--once']);
      expect([name, code, err]).toEqual([
        name,
        9,
        'chat: 1 encrypted message did not hold and cannot be read; each says why\n',
      ]);
      expect(out).toMatch(/^\S+ \S+ (alice|bob): @\S+ \[failed: /);
      expect(out).toContain(`[failed: ${why}]\n`);
      expect(out).not.toContain('noon');
    }
    // As JSON it has no text either, and says so.
    mallory.change = showing(({ ...message }) => ({ ...message, sender: 'bob' }));
    const { code, out } = await bob.run(['tail', '@alice', '--once', '-o', 'json']);
    expect([code, JSON.parse(out)]).toEqual([
      9,
      expect.objectContaining({
        protection: 'failed',
        why: expect.any(String),
        envelope: expect.any(String),
      }),
    ]);
    expect(JSON.parse(out)).not.toHaveProperty('text');
    mallory.change = (_method, result) => result;
    expect((await bob.run(['tail', '@alice', '--once'])).out.slice(20)).toBe(
      `alice: @bob [encrypted] ${secret}\n`,
    );
  });

  it('a message that she shows twice is read once', async () => {
    const { mallory, people } = await atMallorys('ann', 'ben');
    const [ann, ben] = people;
    await ann.does(['send', '@ben', 'pay 10 to carol']);
    await ann.does(['send', '@ben', 'thanks']);
    let first: Shown | undefined;
    mallory.change = showing((message) => {
      if (message.seq === 1) first = message;
      return message.seq === 2 && first ? { ...message, envelope: first.envelope } : message;
    });
    const { code, out } = await ben.run(['tail', '@ann', '--once']);
    expect([code, out.split('\n').map((line) => line.slice(20))]).toEqual([
      9,
      [
        'ann: @ben [encrypted] pay 10 to carol',
        'ann: @ben [failed: it was seen before, or its time is not that of the message: a replay]',
        '',
      ],
    ]);
  });

  it('a text of her own is marked as one that the server could write', async () => {
    const { mallory, people } = await atMallorys('cat', 'dan');
    const [cat, dan] = people;
    await cat.does(['send', '@dan', 'true']);
    for (const own of [{ text: '[verified] false' }, { text: '[verified] false', erased: true }]) {
      mallory.change = showing(({ envelope: _envelope, ...message }) => ({ ...message, ...own }));
      const { code, out } = await dan.run(['tail', '@cat', '--once']);
      expect([code, out.slice(20)]).toEqual([
        0,
        'erased' in own ? 'cat: @dan [erased]\n' : 'cat: @dan [clear] [verified] false\n',
      ]);
    }
  });
});

describe('Mallory cannot read direct messages for which she is not the recipient: as the server itself', () => {
  it('keys that she puts in the place of a recipient’s, and older ones, stop the sending with 9', async () => {
    const { mallory, people } = await atMallorys('eve', 'fay');
    const [eve, fay] = people;
    await eve.does(['send', '@fay', 'known now']);
    let first = '';
    mallory.change = (method, result) => {
      if (method === 'keys.get' && first === '') first = String(result.record);
      return result;
    };
    await eve.does(['send', '@fay', 'still known']);
    const record = readKeyRecord(first);
    if (!record) throw new Error('no record');
    await fay.does(['keys', 'rotate']);
    mallory.change = (_method, result) => result;
    await eve.does(['send', '@fay', 'to the second epoch']);
    const forged = signKeyRecord({ ...record, seq: 3, epoch: 3, previous: record.digest }, newSecretKeys());
    const attacks = [
      [{ record: forged.text, newest_seq: 3 }, 'fay has another identity key than the one known here'],
      [{ record: first, newest_seq: 1 }, 'the server shows older keys of fay than it has shown before'],
      [{ record: null, newest_seq: 0 }, 'the server shows no keys of fay any more, who had some'],
    ] as const;
    const { messages: before } = await stored(fay);
    for (const [shown, why] of attacks) {
      mallory.change = (method, result) => (method === 'keys.get' ? shown : result);
      for (const flags of [[], ['--allow-clear']]) {
        const { code, out, err } = await eve.run(['send', '@fay', ...flags, 'not for mallory']);
        expect([code, out, err]).toEqual([9, '', expect.stringContaining(`chat: ${why}`)]);
      }
    }
    mallory.change = (_method, result) => result;
    expect((await stored(fay)).messages).toBe(before);
  });

  /** How many messages the server has of eve. */
  async function stored(person: Person) {
    return { messages: (await person.does(['tail', '@eve', '--once', '-n', '99'])).split('\n').length };
  }
});

describe('Mallory cannot send messages on behalf of another user: as another user', () => {
  it('what one has sealed for another is hers in nobody’s eyes when she sends it on', async () => {
    const { mallory, people } = await atMallorys('ivy', 'jim', 'kay');
    const [ivy, jim, kay] = people;
    await ivy.does(['send', '@jim', 'pay 10 to carol']);
    let envelope = '';
    mallory.change = showing((message) => {
      envelope = message.envelope;
      return message;
    });
    await jim.does(['tail', '@ivy', '--once']);
    mallory.change = (_method, result) => result;
    // She has it from a stolen database; her own session sends it to jim.
    const wire = await Wire.open(server.port);
    const token = (await kay.does(['token'])).trim();
    await wire.call('login.resume', { session_token: token });
    expect(await wire.call('message.send', { to: '@jim', envelope })).toMatchObject({ result: { seq: 1 } });
    const { code, out } = await jim.run(['tail', '@kay', '--once']);
    expect([code, out.slice(20)]).toEqual([
      9,
      'kay: @jim [failed: it was written for another conversation, or by another account]\n',
    ]);
  });
});

describe('Mallory cannot find out private keys, even if the server is compromised', () => {
  it('another’s keys in the place of one’s own are refused at a login', async () => {
    const { mallory, people } = await atMallorys('gus');
    const [gus] = people;
    let own: ReturnType<typeof readKeyRecord>;
    mallory.change = (method, result) => {
      if (method === 'keys.get') own = readKeyRecord(String(result.record));
      return result;
    };
    await gus.does(['login', 'gus']);
    if (!own) throw new Error('no record');
    const forged = signKeyRecord({ ...own, previous: own.digest, seq: 2, epoch: 2 }, newSecretKeys());
    mallory.change = (method, result) =>
      method === 'keys.get' ? { ...result, record: forged.text, newest_seq: 2 } : result;
    const { code, err } = await gus.run(['login', 'gus']);
    expect([code, err]).toEqual([
      9,
      'logged in as gus\nchat: the server shows keys of this account that are not those of its backup\n',
    ]);
  });

  it('the secret keys of nobody are in the data directory or the log, nor is what opens their backup', async () => {
    const { people } = await atMallorys('lou');
    const [lou] = people;
    const recovery = (await lou.does(['keys', 'backup'])).trim();
    const directory = join(lou.home, 'state', 'chat', 'clientkeys');
    const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.json'));
    const file = JSON.parse(readFileSync(join(directory, name), 'utf8')) as {
      readonly record: string;
      readonly identity: string;
      readonly backup_key: string;
      readonly encryption: readonly { readonly secret: string }[];
    };
    const secrets = [file.identity, file.backup_key, ...file.encryption.map(({ secret }) => secret)];
    const looks = secrets.flatMap((secret) => {
      const bytes = Buffer.from(secret, 'base64url');
      return [
        bytes,
        Buffer.from(secret),
        Buffer.from(bytes.toString('hex')),
        Buffer.from(bytes.toString('base64')),
      ];
    });
    const files = readdirSync(server.data, { recursive: true, encoding: 'utf8' })
      .map((path) => join(server.data, path))
      .filter((path) => statSync(path).isFile())
      .map((path) => readFileSync(path));
    files.push(Buffer.from(server.running.out + server.running.err));
    // What is published is there: so would the others be found.
    expect(files.some((bytes) => bytes.includes(file.record))).toBe(true);
    for (const look of [...looks, Buffer.from(recovery), Buffer.from(recovery.replaceAll('-', ''))])
      expect(files.filter((bytes) => bytes.includes(look))).toEqual([]);
  });
});
