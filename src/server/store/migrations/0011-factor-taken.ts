import type { Migration } from './migration.ts';

/** Since when an account has no second factor because an administrator took it away: its owner is told. */
export const factorTaken: Migration = [`ALTER TABLE users ADD COLUMN factor_taken_at INTEGER`];
