import type { Privacy } from '../../core/model/account.ts';
import type { CertificateKind } from '../../core/model/certificate.ts';
import type { CodeKind } from '../../core/model/code.ts';

/** A number that stands for true or false in both databases. */
type Flag = 0 | 1;

interface UserRow {
  id: string;
  username: string;
  email: string | null;
  /** The address in lower case where it leads to this account: who has confirmed it, or who gave it first; null for all others that have it. */
  email_key: string | null;
  /** Null while nobody has confirmed it. */
  email_verified_at: number | null;
  privacy: Privacy;
  is_admin: Flag;
  /** Null for an account that may be used. */
  disabled_at: number | null;
  /** When an administrator took the second factor away; null when nobody has, or when there is one again. */
  factor_taken_at: number | null;
  created_at: number;
  /** When the account is to be erased; null when nobody wants that. */
  erases_at: number | null;
  /** When the account became a tombstone, of which the name alone is left; null for an account. */
  erased_at: number | null;
}

interface CredentialRow {
  user_id: string;
  suite: string;
  salt: Uint8Array;
  cost: number;
  stored_key: Uint8Array;
  server_key: Uint8Array;
}

interface InviteRow {
  id: string;
  code_hash: Uint8Array;
  /** An account's id. */
  created_by: string;
  created_at: number;
  expires_at: number;
  /** How many accounts it was made for. */
  uses: number;
  uses_left: number;
}

interface TotpRow {
  user_id: string;
  /** Sealed for this account. */
  secret: Uint8Array;
  begun_at: number;
  /** Null while the factor is being set up. */
  confirmed_at: number | null;
  last_step: number;
}

interface RecoveryCodeRow {
  user_id: string;
  number: number;
  salt: Uint8Array;
  hash: Uint8Array;
}

/** A certificate as it stands in its table. */
export interface CertificateRow {
  id: string;
  user_id: string;
  /** SHA-256 of the public key. */
  key_hash: Uint8Array;
  kind: CertificateKind;
  label: string;
  created_at: number;
  /** Null for one that this server has not signed. */
  expires_at: number | null;
  last_used_at: number | null;
  revoked_at: number | null;
}

interface DeviceRow {
  id: string;
  user_id: string;
  label: string;
  created_at: number;
}

interface SessionRow {
  id: string;
  user_id: string;
  device_id: string;
  token_hash: Uint8Array;
  door: string;
  address: string;
  created_at: number;
  last_used_at: number;
  absolute_expires_at: number;
  family_expires_at: number;
  /** SHA-256 of the session's CSRF token; null before one was made. */
  csrf_hash: Uint8Array | null;
  /** With which it was opened; null for every other way to log in. */
  certificate_id: string | null;
}

interface RefreshTokenRow {
  hash: Uint8Array;
  session_id: string;
  used_at: number | null;
  next_hash: Uint8Array | null;
}

interface ConversationRow {
  id: number;
  /** A room's name, or null for a direct conversation. */
  room: string | null;
  /** A direct conversation's two accounts, the lower id first; null for a room. */
  low_user_id: string | null;
  high_user_id: string | null;
  last_seq: number;
  /** The greatest `sent_at` of its messages; 0 before the first. */
  latest_at: number;
  created_at: number;
  /** Messages up to this one have reached their age: they have no text any more. */
  expired_seq: number;
}

interface MemberRow {
  conversation_id: number;
  user_id: string;
  read_seq: number;
  joined_at: number;
}

interface MessageRow {
  conversation_id: number;
  seq: number;
  id: string;
  sender_id: string;
  sent_at: number;
  /** The greatest `sent_at` up to this message. Clocks step back; this never does, so that a time is found by bisection. */
  latest_at: number;
  /** Neither is there when the text is gone. */
  body: string | null;
  envelope: string | null;
  idempotency_key: string | null;
}

interface CodeRow {
  /** SHA-256 of a one-time code. */
  hash: Uint8Array;
  kind: CodeKind;
  user_id: string;
  /** The address it was sent to. */
  email: string | null;
  expires_at: number;
}

interface ErasureRow {
  user_id: string;
  /** How far the messages are; null before the first. */
  place: string | null;
}

interface ConsentRow {
  user_id: string;
  /** SHA-256 of the text that was accepted, in hex. */
  digest: string;
  accepted_at: number;
  door: string;
}

interface SearchPartRow {
  /** What the index knows it by. */
  id: number;
  conversation_id: number;
  /** Its first message; the part ends where the next one may begin, `partMessages` further. */
  first_seq: number;
  /** The first message that is not in the index yet. */
  next_seq: number;
  /** True when messages were taken out of it, until the others are in the index again. */
  is_anew: Flag;
}

interface SettingRow {
  name: string;
  value: string | Uint8Array;
}

interface AuditRow {
  seq: number;
  at: number;
  operation: string;
  user: string | null;
  door: string | null;
  factor: string | null;
  address: string | null;
  outcome: string;
  /** JSON as it was written, which the hash is over. */
  details: string | null;
  hash: Uint8Array;
}

/** One row: the two ends of the trail. Hashes and seal are null before the first row was written. */
interface AuditEndsRow {
  one: number;
  start_seq: number;
  start_hash: Uint8Array | null;
  head_seq: number;
  head_hash: Uint8Array | null;
  seal: Uint8Array | null;
}

interface AccountKeyRow {
  user_id: string;
  seq: number;
  /** A signed key record as it travels. */
  record: string;
  published_at: number;
}

interface KeyBackupRow {
  user_id: string;
  /** Grows with each change, so that two clients cannot overwrite each other's. */
  version: number;
  contents: string;
  recovery_wrap: string;
  /** Null for an account whose password the server has seen. */
  password_wrap: string | null;
}

/** The tables (storage, "Schema"); times are UTC milliseconds, digests and keys are bytes. */
export interface Schema {
  users: UserRow;
  credentials: CredentialRow;
  invites: InviteRow;
  totp: TotpRow;
  recovery_codes: RecoveryCodeRow;
  certificates: CertificateRow;
  devices: DeviceRow;
  sessions: SessionRow;
  refresh_tokens: RefreshTokenRow;
  conversations: ConversationRow;
  members: MemberRow;
  messages: MessageRow;
  codes: CodeRow;
  erasures: ErasureRow;
  consents: ConsentRow;
  search_parts: SearchPartRow;
  account_keys: AccountKeyRow;
  key_backups: KeyBackupRow;
  settings: SettingRow;
  audit: AuditRow;
  audit_ends: AuditEndsRow;
}
