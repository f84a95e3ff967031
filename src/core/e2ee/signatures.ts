/** What stands before the 32 bytes of a secret key in PKCS #8 (RFC 8410, section 7). */
const pkcs8Head = Uint8Array.of(
  ...[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06],
  ...[0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20],
);

/** Keys that the platform has taken, for as long as somebody holds their bytes: to take one costs as much as to use it. */
const signers = new WeakMap<Uint8Array, Promise<CryptoKey>>();
const verifiers = new WeakMap<Uint8Array, Promise<CryptoKey>>();

/**
 * Signs with an identity key of 32 bytes (Ed25519, RFC 8032); answers the signature's 64 bytes. The platform does it, eight times as fast as
 * JavaScript. The bytes of a key must stay as they are.
 */
export async function signWith(identity: Uint8Array, bytes: Uint8Array): Promise<Uint8Array> {
  let signer = signers.get(identity);
  if (!signer) {
    signer = importKey('pkcs8', new Uint8Array([...pkcs8Head, ...identity]), 'sign');
    signers.set(identity, signer);
  }
  return new Uint8Array(await crypto.subtle.sign('Ed25519', await signer, owned(bytes)));
}

/**
 * True when `signature` is of `bytes` by the holder of a public identity key. Never true for a key of small order, whose signatures nobody has to
 * have made, nor for a key or a signature in a second spelling (RFC 8032, 5.1.7): the platform refuses them, which its tests hold.
 */
export async function isSignedBy(
  identity: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  let verifier = verifiers.get(identity);
  if (!verifier) {
    verifier = importKey('raw', owned(identity), 'verify');
    verifiers.set(identity, verifier);
  }
  try {
    return await crypto.subtle.verify('Ed25519', await verifier, owned(signature), owned(bytes));
  } catch {
    // What is no key at all has signed nothing.
    return false;
  }
}

function importKey(format: 'pkcs8' | 'raw', key: Uint8Array<ArrayBuffer>, use: 'sign' | 'verify') {
  return crypto.subtle.importKey(format, key, 'Ed25519', false, [use]);
}

/** The platform takes bytes of their own alone, where a view could be of memory that is shared. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
