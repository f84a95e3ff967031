import type { ConversationRef } from '../../model/conversation-name.ts';
import type { DeviceId, MessageId, UserId } from '../../model/ids.ts';
import type { MessageBody } from '../../model/message.ts';
import type { DoorName } from '../../model/session.ts';

/** What an account may ask for of its own: what it has accepted, its devices, what it has sent. */
export interface OwnDataStore {
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
