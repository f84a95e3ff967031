import * as z from 'zod';
import { ChatError, loggedInAlready } from '../../errors.ts';
import { issuedAnswer, keyTaken, type SignedCertificate } from '../../login/issue-certificate.ts';
import { newCredential } from '../../login/new-credential.ts';
import { openSession } from '../../login/open-session.ts';
import type { Account } from '../../model/account.ts';
import type { CertificateId } from '../../model/certificate.ts';
import type { UserId } from '../../model/ids.ts';
import type { Admission } from '../../model/invite.ts';
import { type Username, usernamesFromEmail } from '../../model/username.ts';
import { checkNewPassword } from '../../new-password.ts';
import { type CallContext, operation } from '../../operation.ts';
import type { CreatedAccount } from '../../ports/store/accounts.ts';
import { uuidV7 } from '../../random.ts';
import { consentOf } from '../../terms.ts';
import {
  acceptTerms,
  deviceClaim,
  email,
  hashedPassword,
  instant,
  inviteCode,
  issuedCertificate,
  label,
  openedSession,
  password,
  signingRequest,
  username,
  verifier,
} from '../shapes.ts';
import { admitRegistration, notAdmitted } from './admission.ts';
import { checkOneSecret, refuseIn } from './one-secret.ts';

const input = z
  .strictObject({
    username: username.optional(),
    email: email.optional(),
    verifier: verifier.optional(),
    hashed_password: hashedPassword.optional(),
    password: password.optional(),
    certificate_request: signingRequest.optional(),
    certificate: z.literal(true).optional(),
    certificate_label: label.optional(),
    invite: inviteCode.optional(),
    open_session: z.boolean().default(false),
    device: deviceClaim.optional(),
    accept_terms: acceptTerms.optional(),
  })
  .superRefine((given, context) => {
    const refuse = refuseIn(context);
    const ways = ['password', 'hashed_password', 'verifier', 'certificate_request', 'certificate'] as const;
    checkOneSecret(given, ways, refuse);
    if (given.certificate_label !== undefined && !given.certificate_request && !given.certificate) {
      refuse('certificate_label', 'only a certificate has one');
    }
    // What a client makes of its password has the name in it.
    if (given.username === undefined && (given.email === undefined || given.password === undefined)) {
      refuse('username', 'give one; only an e-mail address with a password goes without');
    }
    if (given.device && !given.open_session) refuse('device', 'only a session has one: give open_session');
  });

type Registration = z.output<typeof input>;

/**
 * Creates an account; with `open_session` it logs in too, the secret having just been shown. From a verifier or a hashed password,
 * which are made on the client, it is private: the server never sees the password (security 1.3). From a password it is open: that
 * works at every door (security 1.10). An e-mail address alone makes the name of its local part. With a request for a certificate, or
 * with the certificate that this connection has shown, there is no password (security 2). Answers `conflict` when the name is taken,
 * or with an address alone when that leads to another account; anybody else may have the same address, until one of them confirms it.
 * Answers a warning with a common password where those are not refused. Registered again with the same key, a name that has been
 * registered with it gets its certificate again.
 */
export const register = operation({
  name: 'account.register',
  access: 'anyone',
  cost: 'registration',
  audited: true,
  overlaps: false,
  input,
  output: z.object({
    user_id: z.string(),
    username: z.string(),
    created_at: instant,
    session: openedSession.optional(),
    certificate: issuedCertificate.optional(),
    warning: z.string().optional(),
  }),
  async handle(given, context) {
    const { now, concerns, peer } = context;
    if (given.open_session && peer.session) throw loggedInAlready();
    const admission = await admitRegistration(context, given.invite);
    for (const name of given.username === undefined
      ? usernamesFromEmail(given.email ?? '')
      : [given.username]) {
      const made = await create(context, name, given, admission);
      if (made.kind === 'created') {
        concerns(name);
        const answer = {
          user_id: made.account.id,
          username: name,
          created_at: new Date(now).toISOString(),
          ...(made.warning !== undefined && { warning: made.warning }),
          ...(made.signed && { certificate: issuedAnswer(made.signed) }),
        };
        if (!given.open_session) return answer;
        const { certificate } = made;
        const session = await openSession(context, made.account, { device: given.device, certificate });
        return { ...answer, session };
      }
      if (made.kind === 'repeated') {
        concerns(name);
        const { id, createdAt } = made.account;
        const created_at = new Date(createdAt).toISOString();
        return { user_id: id, username: name, created_at, certificate: issuedAnswer(made.signed) };
      }
      if (made.kind === 'not-admitted') throw notAdmitted(context.services.policy.registration);
      if (made.field === 'certificate') throw keyTaken();
      if (given.username !== undefined || made.field === 'email') throw taken(made.field);
    }
    throw taken('username');
  },
});

type Made =
  | {
      readonly kind: 'created';
      readonly account: Account;
      readonly warning: string | undefined;
      readonly certificate: CertificateId | undefined;
      readonly signed: SignedCertificate | undefined;
    }
  | { readonly kind: 'repeated'; readonly account: Account; readonly signed: SignedCertificate }
  | Exclude<CreatedAccount, { readonly kind: 'created' }>;

async function create(
  context: CallContext,
  name: Username,
  given: Registration,
  admission: Admission | undefined,
): Promise<Made> {
  const { services, now } = context;
  const { store, policy } = services;
  const consent = consentOf(context, given.accept_terms);
  // Whoever gives no name would log in to the other account, and never get in.
  const isNamedByEmail = given.username === undefined;
  const warning =
    given.password && (await checkNewPassword(policy, { username: name, password: given.password }));
  // Looked up before a password is stretched for nothing; who comes first is decided by the store.
  if (given.password !== undefined) {
    if (await store.isNameTaken(name)) return { kind: 'taken', field: 'username' };
    if (isNamedByEmail && (await store.usernameByEmail(given.email ?? ''))) {
      return { kind: 'taken', field: 'email' };
    }
  }
  const { privacy, verifier, certificate, signed } = await newCredential(context, name, given);
  const account: Account = {
    id: uuidV7() as UserId,
    username: name,
    email: given.email ?? null,
    emailVerifiedAt: null,
    privacy,
    isAdmin: false,
    disabledAt: null,
    hasSecondFactor: false,
    createdAt: now,
  };
  const outcome = await store.createAccount({
    account,
    verifier,
    certificate,
    admission,
    consent,
    isNamedByEmail,
  });
  if (outcome.kind !== 'created') return (signed && (await repeated(services, name, signed))) ?? outcome;
  return { kind: 'created', account, warning, certificate: certificate?.id, signed };
}

/**
 * The same registration once more, by who has the account's only key and whose answer was lost: without it nobody could log in to the
 * account any more. It answers a certificate, and never a session: what was sent may have been seen.
 */
async function repeated(
  { store }: CallContext['services'],
  username: Username,
  signed: SignedCertificate,
): Promise<Made | undefined> {
  const known = await store.certificateByKey({ keyHash: signed.entry.keyHash });
  if (known?.account.username !== username || known.account.privacy !== 'certificate') return undefined;
  const { account } = known;
  const added = await store.addCertificate({ ...signed.entry, userId: account.id });
  if (added.kind !== 'renewed') return undefined;
  const { id } = added.certificate;
  return { kind: 'repeated', account, signed: { ...signed, entry: { ...signed.entry, id } } };
}

function taken(field: 'username' | 'email'): ChatError {
  const what = field === 'email' ? 'e-mail address' : 'username';
  return new ChatError('conflict', `this ${what} is taken already`, { field });
}
