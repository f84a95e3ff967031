import type { ChatEvent, EndReason } from '../events.ts';
import type { ConversationId, SessionId, UserId } from '../model/ids.ts';
import type { Audience, ConversationView, StoredMessage } from '../model/message.ts';
import type { Username } from '../model/username.ts';

/** What one node tells all nodes, itself included, after it has committed something. A hint, never the truth. */
export type Notice =
  | {
      readonly type: 'message';
      readonly conversation: ConversationId;
      readonly audience: Audience;
      readonly message: StoredMessage;
    }
  | { readonly type: 'sessions-ended'; readonly ids: readonly SessionId[]; readonly reason: EndReason }
  | { readonly type: 'session-changed'; readonly id: SessionId }
  | {
      readonly type: 'account-notice';
      /** A username; whether there is such an account was not looked up. */
      readonly user: string;
      /** The session that is not told. */
      readonly except?: SessionId | undefined;
      readonly event: Extract<ChatEvent, { type: 'account-notice' }>;
    }
  | { readonly type: 'member-joined'; readonly user: Username; readonly conversation: ConversationView }
  | { readonly type: 'member-left'; readonly userId: UserId; readonly conversation: ConversationId };

/** Fan-out between nodes. Notices of one publisher arrive in order; any of them may be lost when `isShared`. */
export interface Bus {
  /** True when other nodes publish too, so that a notice may be late or lost. */
  readonly isShared: boolean;
  /** Never throws and never waits. */
  publish(notice: Notice): void;
  /** Calls `listener` for every notice, the own ones too; answers a function that stops it. */
  subscribe(listener: (notice: Notice) => void): () => void;
}
