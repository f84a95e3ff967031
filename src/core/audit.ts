import type { ErrorCode } from './errors.ts';
import type { DoorName } from './model/session.ts';

/** One line of the audit trail: who did what, through which door, from where, when, and how it ended (security 4). */
export interface AuditEntry {
  /** UTC milliseconds. */
  readonly at: number;
  /** The operation's name. */
  readonly operation: string;
  /** The account that called, or the one that was named by a caller who is nobody yet. */
  readonly user: string | undefined;
  readonly door: DoorName;
  readonly address: string;
  readonly outcome: 'ok' | ErrorCode;
}

/** Takes audit entries; never throws and never waits. Entries hold no secret and no message text. */
export type AuditTrail = (entry: AuditEntry) => void;
