import type { ChatEvent, EndReason } from '../events.ts';
import type { Brand } from '../model/brand.ts';
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
  | (MembershipNotice & { readonly type: 'member-joined' })
  | (MembershipNotice & { readonly type: 'member-left' })
  | { readonly type: 'presence'; readonly node: NodeId; readonly news: PresenceNews }
  /** What a node has let pass since it said so last, by the keys of the rate of messages. */
  | {
      readonly type: 'messages-taken';
      readonly node: NodeId;
      readonly taken: ReadonlyArray<readonly [key: string, messages: number]>;
    };

/** Who entered or left what. */
interface MembershipNotice {
  readonly userId: UserId;
  readonly user: Username;
  /** As its user sees it, right after the entry or before the leave. */
  readonly conversation: ConversationView;
}

/** One run of one node: a name that no other run has. */
export type NodeId = Brand<string, 'NodeId'>;

/**
 * What nodes tell each other of who is online on them. `at` counts the changes that a node has told in this run: who knows the node as
 * of the one before may go on with the next.
 */
export type PresenceNews =
  | {
      readonly kind: 'changes';
      readonly at: number;
      readonly came: readonly Username[];
      readonly left: readonly Username[];
    }
  /** Everybody online there, in pieces that follow each other; `piece` counts from 0 to `pieces` - 1. */
  | {
      readonly kind: 'whole';
      readonly at: number;
      readonly piece: number;
      readonly pieces: number;
      readonly users: readonly Username[];
    }
  /** Nothing new: the node lives, and so many are online there. */
  | { readonly kind: 'beat'; readonly at: number; readonly users: number }
  /** Asks one node, or every one, to tell the whole. */
  | { readonly kind: 'ask'; readonly of: NodeId | undefined }
  /** The node has stopped; nobody is online there any more. */
  | { readonly kind: 'gone' };

/** Fan-out between nodes. Notices of one publisher arrive in order; any of them may be lost when `isShared`. */
export interface Bus {
  /** True when other nodes publish too, so that a notice may be late or lost. */
  readonly isShared: boolean;
  /** Never throws and never waits. */
  publish(notice: Notice): void;
  /** Calls `listener` for every notice, the own ones too; answers a function that stops it. */
  subscribe(listener: (notice: Notice) => void): () => void;
  /**
   * Calls `listener` when notices of others may have been lost (a break, a gap in what somebody published), once they arrive again;
   * answers a function that stops it. Left out where nothing gets lost.
   */
  onDoubt?(listener: () => void): () => void;
}
