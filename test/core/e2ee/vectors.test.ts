import { scryptSync } from 'node:crypto';
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { scrypt } from '@noble/hashes/scrypt.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { concat, utf8 } from '../../../src/core/crypto/bytes.ts';
import { publicKeysOf } from '../../../src/core/e2ee/account-keys.ts';
import { decrypt } from '../../../src/core/e2ee/aes-gcm.ts';
import { unwrap, wrapTo } from '../../../src/core/e2ee/hpke.ts';

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

describe('the primitives below', () => {
  it('sign as RFC 8032, 7.1 (TEST 2)', () => {
    const secret = hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
    const keys = publicKeysOf({ identity: secret, encryption: a11.skRm });
    expect(keys.identity).toEqual(hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'));
    expect(ed25519.sign(hex('72'), secret)).toEqual(
      hex(
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
      ),
    );
  });

  it('agree on keys as RFC 7748, 5.2', () => {
    const scalar = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    const shared = hex('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552');
    expect(x25519.getSharedSecret(scalar, point)).toEqual(shared);
    let [k, u] = [hex(`09${'00'.repeat(31)}`), hex(`09${'00'.repeat(31)}`)];
    for (let round = 0; round < 1_000; round++) [k, u] = [x25519.getSharedSecret(k, u), k];
    expect(k).toEqual(hex('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51'));
  });

  it('derive as RFC 5869, A.1', () => {
    const okm = hkdf(
      sha256,
      hex('0b'.repeat(22)),
      hex('000102030405060708090a0b0c'),
      hex('f0f1f2f3f4f5f6f7f8f9'),
      42,
    );
    expect(okm).toEqual(
      hex('3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865'),
    );
  });

  it('stretch as RFC 7914, 12, and as the platform does', () => {
    const expected = hex(
      '77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906',
    );
    expect(scrypt('', '', { N: 16, r: 1, p: 1, dkLen: 64 })).toEqual(expected);
    expect(new Uint8Array(scryptSync('', '', 64, { N: 16, r: 1, p: 1 }))).toEqual(expected);
  });
});
