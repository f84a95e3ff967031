import type { StoreCall } from '../store-calls.ts';
import type { Isolation } from './transactions.ts';

/** Calls whose first statement holds the one row that they are about, or that are one statement: they need no order among all others. */
const locking: ReadonlySet<StoreCall> = new Set([
  'appendAudit',
  'cutAudit',
  'expireMessages',
  'markRead',
  'touchSession',
]);

/** What a call that writes sees of others meanwhile. */
export function isolationOf(name: StoreCall): Isolation {
  return locking.has(name) ? 'locking' : 'serializable';
}

const watches: ReadonlySet<StoreCall> = new Set(['existingSessions', 'heads']);

/** True for what a node asks by itself every few seconds, and promises others to know by then: it waits for no history that people read. */
export function isWatch(name: StoreCall): boolean {
  return watches.has(name);
}

const administration: ReadonlySet<StoreCall> = new Set([
  'settings',
  'offerClaim',
  'claimAdministration',
  'setAdministrator',
  'disableAccount',
  'enableAccount',
  'requestErasure',
  'cancelErasure',
]);
const audit: ReadonlySet<StoreCall> = new Set(['appendAudit', 'cutAudit']);
/** One row by its id. */
const single: ReadonlySet<StoreCall> = new Set(['touchSession', 'setCsrfHash', 'revokeInvite']);

/**
 * What calls of this node would only undo each other about if they ran at once: of those that name the same one runs at a time, in the
 * order in which they came. Undefined for a call that nobody waits for. That calls of other nodes do no harm is up to the database.
 */
export function subjectOf(name: StoreCall, input: unknown): string | undefined {
  if (single.has(name)) return undefined;
  if (administration.has(name)) return 'administration';
  if (audit.has(name)) return 'audit';
  if (name === 'createAccount') return 'accounts';
  if (typeof input !== 'object' || input === null) return name;
  const of = input as {
    readonly room?: string;
    readonly userId?: string;
    readonly session?: { readonly userId?: string };
    readonly refreshHash?: Uint8Array;
    readonly hash?: Uint8Array;
  };
  if (of.room !== undefined) return `#${of.room}`;
  const userId = of.userId ?? of.session?.userId;
  if (userId !== undefined) return userId;
  const hash = of.refreshHash ?? of.hash;
  return hash ? Buffer.from(hash).toString('hex') : name;
}
