import type { Account, Verifier } from '../../../src/core/model/account.ts';
import type { ConversationRef, RoomName } from '../../../src/core/model/conversation-name.ts';
import type { DeviceId, MessageId, SessionId, UserId } from '../../../src/core/model/ids.ts';
import type { Session } from '../../../src/core/model/session.ts';
import type { Username } from '../../../src/core/model/username.ts';
import type { NewMessage } from '../../../src/core/ports/store/messages.ts';
import type { NewSession } from '../../../src/core/ports/store/sessions.ts';
import type { Store } from '../../../src/core/ports/store.ts';
import { uuidV7 } from '../../../src/core/random.ts';

export const room = (name: string): RoomName => name as RoomName;
export const inRoom = (name: string): ConversationRef => ({ kind: 'room', room: room(name) });
export const withUser = (name: string): ConversationRef => ({ kind: 'direct', peer: name as Username });
/** 32 bytes that stand for a digest. */
export const digest = (n: number): Uint8Array => new Uint8Array(32).fill(n % 256).fill(n >> 8, 0, 4);

/** A verifier with different bytes in each field. */
export const verifier: Verifier = {
  suite: 'CHAT-SCRAM-BCRYPT-1',
  salt: new Uint8Array(16).fill(1),
  cost: 12,
  storedKey: new Uint8Array(32).fill(2),
  serverKey: new Uint8Array(32).fill(3),
};

/** An account called `name`, made at millisecond 1. */
export function person(name: string, other: Partial<Account> = {}): Account {
  return {
    id: uuidV7() as UserId,
    username: name as Username,
    email: null,
    emailVerifiedAt: null,
    privacy: 'private',
    isAdmin: false,
    disabledAt: null,
    hasSecondFactor: false,
    createdAt: 1,
    ...other,
  };
}

/** Which rows these are. */
export const idsOf = <Id>(rows: ReadonlyArray<{ readonly id: Id }>): Id[] => rows.map(({ id }) => id);

/** Makes accounts in the order of their names. */
export async function people<Names extends readonly string[]>(
  store: Store,
  ...names: Names
): Promise<{ [Name in keyof Names]: Account }> {
  const made = names.map((name) => person(name));
  for (const account of made) await store.createAccount({ account, verifier });
  // One account for each name, which the type of `map` does not tell.
  return made as unknown as { [Name in keyof Names]: Account };
}

/** A message of `sender`, sent at millisecond 100 without a key. */
export function message(sender: Account, to: ConversationRef, other: Partial<NewMessage> = {}): NewMessage {
  return {
    id: uuidV7() as MessageId,
    senderId: sender.id,
    sender: sender.username,
    to,
    key: undefined,
    sentAt: 100,
    body: { text: 'hello' },
    ...other,
  };
}

let digests = 1_000;

/** A session of `user` on a new device, opened at 1,000; its token ends at 8,000 and its family at 31,000. */
export function opening(
  user: Account,
  session: Partial<Session> = {},
  other: Partial<Omit<NewSession, 'session'>> = {},
): NewSession {
  return {
    session: {
      id: uuidV7() as SessionId,
      userId: user.id,
      username: user.username,
      hasSecondFactor: user.hasSecondFactor,
      deviceId: uuidV7() as DeviceId,
      deviceLabel: 'laptop',
      door: 'line',
      address: '192.0.2.1',
      createdAt: 1_000,
      lastUsedAt: 1_000,
      absoluteExpiresAt: 8_000,
      familyExpiresAt: 31_000,
      csrfHash: null,
      ...session,
    },
    isNewDevice: true,
    tokenHash: digest(digests++),
    refreshHash: digest(digests++),
    maxPerAccount: 50,
    ...other,
  };
}
