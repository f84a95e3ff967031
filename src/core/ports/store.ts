import type { AuditEntry } from '../audit.ts';
import type { AuditChain, AuditEnds, AuditLink, AuditRow } from '../audit-chain.ts';
import type { KeyBackup, KeyBackupChange } from '../e2ee/key-backup.ts';
import type { Account, Verifier } from '../model/account.ts';
import type { Certificate, CertificateId, NewCertificate } from '../model/certificate.ts';
import type { Code } from '../model/code.ts';
import type { ConversationRef, RoomName } from '../model/conversation-name.ts';
import type { ConversationId, DeviceId, MessageId, SessionId, UserId } from '../model/ids.ts';
import type { Admission, Invite, InviteId, NewInvite } from '../model/invite.ts';
import type { Audience, ConversationView, MessageBody, SentBody, StoredMessage } from '../model/message.ts';
import type { HashedRecoveryCode, SecondFactor } from '../model/second-factor.ts';
import type { DoorName, Session } from '../model/session.ts';
import type { Username } from '../model/username.ts';
import type { SearchTerm } from '../search-terms.ts';

/**
 * The truth. Every method is one transaction: it answers after its commit is on disk, and what it refuses
 * leaves nothing behind. Time comes with the call (UTC milliseconds), never from the store's own clock.
 * What is expected to happen (taken, missing, stale) is a return value; a throw is a `ChatError`
 * `unavailable` when the store cannot serve now, anything else is a bug.
 */
export interface Store {
  /** The server's own settings, made by `fresh` at the very first start and stable from then on. */
  settings(fresh: ServerSettings): Promise<ServerSettings>;

  /** Makes an account; one whose admission does not hold is `not-admitted`, whatever it is called. An invite is used once for each account made, and not for those refused. */
  createAccount(account: NewAccount): Promise<CreatedAccount>;
  account(username: Username): Promise<Account | undefined>;
  /** True for a name that nobody can have any more: an account's, or that of one that was erased. */
  isNameTaken(username: Username): Promise<boolean>;
  /** Whose e-mail address this is, whatever its case. */
  usernameByEmail(email: string): Promise<Username | undefined>;
  credential(username: Username): Promise<{ account: Account; verifier: Verifier } | undefined>;
  /** Puts a verifier in the place of the one with StoredKey `replaces`; false, and nothing done, when that is not the account's any more. */
  replaceVerifier(change: { userId: UserId; replaces: Uint8Array; verifier: Verifier }): Promise<boolean>;
  /**
   * Changes the password: all of {@link CredentialChange} in one step. Answers the sessions that have ended; undefined, and nothing
   * done, when the verifier with StoredKey `replaces` is not the account's any more.
   */
  changeCredential(change: CredentialChange): Promise<SessionId[] | undefined>;
  usernames(page: { after: string; limit: number }): Promise<Username[]>;
  /** Accounts in order of name. */
  accounts(page: { after: string; limit: number }): Promise<Account[]>;

  /** How much there is. Looks at each account, session and conversation, never at messages. */
  counts(): Promise<StoreCounts>;
  /** Keeps the digest of the code that makes the first administrator, in the place of an older one; false, and none is kept, when there is an administrator. */
  offerClaim(offer: { codeHash: Uint8Array }): Promise<boolean>;
  /** Makes an account the first administrator for the code that was offered last, which is used up then; `taken` when there is one already. */
  claimAdministration(claim: {
    codeHash: Uint8Array;
    userId: UserId;
  }): Promise<'claimed' | 'wrong' | 'taken'>;
  /** Makes an account an administrator, or one no more; `last-administrator`, and nothing done, when nobody would be left who can log in. */
  setAdministrator(change: {
    username: Username;
    isAdmin: boolean;
  }): Promise<'done' | 'missing' | 'last-administrator'>;
  /** Lets nobody log in to an account any more and ends all its sessions; refused for the last administrator who can log in. */
  disableAccount(change: { username: Username; now: number }): Promise<DisabledAccount>;
  /** Lets its owner log in again; false when there is no such account. */
  enableAccount(change: { username: Username }): Promise<boolean>;

  /** Keeps an invite, and forgets those that are used up or over; one by somebody who has been erased since is not kept. */
  createInvite(invite: NewInvite): Promise<void>;
  /** Invites that are alive at `now`, in the order in which they were made. */
  invites(page: { after: string; limit: number; now: number }): Promise<Invite[]>;
  /** Takes an invite back; false when there is none of this id. */
  revokeInvite(revoke: { id: InviteId }): Promise<boolean>;
  /** True when a code would let a registration in. */
  isAdmitted(admission: Admission): Promise<boolean>;

  /** Keeps a code in the place of the account's older one of its kind; false when there is no such account. */
  putCode(code: Code): Promise<boolean>;
  /** Whose password a code may set that is alive at `now`; it is not taken. */
  accountOfResetCode(query: { hash: Uint8Array; now: number }): Promise<Account | undefined>;
  /**
   * Takes a code that may set a password and is alive at `now`, with every other such code of its account: the new verifier stands in
   * the old one's place, all certificates are revoked, with `certificate` its key is the account's, and all sessions have ended.
   * Undefined, and nothing done, for every other code, and for a key that is anybody's already; of many at once one succeeds.
   */
  resetPassword(reset: {
    hash: Uint8Array;
    now: number;
    verifier: Verifier;
    privacy: Account['privacy'];
    certificate?: NewCertificate | undefined;
  }): Promise<{ account: Account; ended: SessionId[] } | undefined>;
  /** Gives an account an unconfirmed address in the place of the old one, whose codes are dead; `taken` when it is another account's. */
  setEmail(change: { userId: UserId; email: string }): Promise<'set' | 'taken' | 'no-account'>;
  /** Takes a code that confirms the address of `userId` and is alive at `now`; answers that address, or undefined with nothing done. */
  verifyEmail(take: { hash: Uint8Array; userId: UserId; now: number }): Promise<string | undefined>;
  /** Deletes codes that are dead at `now`, at most 1,000 a call; answers how many. */
  sweepCodes(sweep: { now: number }): Promise<number>;
  /** An account's second factor, or the one that is being set up. */
  secondFactor(userId: UserId): Promise<SecondFactor | undefined>;
  /** Keeps the sealed secret of a factor that is being set up, in the place of one that was before; false when one is on, or there is no such account. */
  beginSecondFactor(begin: { userId: UserId; secret: Uint8Array; now: number }): Promise<boolean>;
  /**
   * Turns on the factor that was begun with `secret`, `step` being used by that, with a first set of recovery codes, and ends the
   * account's sessions but `except`; answers the ids that ended. Undefined, and nothing done, when no such one is being set up.
   */
  confirmSecondFactor(on: {
    userId: UserId;
    secret: Uint8Array;
    step: number;
    now: number;
    codes: readonly HashedRecoveryCode[];
    except: SessionId;
  }): Promise<SessionId[] | undefined>;
  /** Uses a step of the factor that has `secret`: true for the first of however many at once, and for none after a later step. */
  useTotpStep(use: { userId: UserId; secret: Uint8Array; step: number }): Promise<boolean>;
  /** An account's recovery code of this number, unless it has been used. */
  recoveryCode(query: { userId: UserId; number: number }): Promise<HashedRecoveryCode | undefined>;
  /** Uses a recovery code: true for the first of however many at once. */
  useRecoveryCode(use: { userId: UserId; number: number; hash: Uint8Array }): Promise<boolean>;
  /** Puts a new set in the place of all recovery codes; false, and nothing done, when no factor is on. */
  replaceRecoveryCodes(change: { userId: UserId; codes: readonly HashedRecoveryCode[] }): Promise<boolean>;
  /** Turns the factor off, with its recovery codes, and ends the account's sessions but `except`; undefined when none is on. */
  removeSecondFactor(off: { userId: UserId; except: SessionId }): Promise<SessionId[] | undefined>;

  /** Whose a key is, revoked or not; undefined for a key that is nobody's. */
  certificateByKey(query: {
    keyHash: Uint8Array;
  }): Promise<{ certificate: Certificate; account: Account } | undefined>;
  /** An account's certificates, in the order in which they were added. */
  certificates(query: { userId: UserId }): Promise<Certificate[]>;
  /** Adds a certificate, or renews the account's own of this key; see {@link AddedCertificate}. */
  addCertificate(certificate: NewCertificateOf): Promise<AddedCertificate>;
  /**
   * Lets nobody log in with a certificate any more, for ever, and ends the sessions that were opened with it; answers those. Undefined, and
   * nothing done, when the account has none of this id that is good.
   */
  revokeCertificate(revocation: {
    id: CertificateId;
    userId: UserId;
    now: number;
  }): Promise<SessionId[] | undefined>;
  /** Deletes certificates of this server's that have expired at `now`, at most 1,000 a call; answers how many. */
  sweepCertificates(sweep: { now: number }): Promise<number>;

  /** Opens a session; one per device, `maxPerAccount` in all (0 for any number): what had to give way is in `ended`. */
  openSession(session: NewSession): Promise<OpenedSession>;
  sessionByToken(tokenHash: Uint8Array): Promise<Session | undefined>;
  /** The sessions of one account that are not expired at `now` by `idleMs` and their absolute end, newest use first. */
  sessions(query: { userId: UserId; now: number; idleMs: number }): Promise<Session[]>;
  /** Those of `ids` that still exist, as they are now; how a node finds out about what it missed the notice of. */
  existingSessions(ids: readonly SessionId[]): Promise<Session[]>;
  touchSession(touch: { id: SessionId; lastUsedAt: number }): Promise<void>;
  /** Puts the digest of a new CSRF token in the place of the session's old one; false when there is no such session. */
  setCsrfHash(change: { id: SessionId; csrfHash: Uint8Array }): Promise<boolean>;
  /** Rotates a refresh token once; see {@link RefreshOutcome}. */
  refreshSession(refresh: RefreshRequest): Promise<RefreshOutcome>;
  /** Names the device of a session of `userId`; answers the session as it is then, or undefined when that account has no such session. */
  renameDevice(rename: { sessionId: SessionId; userId: UserId; label: string }): Promise<Session | undefined>;
  /** Ends one session of `userId`; false when that account has no such session. */
  endSession(end: { id: SessionId; userId: UserId }): Promise<boolean>;
  /** Ends the session of a device, whoever's it is; answers its id, or undefined when the device has none. */
  endSessionOnDevice(end: { deviceId: DeviceId }): Promise<SessionId | undefined>;
  /** Ends all sessions of an account but `except`; answers the ids that ended. */
  endSessions(end: { userId: UserId; except?: SessionId }): Promise<SessionId[]>;
  /** Deletes sessions whose family of refresh tokens has ended at `now`, at most 1,000 a call; answers how many. */
  sweepSessions(sweep: { now: number }): Promise<number>;
  /** Forgets devices that have no session and were made at `madeUntil` or before, at most 1,000 a call; answers how many. */
  sweepDevices(sweep: { madeUntil: number }): Promise<number>;

  createRoom(room: { room: RoomName; by: UserId; now: number }): Promise<'created' | 'taken'>;
  joinRoom(join: { room: RoomName; userId: UserId; now: number }): Promise<'joined' | 'already' | 'missing'>;
  /** Nobody leaves the lobby: `stays`. */
  leaveRoom(leave: { room: RoomName; userId: UserId }): Promise<'left' | 'not-member' | 'missing' | 'stays'>;
  /** All rooms in order of name, each with whether `userId` is in it and how many members it has. */
  rooms(query: { userId: UserId; after: string; limit: number }): Promise<RoomSummary[]>;
  roomMembers(query: { room: RoomName; after: string; limit: number }): Promise<Username[] | undefined>;

  /** Stores one message (see {@link AppendOutcome}); the first answer again when (sender, key) is known. */
  appendMessage(message: NewMessage): Promise<AppendOutcome>;
  /** A conversation as `userId` sees it. A direct conversation that nobody has written in yet is made. */
  openConversation(query: {
    userId: UserId;
    ref: ConversationRef;
    now: number;
  }): Promise<ConversationView | ConversationRefusal>;
  /** Every conversation of `userId`: the rooms it is in (the lobby too) and its direct ones. */
  conversations(query: { userId: UserId }): Promise<ConversationView[]>;
  /**
   * Messages with `after < seq < before` in order of seq: the first `limit`, or with `newest` the last `limit`. It stops before
   * the one whose body would take them beyond `maxCharacters`, but never before the first that it reads.
   */
  messages(query: MessageQuery): Promise<StoredMessage[]>;
  /** The seq after which reading starts: before the first message sent at or after `since`, after message `id`, or before the last `last`. `undefined` when `id` is not in this conversation. */
  startingSeq(query: { conversation: ConversationId; from: StartingPoint }): Promise<number | undefined>;
  /** The conversations of `userId` that have messages, in no order. */
  searchable(query: { userId: UserId }): Promise<Searchable[]>;
  /**
   * One step of a search; answers what it found in the first conversation and in as many of those after it as it came to, in their
   * order. Nothing is found in one that `userId` is not in (any more).
   */
  searchMessages(query: SearchQuery): Promise<readonly SearchStep[]>;
  /** Where a message stands, when `userId` may read it. */
  messagePosition(query: { userId: UserId; id: MessageId }): Promise<MessagePosition | undefined>;
  /** Moves the read marker forward, never back; answers where it stands. */
  markRead(mark: { conversation: ConversationId; userId: UserId; seq: number }): Promise<number>;

  /** Puts entries at the end of the audit trail, in their order, each chained to the one before it; answers the last one's place. */
  appendAudit(append: { entries: readonly AuditEntry[]; chain: AuditChain }): Promise<AuditLink>;
  /** A page of the audit trail (see {@link AuditQuery}). */
  auditPage(query: AuditQuery): Promise<AuditPage>;
  /** Both ends of the audit trail, and whether their seal is whole; a trail that nothing was ever written to has none. */
  auditEnds(chain: AuditChain): Promise<AuditEnds & { readonly isSealed: boolean }>;
  /**
   * Shortens the audit trail by its rows from before `before`, as far as all rows before them are as old, at most 10,000 a call, and
   * keeps the place of the last one that went; answers how many. That it was cut is a row of the trail itself, at `now`.
   */
  cutAudit(cut: { before: number; now: number; chain: AuditChain }): Promise<number>;
  /**
   * Puts an account down to be erased at `dueAt` and ends its sessions. `repeated` when it was put down before: the first time
   * stands. `last-admin` when nobody else would administrate the server.
   */
  requestErasure(wish: { userId: UserId; dueAt: number }): Promise<ErasureRequest>;
  /** Takes that back; false when there was nothing to take back, or when it has begun. */
  cancelErasure(cancel: { userId: UserId }): Promise<boolean>;
  /**
   * Does the next bounded piece of an erasure that is due. What is left is a tombstone: the name, and the places of the messages.
   * A server that was killed goes on where it was. With the last piece the audit trail has a row of it. `skip` are so many that are due
   * for longest and are left alone. What was erased is still to be found in the files until `scrub`.
   */
  eraseNext(step: { now: number; skip: number; chain: AuditChain }): Promise<ErasureStep>;
  /**
   * Takes the text of messages that were sent before `before`, a bounded number of them, from the conversations after `after`.
   * Their places stay. `next` is where to go on; undefined when everything has been looked at. Then `scrub`.
   */
  expireMessages(expire: { before: number; after: ConversationId | undefined }): Promise<ExpiryStep>;
  /**
   * Takes what was erased out of the files, a bounded piece at a time: `from` is the last one's `next`, 0 at first. Without
   * anything erased since the last one it does nothing.
   */
  scrub(piece: { from: number }): Promise<{ next: number | undefined }>;

  /** Keeps that an account has accepted a text; the first time stands. Nothing is kept of one that was erased. */
  addConsent(consent: Consent & { userId: UserId }): Promise<void>;
  /** What an account has accepted, the oldest first. */
  consents(query: { userId: UserId }): Promise<Consent[]>;
  /** An account's devices by id, after `after` ('' at first). */
  devices(query: { userId: UserId; after: string; limit: number }): Promise<Device[]>;
  /**
   * What an account has sent in any conversation: in rooms by their names, then in its direct ones. One call looks at a bounded
   * number of messages, so that it may answer none and still a `next`.
   */
  sentMessages(query: { userId: UserId; after: SentPlace | undefined; limit: number }): Promise<SentPage>;
  /**
   * Adds a key record behind the account's newest, which has number `seq - 1`, and changes its backup of a version. Nothing is done when
   * another record has been added, or the backup is of another version.
   */
  publishKeyRecord(record: {
    userId: UserId;
    seq: number;
    record: string;
    now: number;
    backup?: (KeyBackupChange & { readonly version: number }) | undefined;
  }): Promise<'published' | 'other-record' | 'other-backup'>;
  /** An account's key record of a number, or its newest; `newestSeq` is 0, with no record, for one without keys. Undefined for a name that nobody has. */
  keyRecord(query: {
    username: Username;
    seq?: number | undefined;
  }): Promise<{ newestSeq: number; record: string | undefined } | undefined>;
  /** An account's key records after number `after`, in order. */
  keyRecords(query: { userId: UserId; after: number; limit: number }): Promise<PublishedKeyRecord[]>;
  /** Changes the sealed backup of `version` (0: none, it is made whole); answers the new version, or undefined when that is another by now. */
  putKeyBackup(put: {
    userId: UserId;
    version: number;
    backup: KeyBackupChange;
  }): Promise<number | undefined>;
  keyBackup(query: { userId: UserId }): Promise<{ version: number; backup: KeyBackup } | undefined>;

  /** Waits for what is under way and closes the files. */
  close(): Promise<void>;
}

/** Rows of the audit trail with `after < seq < before` that fit, in order of seq: the first `limit`, or with `newest` the last `limit`. */
export interface AuditQuery {
  readonly after?: number;
  readonly before?: number;
  /** UTC milliseconds: rows of this moment and later. */
  readonly since?: number;
  readonly user?: string;
  readonly operation?: string;
  readonly limit: number;
  readonly newest?: boolean;
}

/**
 * One look at the trail goes over 10,000 rows at most, so that nobody waits long for it. `next` says from where another one goes
 * on (as its `after`, or its `before` with `newest`); undefined when the end was reached.
 */
export interface AuditPage {
  readonly rows: readonly AuditRow[];
  readonly next: number | undefined;
}

/** What makes this server this server: both are random, made once, and never change. */
export interface ServerSettings {
  readonly realm: string;
  /** 32 bytes. */
  readonly serverSecret: Uint8Array;
}

/** A new account with its verifier. */
export interface NewAccount {
  readonly account: Account;
  readonly verifier: Verifier;
  /** With which its owner logs in; its key must be nobody's. */
  readonly certificate?: NewCertificate | undefined;
  /** What was accepted with it. */
  readonly consent?: Consent | undefined;
  /** Left out where everybody may register. */
  readonly admission?: Admission | undefined;
}

/** That a text was accepted: its SHA-256 in hex, when (UTC milliseconds) and at which door. */
export interface Consent {
  readonly digest: string;
  readonly at: number;
  readonly door: DoorName;
}

/** A device of an account. */
export interface Device {
  readonly id: DeviceId;
  readonly label: string;
  readonly createdAt: number;
}

/** What became of the wish to erase an account; `ended` are the sessions that it had. */
export type ErasureRequest =
  | { readonly kind: 'asked' | 'repeated'; readonly dueAt: number; readonly ended: readonly SessionId[] }
  | { readonly kind: 'last-admin' }
  | { readonly kind: 'no-account' };

/** What a piece of an erasure did: `ended` are sessions that the account had got since, `entry` is what the audit trail has got. */
export type ErasureStep =
  | { readonly kind: 'none' }
  | { readonly kind: 'begun'; readonly username: Username; readonly ended: readonly SessionId[] }
  | { readonly kind: 'going-on' }
  | { readonly kind: 'finished'; readonly entry: AuditEntry };

/** What a piece of expiry did. */
export interface ExpiryStep {
  readonly expired: number;
  readonly next: ConversationId | undefined;
}

/** How far a reader of what somebody sent is: in this conversation up to this message. */
export interface SentPlace {
  readonly ref: ConversationRef;
  readonly seq: number;
}

/** Some of what somebody sent, and where it goes on; without `next` that was all. */
export interface SentPage {
  readonly messages: readonly (SentPlace & {
    readonly id: MessageId;
    readonly sentAt: number;
    readonly body: MessageBody;
  })[];
  readonly next: SentPlace | undefined;
}

/** A new verifier and what goes with it: who has seen the password, no other session, and no code that would set another one. */
export interface CredentialChange {
  readonly userId: UserId;
  /** The StoredKey that the old password was proven against. */
  readonly replaces: Uint8Array;
  readonly verifier: Verifier;
  readonly privacy: Account['privacy'];
  /** The backup key of this version of the backup, wrapped by the new password; without it no password opens the backup any more. */
  readonly keys?: { readonly version: number; readonly passwordWrap: string } | undefined;
  /** The session that stays; all others of the account end. */
  readonly except: SessionId;
}

/** A new certificate, and whose it is. */
export interface NewCertificateOf extends NewCertificate {
  readonly userId: UserId;
}

/**
 * What became of a certificate that was to be added. `renewed`: the account has one of this server's over that key already, which has a new end
 * now. `taken`: the key is another account's, or another kind's, or revoked. `too-many`: the account has as many as one may have.
 */
export type AddedCertificate =
  | { readonly kind: 'added' | 'renewed'; readonly certificate: Certificate }
  | { readonly kind: 'taken' }
  | { readonly kind: 'too-many' }
  | { readonly kind: 'no-account' };

/** A key record, and when the server got it. */
export interface PublishedKeyRecord {
  readonly seq: number;
  readonly record: string;
  readonly publishedAt: number;
}

/** How much a store holds. */
export interface StoreCounts {
  readonly accounts: number;
  readonly disabled: number;
  readonly sessions: number;
  readonly rooms: number;
  /** Direct conversations. */
  readonly directs: number;
  /** Sent so far, also those that are gone since. */
  readonly messages: number;
}

/** What became of a new account. */
export type CreatedAccount =
  | { readonly kind: 'created' }
  | { readonly kind: 'taken'; readonly field: 'username' | 'email' | 'certificate' }
  | { readonly kind: 'not-admitted' };

/** What became of an account that was to be disabled. */
export type DisabledAccount =
  | { readonly kind: 'disabled'; readonly ended: readonly SessionId[] }
  | { readonly kind: 'missing' }
  | { readonly kind: 'last-administrator' };

/** A session to be opened with its first refresh token; only digests (SHA-256) of tokens reach the store. */
export interface NewSession {
  readonly session: Session;
  /** True when `session.deviceId` was made for this login; false when the client named it. */
  readonly isNewDevice: boolean;
  /** The StoredKey that the login was proven against: what has changed since lets nobody in. Left out where no verifier was used. */
  readonly provenKey?: Uint8Array | undefined;
  /** The certificate that the login was proven with: one that was revoked since lets nobody in. */
  readonly certificate?: CertificateId | undefined;
  readonly tokenHash: Uint8Array;
  readonly refreshHash: Uint8Array;
  readonly maxPerAccount: number;
}

/**
 * What `openSession` did. `foreign-device` when the device belongs to another account, `disabled` when nobody may log in to this one,
 * `stale` when the verifier of `provenKey` is not the account's any more or its erasure is not what `erasesAt` says, `revoked` when
 * `certificate` does not log in to it (any more), `factor-changed` when the account's second factor was turned on or off since the
 * session's `hasSecondFactor` was read: nothing was opened.
 */
export type OpenedSession =
  | {
      readonly kind: 'opened';
      readonly ended: readonly SessionId[];
      /** The device's name, which it may have had before. */
      readonly label: string;
    }
  | { readonly kind: 'foreign-device' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'revoked' }
  | { readonly kind: 'disabled' }
  | { readonly kind: 'factor-changed' }
  | { readonly kind: 'no-account' };

/** One rotation: the digests of the presented token and of its (deterministic) successors. */
export interface RefreshRequest {
  readonly refreshHash: Uint8Array;
  readonly nextTokenHash: Uint8Array;
  readonly nextRefreshHash: Uint8Array;
  readonly now: number;
  /** How long a used token still answers with its successor. */
  readonly graceMs: number;
  readonly absoluteMs: number;
}

/**
 * `rotated`: done now, or within the grace before and the successor is unused (same answer). `reused`: presented after
 * the grace, or in the grace when its successor was already rotated; the session and its family are gone. `unknown`: never seen, or expired.
 */
export type RefreshOutcome =
  | { readonly kind: 'rotated'; readonly session: Session }
  | { readonly kind: 'reused'; readonly session: Session }
  | { readonly kind: 'unknown' };

/** A room in a listing. */
export interface RoomSummary {
  readonly room: RoomName;
  readonly members: number;
  readonly isMember: boolean;
  readonly lastSeq: number;
}

/** A message to be stored. `key` is the sender's idempotency key, or undefined for none. */
export interface NewMessage {
  readonly id: MessageId;
  readonly senderId: UserId;
  readonly sender: Username;
  readonly to: ConversationRef;
  readonly key: string | undefined;
  readonly sentAt: number;
  readonly body: SentBody;
}

/** Why a conversation cannot be used: no such room, no such user, or not a member of that room. */
export type ConversationRefusal =
  | { readonly kind: 'no-room' }
  | { readonly kind: 'no-user' }
  | { readonly kind: 'not-member' };

/** `stored`: now. `repeated`: (sender, key) was stored before; id, seq, time and conversation are the first one's. */
export type AppendOutcome = AppendedMessage | ConversationRefusal;

/** Where a message came to stand. */
export interface AppendedMessage {
  readonly kind: 'stored' | 'repeated';
  readonly conversation: ConversationId;
  readonly audience: Audience;
  readonly id: MessageId;
  readonly seq: number;
  readonly sentAt: number;
}

/** A page of a conversation. */
export interface MessageQuery {
  readonly conversation: ConversationId;
  readonly after?: number;
  readonly before?: number;
  readonly limit: number;
  readonly newest?: boolean;
  /** In UTF-16 units of their bodies; without bound when left out. */
  readonly maxCharacters?: number;
}

/** A conversation that can be searched. */
export interface Searchable {
  readonly id: ConversationId;
  readonly ref: ConversationRef;
  readonly lastSeq: number;
  /** The greatest `sentAt` of its messages. */
  readonly latestAt: number;
}

/**
 * A step of a search: of each conversation the newest `limit` matches with `seq < before`. It looks through them one after the other, as
 * far as one step looks, and goes on with the next while the one before it has no more and fewer than `limit` were found.
 */
export interface SearchQuery {
  readonly userId: UserId;
  readonly conversations: readonly SearchPlace[];
  readonly terms: readonly SearchTerm[];
  readonly limit: number;
}

/** A conversation, and from where on backwards it is searched. */
export interface SearchPlace {
  readonly id: ConversationId;
  readonly before: number;
}

/** What a step found in one conversation, newest first. */
export interface SearchStep {
  readonly found: readonly FoundMessage[];
  /** Everything before it is left to the next step: its seq, and the greatest `sentAt` up to there. Undefined at the end. */
  readonly next: { readonly before: number; readonly latestAt: number } | undefined;
  /** False when messages were left out that are not in the index yet. */
  readonly isWhole: boolean;
}

/** A match. Within a conversation `latestAt` never falls as `seq` rises, so that matches of many can be put in order. */
export interface FoundMessage extends StoredMessage {
  readonly latestAt: number;
}

/** Where a message stands among all. */
export interface MessagePosition {
  readonly conversation: ConversationId;
  readonly seq: number;
  readonly latestAt: number;
}

/** Where a reader begins. */
export type StartingPoint =
  | { readonly id: MessageId }
  | { readonly since: number }
  | { readonly last: number };
