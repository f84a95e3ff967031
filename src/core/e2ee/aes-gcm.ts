/** Encrypts with AES-256-GCM, `bound` being authenticated with it; a nonce is used once for a key. Answers ciphertext and tag. */
export async function encrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  bound: Uint8Array,
  plain: Uint8Array,
): Promise<Uint8Array> {
  const imported = await importKey(key, 'encrypt');
  return new Uint8Array(await crypto.subtle.encrypt(parameters(nonce, bound), imported, owned(plain)));
}

/** Decrypts what {@link encrypt} has made; undefined when anything of it is not the same. */
export async function decrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  bound: Uint8Array,
  ciphertext: Uint8Array,
): Promise<Uint8Array | undefined> {
  const imported = await importKey(key, 'decrypt');
  try {
    return new Uint8Array(await crypto.subtle.decrypt(parameters(nonce, bound), imported, owned(ciphertext)));
  } catch {
    return undefined;
  }
}

function importKey(key: Uint8Array, use: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', owned(key), 'AES-GCM', false, [use]);
}

function parameters(nonce: Uint8Array, bound: Uint8Array) {
  return { name: 'AES-GCM', iv: owned(nonce), additionalData: owned(bound) };
}

/** The platform takes bytes of their own alone, where a view could be of memory that is shared. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
