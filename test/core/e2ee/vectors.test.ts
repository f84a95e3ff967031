import { scryptSync } from 'node:crypto';
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { scrypt } from '@noble/hashes/scrypt.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { concat, utf8 } from '../../../src/core/crypto/bytes.ts';
import { isEncryptionKey, publicKeysOf } from '../../../src/core/e2ee/account-keys.ts';
import { decrypt } from '../../../src/core/e2ee/aes-gcm.ts';
import { unwrap, wrapTo } from '../../../src/core/e2ee/hpke.ts';
import { flipped, smallOrderKeys } from './support/accounts.ts';

// No npm package carries Project Wycheproof's groups (looked for by name and in stored registry pages): what they are known for is below
// in our own cases: keys of small order, a signature in a second spelling, every byte of a signature, a wrap and a text changed.

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);

/** RFC 9180, A.1.1: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM; the first message. */
const a11 = {
  skRm: hex('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8'),
  pkRm: hex('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d'),
  enc: hex('37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431'),
  info: utf8('Ode on a Grecian Urn'),
  aad: utf8('Count-0'),
  ct: hex('f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a'),
  pt: utf8('Beauty is truth, truth beauty'),
};

const i2osp2 = (value: number): Uint8Array => new Uint8Array([value >> 8, value & 255]);

/** RFC 9180's key schedule of a receiver in base mode, written from its text, to hold ours against. */
function receiverKeys(skR: Uint8Array, enc: Uint8Array, info: Uint8Array, aead: number, keyBytes: number) {
  const kemSuite = concat(utf8('KEM'), i2osp2(0x20));
  const suite = concat(utf8('HPKE'), i2osp2(0x20), i2osp2(1), i2osp2(aead));
  const extract = (id: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array) =>
    hmac(
      sha256,
      salt.length === 0 ? new Uint8Array(32) : salt,
      concat(utf8('HPKE-v1'), id, utf8(label), ikm),
    );
  const expand = (id: Uint8Array, prk: Uint8Array, label: string, bound: Uint8Array, length: number) => {
    const labelled = concat(i2osp2(length), utf8('HPKE-v1'), id, utf8(label), bound);
    return hmac(sha256, prk, concat(labelled, new Uint8Array([1]))).subarray(0, length);
  };
  const none = new Uint8Array();
  const dh = x25519.getSharedSecret(skR, enc);
  const kemContext = concat(enc, x25519.getPublicKey(skR));
  const shared = expand(kemSuite, extract(kemSuite, none, 'eae_prk', dh), 'shared_secret', kemContext, 32);
  const pskIdHash = extract(suite, none, 'psk_id_hash', none);
  const infoHash = extract(suite, none, 'info_hash', info);
  const context = concat(new Uint8Array([0]), pskIdHash, infoHash);
  const secret = extract(suite, shared, 'secret', none);
  return {
    key: expand(suite, secret, 'key', context, keyBytes),
    nonce: expand(suite, secret, 'base_nonce', context, 12),
  };
}

describe('RFC 9180', () => {
  it('A.1.1: the package opens its first message', async () => {
    const kem = new DhkemX25519HkdfSha256();
    const suite = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes128Gcm() });
    const recipientKey = await kem.deserializePrivateKey(a11.skRm.slice().buffer);
    const recipient = await suite.createRecipientContext({
      recipientKey,
      enc: a11.enc.slice().buffer,
      info: a11.info.slice().buffer,
    });
    const plain = await recipient.open(a11.ct.slice().buffer, a11.aad.slice().buffer);
    expect(new Uint8Array(plain)).toEqual(a11.pt);
  });

  it('A.1.1: so do the keys of its key schedule, which ours is held against', async () => {
    const { key, nonce } = receiverKeys(a11.skRm, a11.enc, a11.info, 1, 16);
    expect(key).toEqual(hex('4531685d41d65f03dc48f6b8302c05b0'));
    expect(nonce).toEqual(hex('56d890e5accaaf011cff4b7d'));
    const imported = await crypto.subtle.importKey('raw', key.slice(), 'AES-GCM', false, ['decrypt']);
    const algorithm = { name: 'AES-GCM', iv: nonce.slice(), additionalData: a11.aad.slice() };
    const plain = await crypto.subtle.decrypt(algorithm, imported, a11.ct.slice());
    expect(new Uint8Array(plain)).toEqual(a11.pt);
  });

  it('what we wrap with AES-256-GCM opens with the keys of that schedule, and by our own hand', async () => {
    const secret = utf8('a content key of thirty-two byte');
    const wrap = await wrapTo(a11.pkRm, a11.info, secret);
    const { key, nonce } = receiverKeys(a11.skRm, wrap.enc, a11.info, 2, 32);
    expect(await decrypt(key, nonce, new Uint8Array(), wrap.sealed)).toEqual(secret);
    expect(await unwrap(a11.skRm, a11.info, wrap)).toEqual(secret);
    expect(await unwrap(a11.skRm, utf8('other info'), wrap)).toBeUndefined();
  });
});

/** So many bytes that count up from one, in hex. */
function bytesFrom(first: number, count: number): string {
  return Uint8Array.from({ length: count }, (_, index) => first + index).toHex();
}

/** RFC 8032, 7.1: secret key, public key, message, signature. */
const ed25519Vectors = [
  [
    'TEST 1',
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    'TEST 2',
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'TEST 3',
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
] as const;

/** RFC 5869, A: keying material, salt, info, what is derived. */
const hkdfVectors = [
  [
    'A.1',
    '0b'.repeat(22),
    '000102030405060708090a0b0c',
    'f0f1f2f3f4f5f6f7f8f9',
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  ],
  [
    'A.2',
    bytesFrom(0x00, 80),
    bytesFrom(0x60, 80),
    bytesFrom(0xb0, 80),
    'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
  ],
  [
    'A.3',
    '0b'.repeat(22),
    '',
    '',
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  ],
] as const;

/** RFC 7914, 12: password, salt, cost, key; the fourth takes a gigabyte. */
const scryptVectors = [
  [
    '',
    '',
    { N: 16, r: 1, p: 1 },
    '77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906',
  ],
  [
    'password',
    'NaCl',
    { N: 1_024, r: 8, p: 16 },
    'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
  ],
  [
    'pleaseletmein',
    'SodiumChloride',
    { N: 16_384, r: 8, p: 1 },
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
  ],
] as const;

/** The order of Ed25519's group: a signature's second half has to be below it (RFC 8032, 5.1.7). */
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

describe('the primitives below', () => {
  it.each(ed25519Vectors)('sign and verify as RFC 8032, 7.1 (%s)', (_name, secret, key, text, signed) => {
    const identity = hex(secret);
    expect(publicKeysOf({ identity, encryption: a11.skRm }).identity).toEqual(hex(key));
    expect(ed25519.sign(hex(text), identity)).toEqual(hex(signed));
    const isRight = (signature: Uint8Array) =>
      ed25519.verify(signature, hex(text), hex(key), { zip215: false });
    expect(isRight(hex(signed))).toBe(true);
    for (let place = 0; place < 64; place++) expect(isRight(flipped(hex(signed), place))).toBe(false);
    // The same signature in a second spelling: S + L in the place of S.
    const half = BigInt(`0x${hex(signed).slice(32).toReversed().toHex()}`) + groupOrder;
    const second = hex(half.toString(16).padStart(64, '0')).toReversed();
    expect(isRight(concat(hex(signed).slice(0, 32), second))).toBe(false);
  });

  it('agree on keys as RFC 7748, 5.2', () => {
    const scalar = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    const shared = hex('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552');
    expect(x25519.getSharedSecret(scalar, point)).toEqual(shared);
    const other = x25519.getSharedSecret(
      hex('4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d'),
      hex('e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493'),
    );
    expect(other).toEqual(hex('95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957'));
    let [k, u] = [hex(`09${'00'.repeat(31)}`), hex(`09${'00'.repeat(31)}`)];
    for (let round = 0; round < 1_000; round++) [k, u] = [x25519.getSharedSecret(k, u), k];
    expect(k).toEqual(hex('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51'));
  });

  it('agree on keys as RFC 7748, 6.1', () => {
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
    const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    const ofAlice = publicKeysOf({ identity: alice, encryption: alice }).encryption;
    const ofBob = publicKeysOf({ identity: bob, encryption: bob }).encryption;
    expect(ofAlice).toEqual(hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'));
    expect(ofBob).toEqual(hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'));
    const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
    expect(x25519.getSharedSecret(alice, ofBob)).toEqual(shared);
    expect(x25519.getSharedSecret(bob, ofAlice)).toEqual(shared);
  });

  it('agree with no key of small order: nothing is sealed to one, and what claims to be opens nothing', async () => {
    expect(isEncryptionKey(a11.pkRm)).toBe(true);
    for (const key of smallOrderKeys) {
      expect(isEncryptionKey(key)).toBe(false);
      await expect(wrapTo(key, a11.info, new Uint8Array(32))).rejects.toThrow();
      const claimed = { enc: key, sealed: new Uint8Array(48) };
      expect(await unwrap(a11.skRm, a11.info, claimed)).toBeUndefined();
    }
  });

  it.each(hkdfVectors)('derive as RFC 5869, %s', (_name, ikm, salt, info, okm) => {
    const derived = hkdf(sha256, hex(ikm), salt === '' ? undefined : hex(salt), hex(info), okm.length / 2);
    expect(derived).toEqual(hex(okm));
  });

  it.each(scryptVectors)(
    'stretch as RFC 7914, 12, and as the platform does (%s)',
    (name, salt, cost, key) => {
      expect(scrypt(name, salt, { ...cost, dkLen: 64 })).toEqual(hex(key));
      expect(new Uint8Array(scryptSync(name, salt, 64, cost))).toEqual(hex(key));
    },
  );
});
