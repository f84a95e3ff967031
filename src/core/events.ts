import type { ConversationName } from './model/conversation-name.ts';
import type { MessageBody } from './model/message.ts';
import type { DoorName } from './model/session.ts';
import type { Username } from './model/username.ts';

/** Why a session or its connection was ended. */
export type EndReason =
  | 'logged-out'
  | 'revoked'
  | 'expired'
  | 'replaced'
  | 'refresh-reused'
  | 'credentials-changed'
  | 'disabled'
  | 'shutting-down'
  | 'unavailable';

/** What the server tells a connection unasked (protocol, "JSON-RPC 2.0 door"). */
export type ChatEvent =
  | {
      readonly type: 'message';
      /** The reader's name for the conversation. */
      readonly to: ConversationName;
      /** To whom a direct message goes; the reader, or the other one. */
      readonly recipient?: Username | undefined;
      readonly seq: number;
      readonly id: string;
      readonly sender: Username;
      /** UTC milliseconds. */
      readonly sentAt: number;
      readonly body: MessageBody;
    }
  | { readonly type: 'presence'; readonly user: Username; readonly online: boolean }
  | { readonly type: 'session-ended'; readonly reason: EndReason }
  | {
      readonly type: 'account-notice';
      /** A login from a device that is new to the account; or failed logins, of which this is the latest. */
      readonly kind: 'new-device' | 'failed-logins';
      readonly door: DoorName;
      readonly address: string;
      /** How the new device calls itself; empty when it does not. */
      readonly device?: string | undefined;
      /** How many have failed since the last one that was right, for `failed-logins`. */
      readonly failures?: number | undefined;
      /** UTC milliseconds. */
      readonly at: number;
    }
  | { readonly type: 'lagging'; readonly to: ConversationName }
  | { readonly type: 'caught-up'; readonly to: ConversationName; readonly seq: number };

/** How a door spells events; peers with the same codec object share the encoded bytes. */
export interface EventCodec {
  readonly name: string;
  /** One buffer for all `events`, in order. */
  encode(events: readonly ChatEvent[]): Uint8Array;
}
