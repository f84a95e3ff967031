import * as z from 'zod';
import { fromBase64 } from '../crypto/bytes.ts';
import { parseHashedPassword } from '../crypto/hashed-password.ts';
import { maxScramCharacters } from '../crypto/scram-messages.ts';
import { saltBytes } from '../crypto/stretch.ts';
import { chatSuite } from '../crypto/verifier.ts';
import { ChatError } from '../errors.ts';
import type { Verifier } from '../model/account.ts';
import type { CertificateId } from '../model/certificate.ts';
import { parseConversationName, parseRoomName } from '../model/conversation-name.ts';
import type { MessageId, SessionId } from '../model/ids.ts';
import { parsePassword } from '../model/password.ts';
import { parseUsername } from '../model/username.ts';
import type { NewPasswordRules } from '../new-password.ts';
import { mistypedCode, type OneTimeCode, parseOneTimeCode } from '../one-time-code.ts';
import {
  feedPageRows,
  maxEnvelopeBytes,
  maxLabelLength,
  maxPageRows,
  maxSigningRequestCharacters,
  maxTextBytes,
} from '../policy.ts';

/** Runs a model's parser inside a schema, so that its text becomes the issue's text. */
function parsedBy<T>(parse: (input: string) => T) {
  return z.string().transform((input, context): T => {
    try {
      return parse(input);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      context.addIssue({ code: 'custom', message: error.message.replace(/^[a-z]+: /, '') });
      return z.NEVER;
    }
  });
}

const utf8Length = (text: string): number => {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit < 0xdc00) {
      bytes += 4;
      i += 1;
    } else bytes += 3;
  }
  return bytes;
};

/** A username, lower-cased. */
export const username = parsedBy(parseUsername);
/** A password in its canonical spelling; refused without ever being shown (security 1.1). */
export const password = parsedBy(parsePassword);
/** What a server asks of a new password, for the clients that keep it to themselves. */
export const passwordPolicy = z.object({ min_code_points: z.number(), common: z.enum(['warn', 'refuse']) });
/** Spells it. */
export function passwordPolicyAnswer(policy: NewPasswordRules): z.input<typeof passwordPolicy> {
  return { min_code_points: policy.minPasswordCodePoints, common: policy.commonPasswords };
}
/** The AuthSecret in `v1.` and 32 bytes of base64url (five-systems, section 1). */
export const hashedPassword = z.string().transform((input, context): Uint8Array => {
  const secret = parseHashedPassword(input);
  if (secret) return secret;
  context.addIssue({ code: 'custom', message: 'v1. and 32 bytes in base64url are expected' });
  return z.NEVER;
});
/** A one-time code, however a person typed it. */
export const oneTimeCode = z.string().transform((input, context): OneTimeCode => {
  const code = parseOneTimeCode(input);
  if (code) return code;
  context.addIssue({ code: 'custom', message: mistypedCode });
  return z.NEVER;
});
/** A code with which an account can be made; what it is good for is for the operation to say. */
export const inviteCode = z.string().max(256);
/** An e-mail address; checked for its form alone. */
export const email = z.email('not an e-mail address').max(254);
/** That the terms are accepted: the SHA-256 in hex of the text that was read, or a plain yes. */
export const acceptTerms = z.union([z.boolean(), z.string().max(64)], {
  error: "the terms' SHA-256, or true",
});
/** A room's name, with or without its `#`. */
export const roomName = parsedBy(parseRoomName);
/** `#room` or `@user`. */
export const conversation = parsedBy(parseConversationName);
/** A message's text: 1 to 16,384 bytes of well-formed UTF-8. */
export const text = z
  .string()
  .min(1, 'a message has at least one character')
  // One unit of a string is three bytes at most: most messages need no counting.
  .refine((value) => value.length * 3 <= maxTextBytes || utf8Length(value) <= maxTextBytes, {
    error: `a message has at most ${maxTextBytes} bytes`,
    params: { tooLarge: true },
  })
  .refine((value) => value.isWellFormed(), 'a message is well-formed Unicode');
/** A sealed message, base64 text that the server does not read. */
export const envelope = z
  .string()
  .min(1)
  .refine((value) => value.length <= maxEnvelopeBytes, {
    error: `an envelope has at most ${maxEnvelopeBytes} bytes`,
    params: { tooLarge: true },
  })
  .regex(/^[A-Za-z0-9+/_=-]+$/, 'an envelope is base64');
/** A label that a client chooses: device name, idempotency key. */
export const label = z
  .string()
  .min(1)
  .max(maxLabelLength)
  .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), 'no control characters');
/** A position in a conversation; 0 is before its first message. */
export const seq = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** How many rows an answer may have. */
export const pageLimit = z.number().int().min(1).max(maxPageRows);
/** How many messages a history page may have: at most 1.6 MB of text. */
export const historyLimit = z.number().int().min(1).max(feedPageRows);
/** The `after` of the next page, or null when this was the last. */
export const nextName = z.string().nullable();
/** A moment on the wire: RFC 3339, UTC, milliseconds. */
export const instant = z.iso.datetime();
/** A message's id. */
export const messageId = z.uuid().transform((id) => id as MessageId);
/** A session's public id. */
export const sessionId = z.uuid().transform((id) => id as SessionId);

/** A SCRAM message (RFC 5802); its grammar is checked by the login suite. */
export const scramMessage = z.string().min(1).max(maxScramCharacters);
/** The second factor's code: six digits, or a recovery code; an empty one is none. What it is worth is for the login to say. */
export const otp = z.string().max(64);
/** … where it may be left out, or be null. */
export const optionalOtp = otp.nullish().transform((code) => code ?? undefined);
/**
 * The device a client names at login: one it was given before, or a new one. `label` names it anew; `default_label` is for a new one
 * that nobody has named.
 */
export const deviceClaim = z.strictObject({
  id: z.uuid().optional(),
  label: label.optional(),
  default_label: label.optional(),
});
/** Exactly `length` bytes in canonical base64. */
const base64Bytes = (length: number) =>
  z.string().transform((input, context): Uint8Array => {
    const bytes = fromBase64(input);
    if (bytes?.length === length) return bytes;
    context.addIssue({ code: 'custom', message: `${length} bytes in base64 are expected` });
    return z.NEVER;
  });
/** What a client sends in place of a password (security 1.3); whether its cost is right is for the operation to say. */
export const verifier = z
  .strictObject({
    suite: z.literal(chatSuite, { error: `the one suite is ${chatSuite}` }),
    salt: base64Bytes(saltBytes),
    cost: z.number().int(),
    stored_key: base64Bytes(32),
    server_key: base64Bytes(32),
  })
  .transform(({ suite, salt, cost, stored_key: storedKey, server_key: serverKey }): Verifier => {
    return { suite, salt, cost, storedKey, serverKey };
  });
/**
 * What shows once more that the caller knows the account's secret (ASVS 7.5.1): a proof over a challenge of `login.begin` on
 * the same connection, the password where the server may see it, what a client has made of it, or the certificate that the
 * connection has shown; with the second factor's code where the account has one.
 */
export const freshProof = z.union(
  [
    z.strictObject({ exchange: z.string().max(64), message: scramMessage, otp: optionalOtp }),
    z.strictObject({ password, otp: optionalOtp }),
    z.strictObject({ hashed_password: hashedPassword, otp: optionalOtp }),
    z.strictObject({ certificate: z.literal(true), otp: optionalOtp }),
  ],
  { error: 'give one of exchange and message, password, hashed_password or certificate: true' },
);
/** A request for a certificate in PEM (PKCS#10); whether it is one is for the authority to say. */
export const signingRequest = z.string().min(1).max(maxSigningRequestCharacters);
/** A certificate's public id. */
export const certificateId = z.uuid().transform((id) => id as CertificateId);
/** What its owner is told when a certificate has been signed. */
export const issuedCertificate = z.object({
  id: z.string(),
  /** PEM. */
  certificate: z.string(),
  /** Of this server, which has signed it; PEM. */
  authority: z.string(),
  expires_at: instant,
});
/** A certificate as lists show it. */
export const listedCertificate = z.object({
  id: z.string(),
  /** `issued` by this server, or `foreign`. */
  kind: z.enum(['issued', 'foreign']),
  label: z.string(),
  /** SHA-256 of the public key, as `SHA256:` and base64 without padding. */
  fingerprint: z.string(),
  created_at: instant,
  last_used_at: instant.nullable(),
  /** Null for a foreign one, which says itself how long it is good. */
  expires_at: instant.nullable(),
  revoked_at: instant.nullable(),
});
/** A signed key record as it travels; what is in it is checked where it is read (security 5). */
export const keyRecord = z.string().regex(/^[A-Za-z0-9_-]{1,1024}$/, 'a key record is base64url');
/** Keys, or a key, that the server cannot open. */
export const sealedKeys = z.string().regex(/^[A-Za-z0-9_.-]{1,32768}$/, 'sealed keys are base64url');
/** An account's sealed keys, which the server does not read. */
export const keyBackup = z.strictObject({
  contents: sealedKeys,
  recovery_wrap: sealedKeys,
  password_wrap: sealedKeys.optional(),
});
/** What is to change of them: what is left out stays, and a wrap that is null goes. */
export const keyBackupChange = z.strictObject({
  contents: sealedKeys.optional(),
  recovery_wrap: sealedKeys.optional(),
  password_wrap: sealedKeys.nullish(),
});
/** The version of a backup that is changed, 0 for none. */
export const backupVersion = z.number().int().min(0);
/** The position after which a page begins, by name. */
export const afterName = z.string().max(64).default('');

/** What a login answers on every door: the tokens are shown this once. */
export const openedSession = z.object({
  user_id: z.string(),
  username: z.string(),
  session_id: z.string(),
  session_token: z.string(),
  refresh_token: z.string(),
  expires_at: instant,
  device_id: z.string(),
});

/** A message as its reader gets it, in history and in `message` events alike. */
export const message = z.object({
  to: z.string(),
  seq: z.number(),
  id: z.string(),
  sender: z.string(),
  sent_at: instant,
  text: z.string().optional(),
  envelope: z.string().optional(),
  /** There for a message whose text is gone; `text` then says so. */
  erased: z.literal(true).optional(),
});
