import { afterEach, describe, expect, test } from 'vitest';
import { nobleDigests } from '../../../src/core/crypto/digests.ts';
import {
  formatServerFirst,
  newNonce,
  offerDigest,
  parseClientFinal,
  parseClientFirst,
  parseServerFinal,
  parseServerFirst,
} from '../../../src/core/crypto/scram-messages.ts';
import { scriptRandomness } from '../../../src/core/random.ts';
import { accepted, golden } from './golden.ts';

const malformed = { ok: false, reason: 'invalid-encoding' };
const unknownExtension = { ok: false, reason: 'extensions-not-supported' };
const nonce = golden.clientNonce;
const whole = golden.clientNonce + golden.serverNonce;
/** Characters that must never get through, in any place of any message. */
const forbidden = ['\0', '\r', '\n', '\r\n', ' ', '\t', '\x7f', 'é', '，', '\u202e'];

describe('client-first', () => {
  test('is read as sent', () => {
    expect(parseClientFirst(golden.clientFirst)).toEqual({
      ok: true,
      value: {
        binding: { flag: 'p', name: 'tls-exporter' },
        username: 'alice',
        nonce,
        gs2Header: 'p=tls-exporter,,',
        bare: `n=alice,r=${nonce}`,
      },
    });
  });

  test.each(['n', 'y'])('may say %s in place of a binding', (flag) => {
    const { binding, gs2Header } = accepted(parseClientFirst(`${flag},,n=alice,r=${nonce}`));
    expect([binding, gs2Header]).toEqual([{ flag }, `${flag},,`]);
  });

  test.each([
    ['nothing', ''],
    ['no header', `n=alice,r=${nonce}`],
    ['half a header', `n,n=alice,r=${nonce}`],
    ['an unknown flag', `x,,n=alice,r=${nonce}`],
    ['a capital flag', `N,,n=alice,r=${nonce}`],
    ['a binding without a name', `p=,,n=alice,r=${nonce}`],
    ['a binding name with a wrong character', `p=tls_exporter,,n=alice,r=${nonce}`],
    ['a binding name of 33 characters', `p=${'a'.repeat(33)},,n=alice,r=${nonce}`],
    ['the "non-standard" flag', `F,n,,n=alice,r=${nonce}`],
    ['an authorisation name', `n,a=root,n=alice,r=${nonce}`],
    ['its attributes reordered', `n,,r=${nonce},n=alice`],
    ['a name twice', `n,,n=alice,n=root,r=${nonce}`],
    ['a nonce twice', `n,,n=alice,r=${nonce},r=${nonce}`],
    ['an unknown attribute', `n,,n=alice,r=${nonce},x=1`],
    ['no name', `n,,r=${nonce}`],
    ['an empty name', `n,,n=,r=${nonce}`],
    ['no nonce', 'n,,n=alice'],
    ['an escaped comma in the name', `n,,n=ali=2Cce,r=${nonce}`],
    ['an escaped equals sign in the name', `n,,n=ali=3Dce,r=${nonce}`],
    ['a capital in the name', `n,,n=Alice,r=${nonce}`],
    ['a name of 33 characters', `n,,n=${'a'.repeat(33)},r=${nonce}`],
    ['a comma at its end', `n,,n=alice,r=${nonce},`],
    ['a nonce of 23 characters', `n,,n=alice,r=${nonce.slice(1)}`],
    ['a nonce of 129 characters', `n,,n=alice,r=${'a'.repeat(129)}`],
  ])('is refused with %s', (_, text) => {
    expect(parseClientFirst(text)).toEqual(malformed);
  });

  test('has a nonce of 24 to 128 characters and a name of up to 32', () => {
    expect(parseClientFirst(`n,,n=${'a'.repeat(32)},r=${'a'.repeat(24)}`).ok).toBe(true);
    expect(parseClientFirst(`n,,n=a,r=${'a'.repeat(128)}`).ok).toBe(true);
  });

  test('is refused with a mandatory extension', () => {
    expect(parseClientFirst(`n,,m=new,n=alice,r=${nonce}`)).toEqual(unknownExtension);
    expect(parseClientFirst(`n,,n=alice,r=${nonce},m=new`)).toEqual(unknownExtension);
  });

  test.each(forbidden)('is refused with %j anywhere', (character) => {
    for (let at = 0; at <= golden.clientFirst.length; at++) {
      expect(parseClientFirst(insert(golden.clientFirst, at, character))).toEqual(malformed);
    }
  });
});

describe('server-first', () => {
  test('is read as sent, and spelled the same again', () => {
    const first = accepted(parseServerFirst(golden.serverFirst));
    expect(first).toEqual({
      nonce: whole,
      salt: golden.salt,
      cost: 10,
      suite: 'CHAT-SCRAM-BCRYPT-1',
      realm: 'chat.example',
      offer: golden.offerDigest,
      serverKey: golden.keyDigest,
    });
    expect(formatServerFirst(first)).toBe(golden.serverFirst);
  });

  const changed = (from: string, to: string): string => golden.serverFirst.replace(from, to);
  test.each([
    ['the cost "abc"', changed('i=10', 'i=abc')],
    ['the cost "1e1"', changed('i=10', 'i=1e1')],
    ['the cost "010"', changed('i=10', 'i=010')],
    ['the cost "+10"', changed('i=10', 'i=+10')],
    ['the cost "10.0"', changed('i=10', 'i=10.0')],
    ['the cost "-10"', changed('i=10', 'i=-10')],
    ['the cost 0', changed('i=10', 'i=0')],
    ['an empty cost', changed('i=10', 'i=')],
    ['a cost of seven digits', changed('i=10', 'i=1000000')],
    ['a salt of 15 bytes', changed('AAECAwQFBgcICQoLDA0ODw==', 'AAECAwQFBgcICQoLDA0O')],
    ['a salt of 17 bytes', changed('AAECAwQFBgcICQoLDA0ODw==', 'AAECAwQFBgcICQoLDA0ODxA=')],
    ['a salt without its padding', changed('ODw==', 'ODw')],
    ['a salt with stray bits', changed('ODw==', 'ODx==')],
    ['a salt in the URL alphabet', changed('AAECAwQF', 'AA-_AwQF')],
    ['a suite in lower case', changed('CHAT-SCRAM-BCRYPT-1', 'chat-scram-bcrypt-1')],
    ['a realm with a separator', changed('chat.example', 'chat|example')],
    ['an offer that is no digest', changed(golden.offerDigest, 'AAEC')],
    ['a key that is no digest', changed(golden.keyDigest, 'AAEC')],
    ['a key digest with stray bits', changed('I/fg=', 'I/fh=')],
    ['its attributes reordered', changed('i=10,k=CHAT-SCRAM-BCRYPT-1', 'k=CHAT-SCRAM-BCRYPT-1,i=10')],
    ['a cost twice', changed('i=10', 'i=10,i=4')],
    ['an unknown attribute', `${golden.serverFirst},x=1`],
    ['no suite', changed(',k=CHAT-SCRAM-BCRYPT-1', '')],
    ['none of our extensions', `r=${whole},s=AAECAwQFBgcICQoLDA0ODw==,i=10`],
    ['a nonce of 257 characters', changed(whole, 'a'.repeat(257))],
    ['more than 1,024 characters', `${golden.serverFirst},x=${'a'.repeat(1_024)}`],
  ])('is refused with %s', (_, text) => {
    expect(parseServerFirst(text)).toEqual(malformed);
  });

  test('is refused with a mandatory extension', () => {
    expect(parseServerFirst(`m=new,${golden.serverFirst}`)).toEqual(unknownExtension);
  });

  test.each(forbidden)('is refused with %j anywhere', (character) => {
    for (let at = 0; at <= golden.serverFirst.length; at++) {
      expect(parseServerFirst(insert(golden.serverFirst, at, character))).toEqual(malformed);
    }
  });
});

describe('client-final', () => {
  test('is read as sent', () => {
    const { proof, channelBinding, ...rest } = accepted(parseClientFinal(golden.clientFinal));
    expect(rest).toEqual({ nonce: whole, withoutProof: golden.clientFinal.slice(0, -47) });
    expect([proof.length, channelBinding.length]).toEqual([32, 48]);
  });

  const [c = '', r = '', p = ''] = golden.clientFinal.split(',');
  test.each([
    ['nothing', ''],
    ['its attributes reordered', `${r},${c},${p}`],
    ['a proof that is not last', `${c},${p},${r}`],
    ['a proof twice', `${c},${r},${p},${p}`],
    ['an unknown attribute', `${c},${r},x=1,${p}`],
    ['no proof', `${c},${r}`],
    ['an empty proof', `${c},${r},p=`],
    ['a proof of 31 bytes', `${c},${r},p=${'A'.repeat(40)}AA==`],
    ['a proof of 33 bytes', `${c},${r},p=${'A'.repeat(44)}`],
    ['a proof with stray bits', `${c},${r},${p.slice(0, -2)}5=`],
    ['an empty binding', `c=,${r},${p}`],
    ['a binding in the URL alphabet', `c=--__,${r},${p}`],
    ['no nonce', `${c},${p}`],
    ['a nonce of 257 characters', `${c},r=${'a'.repeat(257)},${p}`],
  ])('is refused with %s', (_, text) => {
    expect(parseClientFinal(text)).toEqual(malformed);
  });

  test('has 1,024 characters or fewer', () => {
    const text = `c=${'A'.repeat(924)},r=${'a'.repeat(48)},${p}`;
    expect(text).toHaveLength(1_024);
    expect(parseClientFinal(text).ok).toBe(true);
    expect(parseClientFinal(text.replace(',r=', ',r=a'))).toEqual(malformed);
  });

  test('is refused with a mandatory extension', () => {
    expect(parseClientFinal(`${c},${r},m=new,${p}`)).toEqual(unknownExtension);
  });

  test.each(forbidden)('is refused with %j anywhere', (character) => {
    for (let at = 0; at <= golden.clientFinal.length; at++) {
      expect(parseClientFinal(insert(golden.clientFinal, at, character))).toEqual(malformed);
    }
  });
});

describe('server-final', () => {
  test('is a signature of 32 bytes', () => {
    const final = accepted(parseServerFinal(golden.serverFinal));
    expect('signature' in final && final.signature.toHex()).toBe(
      Uint8Array.fromBase64(golden.serverFinal.slice(2)).toHex(),
    );
  });

  test('or one reason, of which an unknown one reads as other-error', () => {
    expect(parseServerFinal('e=invalid-proof')).toEqual({ ok: true, value: { error: 'invalid-proof' } });
    expect(parseServerFinal('e=no-resources')).toEqual({ ok: true, value: { error: 'other-error' } });
  });

  test.each([
    ['nothing', ''],
    ['an empty signature', 'v='],
    ['a short signature', 'v=AAEC'],
    ['a signature with stray bits', golden.serverFinal.replace('8kM=', '8kN=')],
    ['an extension', `${golden.serverFinal},x=1`],
    ['both', `${golden.serverFinal},e=other-error`],
    ['an empty reason', 'e='],
    ['a line end', `${golden.serverFinal}\n`],
  ])('is refused with %s', (_, text) => {
    expect(parseServerFinal(text)).toEqual(malformed);
  });
});

describe('the digest of an offer', () => {
  test('is the golden one', () => {
    expect(offerDigest(golden.offer, nobleDigests)).toBe(golden.offerDigest);
  });

  test('does not depend on order, and changes nothing in what it was given', () => {
    const offer = { suites: ['B', 'A'], bindings: ['y', 'x'] };
    expect(offerDigest(offer, nobleDigests)).toBe(
      offerDigest({ suites: ['A', 'B'], bindings: ['x', 'y'] }, nobleDigests),
    );
    expect(offer).toEqual({ suites: ['B', 'A'], bindings: ['y', 'x'] });
  });

  test('tells a suite from a binding', () => {
    expect(offerDigest({ suites: ['A', 'B'], bindings: [] }, nobleDigests)).not.toBe(
      offerDigest({ suites: ['A'], bindings: ['B'] }, nobleDigests),
    );
  });
});

describe('a nonce', () => {
  let restore = (): void => {};
  afterEach(() => restore());

  test('is 18 random bytes, spelled without a comma and without padding', () => {
    restore = scriptRandomness((length) => new Uint8Array(length).fill(0xfb));
    expect(newNonce()).toBe('+/v7+/v7+/v7+/v7+/v7+/v7');
  });

  test('takes fresh chance each time, so that it never repeats (ASVS 6.7.2)', () => {
    let call = 0;
    restore = scriptRandomness((length) => {
      call += 1;
      return new Uint8Array(length).fill(call >> 8).fill(call, -1);
    });
    expect(new Set(Array.from({ length: 1_000 }, newNonce)).size).toBe(1_000);
  });
});

function insert(text: string, at: number, character: string): string {
  return text.slice(0, at) + character + text.slice(at);
}
