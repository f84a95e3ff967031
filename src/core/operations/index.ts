import type * as z from 'zod';
import { loginOperations } from '../login/index.ts';
import { acceptTermsOperation } from './account/accept-terms.ts';
import { beginChangePassword } from './account/begin-change-password.ts';
import { beginRegister } from './account/begin-register.ts';
import { cancelErase } from './account/cancel-erase.ts';
import { changePassword } from './account/change-password.ts';
import { erase } from './account/erase.ts';
import { exportData } from './account/export.ts';
import { me } from './account/me.ts';
import { raiseVerifier } from './account/raise-verifier.ts';
import { recoveryCodes } from './account/recovery-codes.ts';
import { register } from './account/register.ts';
import { requestEmailVerification } from './account/request-email-verification.ts';
import { requestReset } from './account/request-reset.ts';
import { resetPassword } from './account/reset-password.ts';
import { setEmail } from './account/set-email.ts';
import { totpBegin } from './account/totp-begin.ts';
import { totpConfirm } from './account/totp-confirm.ts';
import { totpOff } from './account/totp-off.ts';
import { verifyEmail } from './account/verify-email.ts';
import { audit } from './admin/audit.ts';
import { backup } from './admin/backup.ts';
import { certificates as accountCertificates } from './admin/certificates.ts';
import { check } from './admin/check.ts';
import { claim } from './admin/claim.ts';
import { createInvite } from './admin/create-invite.ts';
import { disable } from './admin/disable.ts';
import { enable } from './admin/enable.ts';
import { invites } from './admin/invites.ts';
import { reset } from './admin/reset.ts';
import { revokeCertificate as revokeAccountCertificate } from './admin/revoke-certificate.ts';
import { revokeInvite } from './admin/revoke-invite.ts';
import { setAdministrator } from './admin/set-administrator.ts';
import { stats } from './admin/stats.ts';
import { takeSecondFactor } from './admin/take-second-factor.ts';
import { users as listAccounts } from './admin/users.ts';
import { add as addCertificate } from './certificate/add.ts';
import { issue as issueCertificate } from './certificate/issue.ts';
import { list as listCertificates } from './certificate/list.ts';
import { revoke as revokeCertificate } from './certificate/revoke.ts';
import { catchUp } from './conversation/catch-up.ts';
import { follow } from './conversation/follow.ts';
import { list as listConversations } from './conversation/list.ts';
import { markRead } from './conversation/mark-read.ts';
import { unfollow } from './conversation/unfollow.ts';
import { backup as backupKeys } from './keys/backup.ts';
import { get as getKeys } from './keys/get.ts';
import { publish } from './keys/publish.ts';
import { restore } from './keys/restore.ts';
import { reject } from './login/reject.ts';
import { history } from './message/history.ts';
import { search } from './message/search.ts';
import { send } from './message/send.ts';
import { ping } from './ping.ts';
import { create } from './room/create.ts';
import { join } from './room/join.ts';
import { leave } from './room/leave.ts';
import { list as listRooms } from './room/list.ts';
import { members } from './room/members.ts';
import { checkCsrfToken } from './session/check-csrf-token.ts';
import { end } from './session/end.ts';
import { issueCsrfToken } from './session/issue-csrf-token.ts';
import { list as listSessions } from './session/list.ts';
import { refresh } from './session/refresh.ts';
import { rename } from './session/rename.ts';
import { revoke } from './session/revoke.ts';
import { list as listUsers } from './user/list.ts';

/** Everything that can be asked of chat: THE registry. */
export const operations = [
  beginRegister,
  register,
  raiseVerifier,
  beginChangePassword,
  changePassword,
  me,
  setEmail,
  requestEmailVerification,
  verifyEmail,
  requestReset,
  resetPassword,
  reset,
  totpBegin,
  totpConfirm,
  totpOff,
  recoveryCodes,
  acceptTermsOperation,
  exportData,
  erase,
  cancelErase,
  ...loginOperations,
  reject,
  refresh,
  listSessions,
  rename,
  revoke,
  end,
  issueCertificate,
  addCertificate,
  listCertificates,
  revokeCertificate,
  issueCsrfToken,
  checkCsrfToken,
  send,
  history,
  search,
  follow,
  catchUp,
  unfollow,
  markRead,
  listConversations,
  create,
  join,
  leave,
  listRooms,
  members,
  listUsers,
  claim,
  listAccounts,
  audit,
  setAdministrator,
  disable,
  enable,
  createInvite,
  invites,
  revokeInvite,
  accountCertificates,
  revokeAccountCertificate,
  stats,
  takeSecondFactor,
  backup,
  check,
  publish,
  getKeys,
  backupKeys,
  restore,
  ping,
] as const;

type Listed = (typeof operations)[number];
type Named<N extends OperationName> = Extract<Listed, { readonly name: N }>;

/** The name of an operation, equal on every wire. */
export type OperationName = Listed['name'];
/** What an operation takes, as a caller writes it. */
export type InputOf<N extends OperationName> = z.input<Named<N>['input']>;
/** What an operation answers, as a caller reads it. */
export type OutputOf<N extends OperationName> = z.output<Named<N>['output']>;
