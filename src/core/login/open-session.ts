import { equalDigests } from '../crypto/bytes.ts';
import { newTokens, type TokenPair, tokenDigest } from '../crypto/tokens.ts';
import { accountDisabled, badCertificate, badToken, ChatError, loggedInAlready } from '../errors.ts';
import type { Account, Verifier } from '../model/account.ts';
import type { DeviceId, SessionId } from '../model/ids.ts';
import type { Session } from '../model/session.ts';
import type { CallContext } from '../operation.ts';
import type { Peer } from '../peer.ts';
import type { OpenedSession } from '../ports/store/sessions.ts';
import { uuidV7 } from '../random.ts';
import type { Services } from '../services.ts';
import type { Proven, SessionWishes } from './proven.ts';
import { passSecondFactor } from './second-factor.ts';

/** A session of a proven account, and the verifier that it was proven against. */
export interface ProvenSession {
  readonly account: Account;
  readonly verifier: Verifier;
  readonly answer: OpenedSessionAnswer;
}

/** What every login answers: the session with its tokens, which are shown this once. */
export type OpenedSessionAnswer = ReturnType<typeof sessionAnswer>;

/**
 * Opens a session for a secret that was right. Since the account was read for it the password may have been changed, the second
 * factor turned on, the account disabled or removed: the store looks for all of that as it opens a session, so that it is read again
 * only where something has changed or a code is asked for. The one place where logins are asked for the second factor.
 */
export async function openProven(
  context: CallContext,
  proven: Proven,
  wishes: SessionWishes,
): Promise<ProvenSession> {
  const { username, hasSecondFactor } = proven.account;
  const { certificate } = proven;
  const provenKey = certificate === undefined ? proven.verifier.storedKey : undefined;
  const by = { provenKey, certificate };
  if (!hasSecondFactor) {
    const opening = await tryToOpen(context, proven.account, { ...wishes, ...by });
    if (opening.kind === 'opened') return { ...proven, answer: opening.answer };
  }
  const current = await context.services.store.credential(username);
  if (!current) throw proven.refusal();
  const { account, verifier } = current;
  // Only who has proven the old one hears this: another login may have raised it to the server's cost.
  if (provenKey && !equalDigests(verifier.storedKey, provenKey)) throw changedMeanwhile();
  // No code is asked for, nor used up, for an account that is not as it stands now.
  await passSecondFactor(context, account, wishes.otp);
  return { account, verifier, answer: await openSession(context, account, { ...wishes, ...by }) };
}

/** A proof against a verifier that is not the account's any more. */
export function changedMeanwhile(): ChatError {
  return new ChatError('conflict', 'the verifier has been changed since this login began: begin again');
}

/** The session would have been opened under the rule of before. */
function factorChanged(): ChatError {
  return new ChatError('conflict', 'the second factor has been changed since this login began: begin again');
}

/**
 * Ends every login mechanism: opens a session for an account that has proven itself, or was just made, and binds it to the connection.
 * Replaces the device's session (security 3); a device of another account is replaced by a new one, and its session ends: somebody
 * else has the machine now.
 */
export async function openSession(
  context: CallContext,
  account: Account,
  wishes: SessionWishes,
): Promise<OpenedSessionAnswer> {
  const opening = await tryToOpen(context, account, wishes);
  if (opening.kind === 'stale') throw changedMeanwhile();
  if (opening.kind === 'revoked') throw badCertificate();
  if (opening.kind === 'disabled') throw accountDisabled();
  if (opening.kind === 'factor-changed') throw factorChanged();
  if (opening.kind !== 'opened') throw badToken();
  return opening.answer;
}

/** A session that was opened, or what keeps the store from it: then nothing was done. */
type Opening =
  | { readonly kind: 'opened'; readonly answer: OpenedSessionAnswer }
  | Exclude<OpenedSession, { readonly kind: 'opened' }>;

async function tryToOpen(
  { services, peer, now, note }: CallContext,
  account: Account,
  { device, endsWithConnection = false, provenKey, certificate }: SessionWishes,
): Promise<Opening> {
  const { store, policy, sessions, notices, digests } = services;
  if (peer.session) throw loggedInAlready();
  const tokens = newTokens();
  const familyExpiresAt = now + policy.refreshMs;
  const session: Session = {
    id: uuidV7() as SessionId,
    userId: account.id,
    username: account.username,
    hasSecondFactor: account.hasSecondFactor,
    deviceId: (device?.id ?? uuidV7()) as DeviceId,
    deviceLabel: '',
    door: peer.door,
    address: peer.address,
    createdAt: now,
    lastUsedAt: now,
    absoluteExpiresAt: Math.min(now + policy.sessionAbsoluteMs, familyExpiresAt),
    familyExpiresAt,
    csrfHash: null,
    ...(account.erasesAt === undefined ? {} : { erasesAt: account.erasesAt }),
  };
  const named = (isNew: boolean): string =>
    device?.label ?? (isNew ? device?.default_label : undefined) ?? '';
  const open = (opening: Session, isNewDevice: boolean) =>
    store.openSession({
      session: { ...opening, deviceLabel: named(isNewDevice) },
      isNewDevice,
      provenKey,
      certificate,
      tokenHash: tokenDigest(tokens.sessionToken, digests),
      refreshHash: tokenDigest(tokens.refreshToken, digests),
      maxPerAccount: policy.maxSessionsPerAccount,
    });
  let opened = session;
  let isNewDevice = device?.id === undefined;
  let outcome = await open(opened, isNewDevice);
  if (outcome.kind === 'foreign-device') {
    await endOnDevice(services, session.deviceId);
    opened = { ...session, deviceId: uuidV7() as DeviceId };
    isNewDevice = true;
    outcome = await open(opened, isNewDevice);
  }
  if (outcome.kind !== 'opened') return outcome;
  opened = { ...opened, deviceLabel: outcome.label };
  sessions.ended(outcome.ended, 'replaced', { of: account.username });
  sessions.attach(peer, opened);
  if (provenKey || certificate) services.freshLogins.note(peer, now);
  note({ details: { session: opened.id } });
  if (isNewDevice) {
    const { username, id, door, address, deviceLabel } = opened;
    notices.tell(
      username,
      { type: 'account-notice', kind: 'new-device', door, address, device: deviceLabel, at: now },
      id,
    );
  }
  if (endsWithConnection) peer.onGone(() => endGone(services, peer, opened));
  return { kind: 'opened', answer: sessionAnswer(opened, tokens, sessions.expiresAt(opened)) };
}

/** Ends the session that a device has, whoever's it is: for who has proven an account there. */
export async function endOnDevice({ store, sessions }: Services, deviceId: DeviceId): Promise<void> {
  const ended = await store.endSessionOnDevice({ deviceId });
  if (ended) sessions.ended([ended], 'replaced');
}

/** Ends the session of a connection that has gone, with a line in the audit trail like any other end. */
function endGone(
  { store, sessions, audit, onFailure }: Services,
  { door, address }: Peer,
  session: Session,
): void {
  const { id, userId, username } = session;
  store.endSession({ id, userId }).then((hasEnded) => {
    // It may have been revoked before.
    if (!hasEnded) return;
    sessions.ended([id], 'logged-out');
    const details = { session: id };
    audit({
      at: Date.now(),
      operation: 'session.end',
      user: username,
      door,
      address,
      outcome: 'ok',
      details,
    });
  }, onFailure);
}

/** Spells a session with its tokens. */
export function sessionAnswer(session: Session, tokens: TokenPair, expiresAt: number) {
  return {
    user_id: session.userId as string,
    username: session.username as string,
    session_id: session.id as string,
    session_token: tokens.sessionToken as string,
    refresh_token: tokens.refreshToken as string,
    expires_at: new Date(expiresAt).toISOString(),
    device_id: session.deviceId as string,
  };
}
