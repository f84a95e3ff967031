import type { WireMessage } from '../client/frames.ts';
import type { ChatError } from '../core/errors.ts';

/** A message as this account reads it: its fields are those of `chat tail -o json`. */
export type Message = WireMessage;

/** Which server, how it is known to be the right one, and who logs in. */
export interface ConnectOptions {
  /** `HOST:PORT` or `chat://HOST:PORT`; `plain://HOST:PORT` is clear text, and for this very machine only. */
  readonly server: string;
  /** The server's key, as `chat serve` prints it: `SHA256:` and 43 characters. Whatever else it shows is refused. */
  readonly fingerprint?: string | undefined;
  /** The authorities that its certificate may be from, PEM; without this and `fingerprint` those that the system trusts. */
  readonly ca?: string | readonly string[] | undefined;
  /** A session token, as `chat token` prints it; it is not renewed here, and it is not ended here either. */
  readonly token?: string | undefined;
  /** Who logs in when there is no token; the session is renewed when it ends, and ended by {@link Chat.close}. */
  readonly username?: string | undefined;
  /** Stays in this process: what the server gets of it is the proof of a challenge. */
  readonly password?: string | undefined;
  /** Asked for a one-time code when the account has a second factor. */
  readonly otp?: (() => string | Promise<string>) | undefined;
  /** What the sessions of this program are called in `chat sessions`; the machine's name when left out. */
  readonly device?: string | undefined;
  /**
   * True takes the keys of private messages that `chat login` has put on this machine for the account (in the directory that
   * `XDG_STATE_HOME` names): encrypted messages are opened, and messages to people are encrypted.
   */
  readonly keys?: boolean | undefined;
  /** How long connecting, sending and asking may take, each with all its tries, in milliseconds; 30,000 when left out. */
  readonly timeoutMs?: number | undefined;
  /** Told how the connections fare: for a log. */
  readonly onState?: ((state: ConnectionState) => void) | undefined;
}

/** How a connection fares. */
export type ConnectionState =
  /** What is stored from now on reaches the loop over these conversations; all own ones when there are none. */
  | { readonly kind: 'following'; readonly to: readonly string[] }
  /** Something failed that may pass; it is tried again after `waitMs`. */
  | { readonly kind: 'waiting'; readonly cause: ChatError; readonly waitMs: number };

/** How a message is sent. */
export interface SendOptions {
  /** The idempotency key: a second message under the key of the first is not stored, and gets its answer. Its own when left out. */
  readonly key?: string | undefined;
  /** As in {@link ConnectOptions}. */
  readonly timeoutMs?: number | undefined;
  /** True sends a private message also when it cannot be encrypted: the server can read it then. */
  readonly allowClear?: boolean | undefined;
}

/** Where a message was stored. */
export interface Stored {
  readonly id: string;
  /** Counts from 1 in its conversation without a gap. */
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly sent_at: string;
}

/** Where reading begins: at most one of the two; with neither where the conversation ends now. */
export interface StartOptions {
  /** So many messages before the end. */
  readonly last?: number | undefined;
  /** With the first message of this moment or later; a text is RFC 3339, its zone with it. */
  readonly since?: Date | string | undefined;
}

/** What is followed, and from where. */
export interface FollowOptions extends StartOptions {
  /**
   * Where conversations go on that were read before, as {@link Following.cursors} had it. When all own conversations are followed, one
   * that is not in it begins with its first message; otherwise `last` and `since` are for those.
   */
  readonly cursors?: Readonly<Record<string, number>> | undefined;
  /** True gives own messages too, those of other programs of this account among them. */
  readonly own?: boolean | undefined;
}

/**
 * Messages of some conversations, each in its order, without a gap or a repeat over any number of lost connections. It begins when it is
 * read, and can be read once.
 */
export interface Following extends AsyncIterable<Message> {
  /** By conversation, the number of the last message that was handed out, or after which it began: kept, it is a beginning for the next run. */
  readonly cursors: Readonly<Record<string, number>>;
  /** Ends it, also while the next message is waited for. */
  stop(): void;
}

/** What is read of a conversation's past. */
export interface HistoryOptions extends StartOptions {
  /** After the message of this number; 0 is before the first. In place of `last` and `since`. */
  readonly after?: number | undefined;
  /** At most so many messages, the first ones. */
  readonly limit?: number | undefined;
}

/** Somebody. */
export interface User {
  readonly username: string;
  readonly online: boolean;
}

/** A room. */
export interface Room {
  /** With its `#`. */
  readonly room: string;
  /** How many are in it. */
  readonly members: number;
  /** True when this account is. */
  readonly member: boolean;
  /** The number of its last message; 0 before the first. */
  readonly last_seq: number;
}

/** One account on one server. Connections are made as they are needed, and made again when they are lost, until it is closed. */
export interface Chat {
  /** Who is logged in. */
  readonly username: string;
  /**
   * Sends a text to a `#room` or a `@user`, and resolves when the server has stored it. Messages are stored in the order of the calls; what
   * may pass is tried again under one key, so that nothing is stored twice. A message to a person is encrypted; `untrusted` when that
   * cannot be done, or when its keys are not the ones that are known here.
   */
  send(to: string, text: string, options?: SendOptions): Promise<Stored>;
  /** Follows these conversations, or, without any, all own ones with those that begin later; never gives up a server that is away. */
  follow(to?: string | readonly string[], options?: FollowOptions): Following;
  /** Reads what is stored in a conversation, to its end as it is at the first step; the whole of it when nothing is said. */
  history(to: string, options?: HistoryOptions): AsyncIterable<Message>;
  /** Who is online, or with `all` everybody who has an account, in order of name. */
  users(options?: { readonly all?: boolean | undefined }): Promise<User[]>;
  /** All rooms in order of name. */
  rooms(): Promise<Room[]>;
  /** Who is in a room, in order of name. */
  members(room: string): Promise<User[]>;
  /** Enters a room; false when this account was in it already. `not-found` when there is none. */
  join(room: string): Promise<boolean>;
  /** Leaves a room; false when this account was not in it. `not-found` when there is none. */
  leave(room: string): Promise<boolean>;
  /** Ends every loop over messages, gives up what is not answered, ends a session that was opened with a password, and closes all connections. */
  close(): Promise<void>;
}
