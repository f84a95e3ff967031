import type { Store } from '../../../core/ports/store.ts';
import type { NearestCredential } from '../nearest-credential.ts';
import type { Query } from '../statement.ts';
import type { StoreCall } from '../store-calls.ts';
import {
  account,
  createAccount,
  credential,
  isNameTaken,
  replaceVerifier,
  settings,
  usernameByEmail,
  usernames,
} from './accounts.ts';
import {
  accounts,
  claimAdministration,
  disableAccount,
  enableAccount,
  offerClaim,
  setAdministrator,
} from './administration.ts';
import { appendAudit, auditEnds, auditPage, cutAudit } from './audit.ts';
import {
  addCertificate,
  certificateByKey,
  certificates,
  revokeCertificate,
  sweepCertificates,
} from './certificates.ts';
import { changeCredential } from './change-credential.ts';
import { accountOfResetCode, putCode, resetPassword, setEmail, sweepCodes, verifyEmail } from './codes.ts';
import { addConsent, consents } from './consents.ts';
import {
  conversation,
  conversations,
  heads,
  markRead,
  openConversation,
  startingSeq,
} from './conversations.ts';
import { counts } from './counts.ts';
import { endSession, endSessionOnDevice, endSessions, sweepDevices, sweepSessions } from './end-sessions.ts';
import { cancelErasure, eraseNext, isLastAdministrator, requestErasure } from './erasure.ts';
import { expireMessages } from './expiry.ts';
import { createInvite, invites, isAdmitted, revokeInvite } from './invites.ts';
import { keyBackup, keyRecord, keyRecords, publishKeyRecord, putKeyBackup } from './keys.ts';
import type { Memory } from './memory.ts';
import { appendMessage, messages } from './messages.ts';
import { openSession } from './open-session.ts';
import { devices, sentMessages } from './own-data.ts';
import { refreshSession } from './refresh-session.ts';
import { createRoom, joinRoom, leaveRoom, roomMembers, rooms } from './rooms.ts';
import { messagePosition, searchable, searchMessages } from './search.ts';
import {
  beginSecondFactor,
  confirmSecondFactor,
  recoveryCode,
  removeSecondFactor,
  replaceRecoveryCodes,
  secondFactor,
  useRecoveryCode,
  useTotpStep,
} from './second-factor.ts';
import {
  existingSessions,
  renameDevice,
  sessionByToken,
  sessions,
  setCsrfHash,
  touchSession,
} from './sessions.ts';
import { share, shared } from './shared.ts';

/** The calls that are queries; what takes erased text out of the files is none. */
export type QueryCall = Exclude<StoreCall, 'scrub'>;

/** What a query answers: the port's answer, but for a credential, whose caller forgets it when it is not the name's own. */
type Answer<Name extends QueryCall> = Name extends 'credential'
  ? NearestCredential | undefined
  : Awaited<ReturnType<Store[Name]>>;

type Queries = {
  readonly [Name in QueryCall]: (input: Parameters<Store[Name]>[0], memory: Memory) => Query<Answer<Name>>;
};

/** The port's calls as queries, written once for every database. */
export const queries: Queries = {
  settings,
  shared,
  share,
  createAccount,
  account,
  isNameTaken,
  usernameByEmail,
  credential,
  replaceVerifier,
  changeCredential,
  usernames,
  putCode,
  accountOfResetCode,
  resetPassword,
  setEmail,
  verifyEmail,
  sweepCodes,
  accounts,
  counts,
  offerClaim,
  claimAdministration,
  setAdministrator,
  disableAccount,
  enableAccount,
  createInvite,
  invites,
  revokeInvite,
  isAdmitted,
  secondFactor,
  beginSecondFactor,
  confirmSecondFactor,
  useTotpStep,
  recoveryCode,
  useRecoveryCode,
  replaceRecoveryCodes,
  removeSecondFactor,
  certificateByKey,
  certificates,
  addCertificate,
  revokeCertificate,
  sweepCertificates,
  openSession,
  sessionByToken,
  sessions,
  existingSessions,
  touchSession,
  setCsrfHash,
  refreshSession,
  renameDevice,
  endSession,
  endSessionOnDevice,
  endSessions,
  sweepSessions,
  sweepDevices,
  createRoom,
  joinRoom,
  leaveRoom,
  rooms,
  roomMembers,
  appendMessage,
  conversation,
  openConversation,
  conversations,
  heads,
  messages,
  startingSeq,
  searchable,
  searchMessages,
  messagePosition,
  markRead,
  appendAudit,
  auditPage,
  auditEnds,
  cutAudit,
  isLastAdministrator,
  requestErasure,
  cancelErasure,
  eraseNext,
  expireMessages,
  addConsent,
  consents,
  devices,
  sentMessages,
  publishKeyRecord,
  keyRecord,
  keyRecords,
  putKeyBackup,
  keyBackup,
};
