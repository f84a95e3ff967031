import type { ErrorCode } from '../errors.ts';
import type { Peer } from '../peer.ts';

/** Every limit that refuses because something came too often, or too much of it at once. */
export const limitNames = [
  'failed-login',
  'elsewhere',
  'login',
  'registration',
  'mail-request',
  'mail',
  'message',
  'join',
  'search',
  'export',
  'keys',
  'one-time-code',
  'logins-at-once',
  'logins-under-way',
] as const;

/** One of {@link limitNames}. */
export type LimitName = (typeof limitNames)[number];

/**
 * Told of each call while it is being answered, so that whoever runs a server sees how it is doing: counts something, keeps nothing of a
 * caller, returns at once and never throws.
 */
export interface Meter {
  /** A call was served; `operation` is undefined for one that does not exist, `ms` is from its arrival at the rules to its answer. */
  served(operation: string | undefined, outcome: 'ok' | ErrorCode, ms: number, peer: Peer): void;
  /** A limit has refused something; `what` names the limit. */
  limited(what: LimitName): void;
}

/** What one node of chat has open, and what it has done since it was built. */
export interface ChatFigures {
  /** Connections and requests under way that are logged in. */
  readonly loggedIn: number;
  /** Accounts with a logged-in connection that takes events. */
  readonly online: number;
  /** Connections that follow anything. */
  readonly readers: number;
  /** Places of connections in conversations. */
  readonly followers: number;
  /** Of those, the ones that are being fed from the store because their connection was behind. */
  readonly lagging: number;
  /** How often one fell so far behind. */
  readonly lagged: number;
  /** Messages given to followers: one for each of them. */
  readonly deliveries: number;
  /** Entries of the audit trail that are not stored yet, and those that were left out for want of room. */
  readonly auditWaiting: number;
  readonly auditLost: number;
}
