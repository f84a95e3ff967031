import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';

/** What a content key was wrapped to: the encapsulated key (32 bytes) and the sealed one. */
export interface Wrap {
  readonly enc: Uint8Array;
  readonly sealed: Uint8Array;
}

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** Seals `plain` to an X25519 public key (RFC 9180, base mode, single shot), bound to `info`. */
export async function wrapTo(publicKey: Uint8Array, info: Uint8Array, plain: Uint8Array): Promise<Wrap> {
  const recipientPublicKey = await suite.kem.deserializePublicKey(owned(publicKey));
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
    const recipientKey = await suite.kem.deserializePrivateKey(owned(secretKey));
    const recipient = await suite.createRecipientContext({
      recipientKey,
      enc: owned(wrap.enc),
      info: owned(info),
    });
    return new Uint8Array(await recipient.open(owned(wrap.sealed)));
  } catch {
    return undefined;
  }
}

/** The package takes whole buffers: a view of a larger one is copied. */
function owned(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
