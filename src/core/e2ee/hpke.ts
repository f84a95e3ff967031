import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { x25519 } from '@noble/curves/ed25519.js';

/** What a content key was wrapped to: the encapsulated key (32 bytes) and the sealed one. */
export interface Wrap {
  readonly enc: Uint8Array;
  readonly sealed: Uint8Array;
}

interface KeyPair {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** Keys that the platform has taken, for as long as somebody holds their bytes, which must stay as they are. */
const publicKeys = new WeakMap<Uint8Array, Promise<CryptoKey>>();
const pairs = new WeakMap<Uint8Array, Promise<KeyPair>>();

/** Seals `plain` to an X25519 public key (RFC 9180, base mode, single shot), bound to `info`. */
export async function wrapTo(publicKey: Uint8Array, info: Uint8Array, plain: Uint8Array): Promise<Wrap> {
  const recipientPublicKey = await publicKeyOf(publicKey);
  const sender = await suite.createSenderContext({ recipientPublicKey, info: owned(info) });
  const sealed = await sender.seal(owned(plain));
  return { enc: new Uint8Array(sender.enc), sealed: new Uint8Array(sealed) };
}

/** Opens what {@link wrapTo} has sealed; undefined when it was not sealed to this key with this `info`, or was changed. */
export async function unwrap(
  secretKey: Uint8Array,
  info: Uint8Array,
  wrap: Wrap,
): Promise<Uint8Array | undefined> {
  try {
    const recipient = await suite.createRecipientContext({
      recipientKey: await pairOf(secretKey),
      enc: owned(wrap.enc),
      info: owned(info),
    });
    return new Uint8Array(await recipient.open(owned(wrap.sealed)));
  } catch {
    return undefined;
  }
}

function publicKeyOf(bytes: Uint8Array): Promise<CryptoKey> {
  let key = publicKeys.get(bytes);
  if (!key) {
    key = suite.kem.deserializePublicKey(owned(bytes));
    publicKeys.set(bytes, key);
  }
  return key;
}

/** Both halves of a key, since to find the public one costs as much as to open something. */
function pairOf(secretKey: Uint8Array): Promise<KeyPair> {
  let pair = pairs.get(secretKey);
  if (!pair) {
    pair = importPair(secretKey);
    pairs.set(secretKey, pair);
  }
  return pair;
}

async function importPair(secretKey: Uint8Array): Promise<KeyPair> {
  const [privateKey, publicKey] = await Promise.all([
    suite.kem.deserializePrivateKey(owned(secretKey)),
    suite.kem.deserializePublicKey(owned(x25519.getPublicKey(secretKey))),
  ]);
  return { privateKey, publicKey };
}

/** The package takes whole buffers: a view of a larger one is copied. */
function owned(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
