import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64url, toBase64url, utf8 } from '../../../src/core/crypto/bytes.ts';
import { nextSecretKeys } from '../../../src/core/e2ee/account-keys.ts';
import { encrypt } from '../../../src/core/e2ee/aes-gcm.ts';
import {
  commitmentTo,
  type EnvelopeReader,
  infoOf,
  openEnvelope,
  readEnvelope,
  type SealedEnvelope,
  sealMessage,
  signEnvelope,
} from '../../../src/core/e2ee/envelope.ts';
import { readFields, writeFields } from '../../../src/core/e2ee/fields.ts';
import { wrapTo } from '../../../src/core/e2ee/hpke.ts';
import { signKeyRecord } from '../../../src/core/e2ee/key-record.ts';
import { maxEnvelopeBytes, maxTextBytes } from '../../../src/core/policy.ts';
import { flipped, keyed, realm } from './support/accounts.ts';

const alice = keyed('alice');
const bob = keyed('bob');
const mallory = keyed('mallory');
const message = { id: '0190a000-0000-7000-8000-000000000001', at: 1_800_000_000_123 };

const seal = (text: string, from = alice, to = bob): Promise<string> =>
  sealMessage(text, message, from, to.record);

/** How bob reads what he is told that alice has sent him. */
function reading(bent: Partial<EnvelopeReader> = {}): EnvelopeReader {
  const sender = alice.record;
  return {
    user: bob.record.user,
    secrets: bob.secrets,
    realm,
    sender: sender.user,
    recipient: bob.record.user,
    senderRecord: sender,
    ...bent,
  };
}

function parsed(text: string): SealedEnvelope {
  const envelope = readEnvelope(text);
  if (!envelope) throw new Error('not an envelope');
  return envelope;
}

/** The envelope with some of its 17 fields in place of its own. */
function withFields(text: string, changes: Readonly<Record<number, Uint8Array>>): SealedEnvelope | undefined {
  const fields = readFields(fromBase64url(text) ?? new Uint8Array()) ?? [];
  return readEnvelope(toBase64url(writeFields(fields.map((field, place) => changes[place] ?? field))));
}

/** An envelope that its sender made otherwise than ours do, and signed. */
async function crafted(bend: {
  commitTo?: Uint8Array;
  key?: Uint8Array;
  text?: Uint8Array;
}): Promise<SealedEnvelope> {
  const context = {
    ...message,
    realm,
    sender: alice.record.user,
    recipient: bob.record.user,
    senderSeq: 1,
    recipientSeq: 1,
  };
  const key = bend.key ?? new Uint8Array(32).fill(1);
  const commitment = commitmentTo(bend.commitTo ?? key);
  const info = infoOf(context, commitment);
  const nonce = new Uint8Array(12);
  const [toSender, toRecipient] = await Promise.all([
    wrapTo(alice.record.keys.encryption, info, key),
    wrapTo(bob.record.keys.encryption, info, key),
  ]);
  const usable = key.length === 32 ? key : new Uint8Array(32);
  const ciphertext = await encrypt(usable, nonce, info, bend.text ?? utf8('crafted'));
  return parsed(
    await signEnvelope({ context, commitment, toSender, toRecipient, nonce, ciphertext }, alice.secrets),
  );
}

describe('an envelope', () => {
  it('is read by its recipient and by its sender', async () => {
    const sealed = parsed(await seal('see you at nine'));
    const context = expect.objectContaining({
      ...message,
      sender: 'alice',
      recipient: 'bob',
      senderSeq: 1,
      recipientSeq: 1,
    });
    expect(await openEnvelope(sealed, reading())).toEqual({ ok: true, text: 'see you at nine', context });
    const asSender = reading({ user: alice.record.user, secrets: alice.secrets });
    expect(await openEnvelope(sealed, asSender)).toMatchObject({ ok: true, text: 'see you at nine' });
  });

  it('holds any text, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), async (text) => {
        expect(await openEnvelope(parsed(await seal(text)), reading())).toMatchObject({ ok: true, text });
      }),
      { numRuns: 30 },
    );
    const opened = await openEnvelope(parsed(await seal('\uFEFFwith a mark')), reading());
    expect(opened).toMatchObject({ text: '\uFEFFwith a mark' });
  });

  it('of the longest text fits where an envelope may stand, and shows nothing of it', async () => {
    const text = 'marker '.repeat(maxTextBytes).slice(0, maxTextBytes);
    const sealed = await seal(text);
    expect(sealed.length).toBeLessThanOrEqual(maxEnvelopeBytes);
    expect(sealed).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(Buffer.from(sealed, 'base64url').includes('marker')).toBe(false);
  });

  it('is another each time, also of the same text', async () => {
    const [one, two] = [parsed(await seal('again')), parsed(await seal('again'))];
    expect(one.ciphertext).not.toEqual(two.ciphertext);
    expect(one.commitment).not.toEqual(two.commitment);
    expect(one.nonce).not.toEqual(two.nonce);
    expect(one.toSender.enc).not.toEqual(two.toSender.enc);
  });

  it('to oneself is read with the one key', async () => {
    const self = parsed(await seal('note to self', alice, alice));
    const reader = reading({ user: alice.record.user, secrets: alice.secrets, recipient: alice.record.user });
    expect(await openEnvelope(self, reader)).toMatchObject({ ok: true, text: 'note to self' });
  });
});

describe('Mallory cannot', () => {
  it('read a message that she neither sent nor was sent', async () => {
    const sealed = parsed(await seal('secret'));
    const asRecipient = await openEnvelope(sealed, reading({ secrets: mallory.secrets }));
    const asSender = await openEnvelope(
      sealed,
      reading({ user: alice.record.user, secrets: mallory.secrets }),
    );
    expect([asRecipient, asSender]).toEqual([
      { ok: false, fault: 'wrong-key' },
      { ok: false, fault: 'wrong-key' },
    ]);
  });

  it('change a bit of it, on any field, without the reader seeing it', async () => {
    const text = await seal('pay 10 to bob');
    const bytes = fromBase64url(text) ?? new Uint8Array();
    for (let index = 0; index < bytes.length; index++) {
      const changed = readEnvelope(toBase64url(flipped(bytes, index, index % 8)));
      const opened = changed && (await openEnvelope(changed, reading()));
      expect(opened?.ok ?? false).toBe(false);
    }
  });

  it('say that it is from another, to another, or from another server', async () => {
    const sealed = parsed(await seal('yes'));
    const elsewhere = [
      reading({ sender: mallory.record.user }),
      reading({ recipient: mallory.record.user }),
      reading({ realm: 'other.example' }),
    ];
    for (const reader of elsewhere) {
      expect(await openEnvelope(sealed, reader)).toEqual({ ok: false, fault: 'wrong-conversation' });
    }
  });

  it('put her own keys in place of the sender’s', async () => {
    const asAlice = signKeyRecord({ ...alice.record, user: alice.record.user }, mallory.secrets);
    const forged = parsed(
      await sealMessage('from alice', message, { record: asAlice, secrets: mallory.secrets }, bob.record),
    );
    expect(await openEnvelope(forged, reading())).toEqual({ ok: false, fault: 'bad-signature' });
    const honest = parsed(await seal('from alice'));
    expect(await openEnvelope(honest, reading({ senderRecord: asAlice }))).toEqual({
      ok: false,
      fault: 'bad-signature',
    });
  });

  it('have it read under another record of the sender than the one it names', async () => {
    const secrets = nextSecretKeys(alice.secrets);
    const { user, digest } = alice.record;
    const second = signKeyRecord({ realm, user, seq: 2, previous: digest, epoch: 2, at: 2 }, secrets);
    const sealed = parsed(await seal('old keys'));
    expect(await openEnvelope(sealed, reading({ senderRecord: second }))).toEqual({
      ok: false,
      fault: 'wrong-record',
    });
    expect(await openEnvelope(sealed, reading({ senderRecord: mallory.record }))).toEqual({
      ok: false,
      fault: 'wrong-record',
    });
  });

  it('move a wrap, a nonce or a ciphertext from one envelope to another', async () => {
    const [one, two] = [await seal('one'), await seal('two')];
    const others = readFields(fromBase64url(two) ?? new Uint8Array()) ?? [];
    for (let place = 9; place < 17; place++) {
      const other = others[place];
      const mixed = other && withFields(one, { [place]: other });
      if (!mixed) throw new Error('it still reads as an envelope');
      expect(await openEnvelope(mixed, reading())).toEqual({ ok: false, fault: 'bad-signature' });
    }
  });

  it('swap the two wraps, even with the sender’s own signature', async () => {
    const { signature: _signature, ...parts } = parsed(await seal('swapped'));
    const { toSender, toRecipient } = parts;
    const swapped = await signEnvelope(
      { ...parts, toSender: toRecipient, toRecipient: toSender },
      alice.secrets,
    );
    expect(await openEnvelope(parsed(swapped), reading())).toEqual({ ok: false, fault: 'wrong-key' });
  });

  it('as a sender give two readers two texts: the key is the one that was committed to', async () => {
    const envelope = await crafted({ commitTo: new Uint8Array(32).fill(2) });
    expect(await openEnvelope(envelope, reading())).toEqual({ ok: false, fault: 'bad-commitment' });
    expect(await openEnvelope(await crafted({ key: new Uint8Array(16) }), reading())).toEqual({
      ok: false,
      fault: 'wrong-key',
    });
    expect(await openEnvelope(await crafted({}), reading())).toMatchObject({ ok: true, text: 'crafted' });
  });

  it('as a sender have bytes shown that are no text', async () => {
    const envelope = await crafted({ text: new Uint8Array([0xff, 0xfe]) });
    expect(await openEnvelope(envelope, reading())).toEqual({ ok: false, fault: 'no-text' });
  });

  it('as a sender have a text shown that is longer than a message may be, or empty', async () => {
    const opened = async (text: string) => await openEnvelope(parsed(await seal(text)), reading());
    expect(await opened('x'.repeat(maxTextBytes + 1))).toEqual({ ok: false, fault: 'no-text' });
    expect(await opened('é'.repeat(maxTextBytes / 2 + 1))).toEqual({ ok: false, fault: 'no-text' });
    expect(await opened('')).toEqual({ ok: false, fault: 'no-text' });
    expect(await opened('é'.repeat(maxTextBytes / 2))).toMatchObject({ ok: true });
  });

  it('have a signature with a key of small order believed, which nobody has to have made', async () => {
    const { user, seq, keys, ...rest } = alice.record;
    // The neutral point as key and as commitment, and nothing signed: lenient verifiers take it for every message.
    const identity = new Uint8Array(32).fill(1, 0, 1);
    const signature = new Uint8Array(64).fill(1, 0, 1);
    const weak = { ...rest, user, seq, keys: { ...keys, identity } };
    const envelope = { ...parsed(await seal('from alice')), signature };
    expect(await openEnvelope(envelope, reading({ senderRecord: weak }))).toEqual({
      ok: false,
      fault: 'bad-signature',
    });
    expect(ed25519.verify(signature, utf8('anything'), identity, { zip215: true })).toBe(true);
  });
});

describe('what is no envelope', () => {
  it('is told from one', async () => {
    const text = await seal('x');
    for (const other of [
      '',
      'AAAA',
      `${text}A`,
      `${text}=`,
      text.slice(0, -2),
      'A'.repeat(maxEnvelopeBytes + 1),
    ]) {
      expect(readEnvelope(other)).toBeUndefined();
    }
  });

  it.each([
    [0, 'another label', utf8('chat-envelope-v2')],
    [1, 'another suite', utf8('HPKE-X25519-SHA256-AES128GCM+Ed25519')],
    [3, 'a sender that no account has', utf8('ALICE')],
    [4, 'a recipient that no account has', utf8('')],
    [6, 'a record without a number', new Uint8Array(8)],
    [8, 'a time that is no number', utf8('now')],
    [9, 'a short commitment', new Uint8Array(31)],
    [14, 'a short nonce', new Uint8Array(11)],
    [16, 'a short signature', new Uint8Array(63)],
  ])('field %i: %s', async (place, _what, value) => {
    expect(withFields(await seal('x'), { [place]: value })).toBeUndefined();
  });

  it('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array(), { minLength: 17, maxLength: 17 }), (fields) => {
        expect(readEnvelope(toBase64url(writeFields(fields)))).toBeUndefined();
      }),
    );
  });
});
