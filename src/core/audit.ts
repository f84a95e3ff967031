import type { ErrorCode } from './errors.ts';
import type { DoorName } from './model/session.ts';

/** Small facts of an entry, by name; never a secret and never a message's text. */
export type AuditDetails = Readonly<Record<string, string | number | boolean>>;

/** One line of the audit trail: who did what, through which door, from where, when, and how it ended (security 4). */
export interface AuditEntry {
  /** UTC milliseconds. */
  readonly at: number;
  /** The operation's name, or that of an event that nobody called: `session.ended`, `audit.cut`, `audit.lost`. */
  readonly operation: string;
  /** The account that called, or the one that was named by a caller who is nobody yet. */
  readonly user: string | undefined;
  /** Undefined for what the server did by itself. */
  readonly door: DoorName | undefined;
  readonly address: string | undefined;
  /** How a login was proven: its mechanism, and what came besides: `challenge-response`, `password+totp`. */
  readonly factor?: string | undefined;
  readonly outcome: 'ok' | ErrorCode;
  readonly details?: AuditDetails | undefined;
}

/** What a call adds to its entry. */
export interface AuditNote {
  /** What a login was proven with besides its mechanism: `totp`, `recovery-code`. */
  readonly factor?: string;
  readonly details?: AuditDetails;
  /** True for a call that goes on with what the trail has told already: unless it is refused, it is no row of its own. */
  readonly isRepeated?: boolean;
}

/** Takes audit entries; never throws and never waits. Entries hold no secret and no message text. */
export type AuditTrail = (entry: AuditEntry) => void;
