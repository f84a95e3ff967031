import type { Migration } from '../../migrations/migration.ts';
import { initial } from './0001-initial.ts';

/** Every step that the database on PostgreSQL has taken, in order; a released one is never changed. */
export const postgresMigrations: readonly Migration[] = [initial];
