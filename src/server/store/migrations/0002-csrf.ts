import type { Migration } from './migration.ts';

/** A session may have a CSRF token, of which its digest is kept (spec K9). */
export const csrf: Migration = [`ALTER TABLE sessions ADD COLUMN csrf_hash BLOB`];
