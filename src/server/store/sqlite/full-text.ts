import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { SearchTerm } from '../../../core/search-terms.ts';
import type { Schema } from '../schema.ts';
import { type Statement, statement } from '../statement.ts';

/**
 * The index of words, in SQLite's FTS4 (sqlite.org/fts3.html; sql.js has no FTS5). It keeps no text (`content=""`), only which
 * words stand where; `docid` is a message's seq, and each part of a conversation is an index of its own (`languageid`), so that
 * a search looks into nothing that its caller may not read, and no part grows. Words come as core makes them: the tokenizer has
 * only spaces to split at.
 */
export const makeIndex = `CREATE VIRTUAL TABLE search_index USING fts4(content="", words, languageid="part", order=desc, matchinfo=fts3, tokenize=simple)`;

function raw<Params extends object, Row>(
  build: (params: Params) => RawBuilder<Row>,
  options: Pick<Statement<Params, Row>, 'spell'> = {},
): Statement<Params, Row> {
  const compilable = (db: Kysely<Schema>, params: Params) => ({ compile: () => build(params).compile(db) });
  return statement(compilable, options);
}

/** Puts a message's words, parted by spaces, into the index of a part; once for each message. */
export const putWords = raw(
  (p: { part: number; seq: number; words: string }) =>
    sql`INSERT INTO search_index (docid, words, part) VALUES (${p.seq}, ${p.words}, ${p.part})`,
);

/** The messages of a part before `before` that match, the newest first. */
export const matching = raw(
  (p: { part: number; terms: readonly SearchTerm[]; before: number; limit: number }) =>
    sql<{
      docid: number;
    }>`SELECT docid FROM search_index WHERE words MATCH ${p.terms} AND part = ${p.part} AND docid < ${p.before} ORDER BY docid DESC LIMIT ${p.limit}`,
  { spell: (params) => ({ ...params, terms: matchExpression(params.terms) }) },
);

/** What SQLite reads as the terms (its "enhanced query syntax"): phrases in quotes, of words in which no quote can be. */
export function matchExpression(terms: readonly SearchTerm[]): string {
  return terms.map(({ words, isPrefix }) => `"${words.join(' ')}${isPrefix ? '*' : ''}"`).join(' ');
}

// A part's words lie in segments: a row of search_index_segdir each, its level 1,024 times the part and more, and blocks. FTS4
// itself would write that a word is gone beside where it still is, until all of the index has been merged.
/** Takes a part's words out of the index: the blocks of its segments, before {@link dropSegments}. Overwritten, by `secure_delete`. */
export const dropBlocks = raw(
  (p: { part: number }) =>
    sql`DELETE FROM search_index_segments WHERE blockid IN (SELECT block.blockid FROM search_index_segdir AS segment JOIN search_index_segments AS block ON block.blockid BETWEEN segment.start_block AND CAST(segment.end_block AS INTEGER) WHERE segment.start_block > 0 AND segment.level BETWEEN ${p.part} * 1024 AND ${p.part} * 1024 + 1023)`,
);
/** … and the segments themselves. */
export const dropSegments = raw(
  (p: { part: number }) =>
    sql`DELETE FROM search_index_segdir WHERE level BETWEEN ${p.part} * 1024 AND ${p.part} * 1024 + 1023`,
);
