import { ChatError } from '../../core/errors.ts';
import type { Backups } from './backups.ts';

/** The backups of a server whose database is on another machine: none, and `unsupported` that says what makes them. */
export function noBackups(): Backups {
  async function refuse(): Promise<never> {
    throw new ChatError(
      'unsupported',
      "this server keeps everything in PostgreSQL, and makes and checks no backups of it: use PostgreSQL's pg_dump, and keep the file of --cluster-secret with the copy",
    );
  }
  return { backUp: refuse, check: refuse, figures: async () => undefined, stop: async () => {} };
}
