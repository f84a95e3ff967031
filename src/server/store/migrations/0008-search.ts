import { makeIndex } from '../sqlite/full-text.ts';
import type { Migration } from './migration.ts';

/** The index of words, and how far it has come; what is there already is indexed afterwards, bit by bit. */
export const search: Migration = [
  makeIndex,
  `CREATE TABLE search_parts (
    id INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    is_anew INTEGER NOT NULL,
    UNIQUE (conversation_id, first_seq)
  )`,
  `CREATE INDEX search_parts_anew ON search_parts (id) WHERE is_anew = 1`,
];
