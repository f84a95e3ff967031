import { equalDigests, fromBase64url, toBase64url, utf8 } from '../crypto/bytes.ts';
import { nobleDigests } from '../crypto/digests.ts';
import { isUsername, type Username } from '../model/username.ts';
import { maxEnvelopeBytes, maxTextBytes } from '../policy.ts';
import { randomBytes } from '../random.ts';
import type { SecretKeys } from './account-keys.ts';
import { decrypt, encrypt } from './aes-gcm.ts';
import { numberOf, readFields, textOf, writeFields } from './fields.ts';
import { unwrap, type Wrap, wrapTo } from './hpke.ts';
import type { SignedKeyRecord } from './key-record.ts';
import { isSignedBy, signWith } from './signatures.ts';

/** What a message says about itself, all of it signed and bound to its keys (security 5). */
export interface EnvelopeContext {
  readonly realm: string;
  readonly sender: Username;
  readonly recipient: Username;
  /** Which record of each the content key was wrapped to. */
  readonly senderSeq: number;
  readonly recipientSeq: number;
  /** The sender's own id for the message, a UUID: a second message with it is a replay. */
  readonly id: string;
  /** The sender's clock, UTC milliseconds. */
  readonly at: number;
}

/** An envelope that was taken apart, and of which nothing has been believed yet. */
export interface SealedEnvelope {
  readonly context: EnvelopeContext;
  /** SHA-256 over the content key: one ciphertext opens to one text (AES-GCM alone does not promise it). */
  readonly commitment: Uint8Array;
  /** The content key for the sender (document 5's key1) and for the recipient (key2). */
  readonly toSender: Wrap;
  readonly toRecipient: Wrap;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly signature: Uint8Array;
}

/** Why an envelope was not opened. */
export type EnvelopeFault =
  | 'malformed'
  | 'wrong-conversation'
  | 'wrong-record'
  | 'bad-signature'
  | 'wrong-key'
  | 'bad-commitment'
  | 'damaged'
  | 'no-text';

/** An opened envelope, or why it was not. */
export type OpenedEnvelope =
  | { readonly ok: true; readonly text: string; readonly context: EnvelopeContext }
  | { readonly ok: false; readonly fault: EnvelopeFault };

const label = 'chat-envelope-v1';
const suite = 'HPKE-X25519-SHA256-AES256GCM+Ed25519';
const fieldCount = 17;
const contentKeyBytes = 32;
const nonceBytes = 12;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Seals a text for its sender and its recipient; answers the envelope as it travels, in base64url. */
export async function sealMessage(
  text: string,
  message: Pick<EnvelopeContext, 'id' | 'at'>,
  from: { readonly record: SignedKeyRecord; readonly secrets: SecretKeys },
  to: SignedKeyRecord,
): Promise<string> {
  const context: EnvelopeContext = {
    ...message,
    realm: to.realm,
    sender: from.record.user,
    recipient: to.user,
    senderSeq: from.record.seq,
    recipientSeq: to.seq,
  };
  const contentKey = randomBytes(contentKeyBytes);
  const commitment = commitmentTo(contentKey);
  const info = infoOf(context, commitment);
  const nonce = randomBytes(nonceBytes);
  const [toSender, toRecipient, ciphertext] = await Promise.all([
    wrapTo(from.record.keys.encryption, info, contentKey),
    wrapTo(to.keys.encryption, info, contentKey),
    encrypt(contentKey, nonce, info, utf8(text)),
  ]);
  return signEnvelope({ context, commitment, toSender, toRecipient, nonce, ciphertext }, from.secrets);
}

/** Signs all of an envelope; answers it as it travels, in base64url. */
export async function signEnvelope(
  parts: Omit<SealedEnvelope, 'signature'>,
  { identity }: Pick<SecretKeys, 'identity'>,
): Promise<string> {
  const signature = await signWith(identity, signedBytes(parts));
  return toBase64url(writeFields([...sealedFields(parts), parts.ciphertext, signature]));
}

/** Takes an envelope apart; undefined for what is none in its one spelling. */
export function readEnvelope(text: string): SealedEnvelope | undefined {
  if (text.length > maxEnvelopeBytes) return undefined;
  const bytes = fromBase64url(text);
  const fields = bytes && readFields(bytes, fieldCount);
  if (!fields) return undefined;
  const [name, suiteName, realm, sender, recipient, id] = fields.slice(0, 6).map(textOf);
  const [senderSeq, recipientSeq, at] = fields.slice(6, 9).map(numberOf);
  const [commitment, enc1, key1, enc2, key2, nonce, ciphertext, signature] = fields.slice(9);
  if (name !== label || suiteName !== suite || realm === undefined || id === undefined) return undefined;
  if (!sender || !recipient || !isUsername(sender) || !isUsername(recipient)) return undefined;
  if (!senderSeq || !recipientSeq || at === undefined) return undefined;
  if (!commitment || !enc1 || !key1 || !enc2 || !key2 || !nonce || !ciphertext || !signature)
    return undefined;
  if (commitment.length !== 32 || nonce.length !== nonceBytes || signature.length !== 64) return undefined;
  return {
    context: { realm, sender, recipient, id, senderSeq, recipientSeq, at },
    commitment,
    toSender: { enc: enc1, sealed: key1 },
    toRecipient: { enc: enc2, sealed: key2 },
    nonce,
    ciphertext,
    signature,
  };
}

/** Who reads, and where the envelope was found. */
export interface EnvelopeReader {
  readonly user: Username;
  readonly secrets: Pick<SecretKeys, 'encryption'>;
  /** The realm and the two accounts of the conversation, as the reader knows them, and who the server says has sent it. */
  readonly realm: string;
  readonly sender: Username;
  readonly recipient: Username;
  /** The sender's record that the envelope names. */
  readonly senderRecord: SignedKeyRecord;
}

/** Whether an envelope is of the place where it was found, and signed by who is named there; undefined when all holds. */
export async function faultOf(
  envelope: SealedEnvelope,
  reader: Omit<EnvelopeReader, 'user' | 'secrets'>,
): Promise<EnvelopeFault | undefined> {
  const { context, signature } = envelope;
  const { senderRecord } = reader;
  const isHere =
    context.realm === reader.realm &&
    context.sender === reader.sender &&
    context.recipient === reader.recipient;
  if (!isHere) return 'wrong-conversation';
  const isItsRecord =
    senderRecord.realm === context.realm &&
    senderRecord.user === context.sender &&
    senderRecord.seq === context.senderSeq;
  if (!isItsRecord) return 'wrong-record';
  if (!(await isSignedBy(senderRecord.keys.identity, signedBytes(envelope), signature))) {
    return 'bad-signature';
  }
  return undefined;
}

/**
 * Opens an envelope: where it was found and who signed it first, then the key, then the text. Nothing of the text is answered unless
 * all holds. Duplicate ids and records that are older than ones seen are the caller's to know.
 */
export async function openEnvelope(
  envelope: SealedEnvelope,
  reader: EnvelopeReader,
): Promise<OpenedEnvelope> {
  const fault = (name: EnvelopeFault): OpenedEnvelope => ({ ok: false, fault: name });
  const { context, commitment, toSender, toRecipient, nonce, ciphertext } = envelope;
  const found = await faultOf(envelope, reader);
  if (found) return fault(found);
  const info = infoOf(context, commitment);
  const wrap = reader.user === context.sender ? toSender : toRecipient;
  const contentKey = await unwrap(reader.secrets.encryption, info, wrap);
  if (contentKey?.length !== contentKeyBytes) return fault('wrong-key');
  if (!equalDigests(commitmentTo(contentKey), commitment)) return fault('bad-commitment');
  const plain = await decrypt(contentKey, nonce, info, ciphertext);
  if (!plain) return fault('damaged');
  // What no server takes as a text is none here either.
  if (plain.length === 0 || plain.length > maxTextBytes) return fault('no-text');
  try {
    return { ok: true, text: decoder.decode(plain), context };
  } catch {
    return fault('no-text');
  }
}

/** What binds an envelope to one content key. */
export function commitmentTo(contentKey: Uint8Array): Uint8Array {
  return nobleDigests.sha256(writeFields(['chat-content-key-v1', contentKey]));
}

function contextFields({ realm, sender, recipient, id, senderSeq, recipientSeq, at }: EnvelopeContext) {
  return [label, suite, realm, sender, recipient, id, senderSeq, recipientSeq, at];
}

/** What the content key's wraps and the text are bound to. */
export function infoOf(context: EnvelopeContext, commitment: Uint8Array): Uint8Array {
  return writeFields([...contextFields(context), commitment]);
}

/** All but the ciphertext and the signature, as both encodings begin. */
function sealedFields({
  context,
  commitment,
  toSender,
  toRecipient,
  nonce,
}: Omit<SealedEnvelope, 'ciphertext' | 'signature'>) {
  const { enc, sealed } = toSender;
  return [...contextFields(context), commitment, enc, sealed, toRecipient.enc, toRecipient.sealed, nonce];
}

function signedBytes(envelope: Omit<SealedEnvelope, 'signature'>): Uint8Array {
  return writeFields([...sealedFields(envelope), nobleDigests.sha256(envelope.ciphertext)]);
}
