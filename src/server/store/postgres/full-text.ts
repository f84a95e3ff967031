import { sql } from 'kysely';
import type { SearchTerm } from '../../../core/search-terms.ts';
import { dropBlocks, dropSegments, matching, putWords } from '../sqlite/full-text.ts';
import type { Command, Statement } from '../statement.ts';

/**
 * The index of words on PostgreSQL: a row for each message, its words as a `tsvector` under an index of the kind GIN, which knows for
 * each word the rows that have it. The number of the part is one more word of the row, so that a search looks into nothing but its part
 * and needs no extension. Words come as core makes them (letters, digits and pictures), and vector and query are spelled here: nothing
 * that somebody has written is ever read as a query.
 */

/** A statement, whatever it takes and answers. */
type AnyStatement = Command['statement'];

/** A position beyond this, or more of them than the next number for one word, is not kept by a `tsvector`. */
const maxPosition = 16_383;
const maxPositions = 255;

/** No word has this sign. */
const partWord = (part: number): string => `'#${part}'`;

/** A word in quotes; there is neither quote nor backslash in one. */
const quoted = (word: string): string => `'${word.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/**
 * A message's words as a `tsvector`. A message that has too many for it goes without places, and its words go with it as they were
 * written, by which phrases are found then.
 */
export function spelledWords({ part, words }: { part: number; words: string }): {
  vector: string;
  written: string | null;
} {
  const places = new Map<string, number[]>();
  const list = words.split(' ');
  let isLong = list.length > maxPosition;
  for (const [index, word] of list.entries()) {
    const known = places.get(word);
    if (known) known.push(index + 1);
    else places.set(word, [index + 1]);
    if (known && known.length > maxPositions) isLong = true;
  }
  const spelled = [...places].map(([word, at]) =>
    isLong ? quoted(word) : `${quoted(word)}:${at.join(',')}`,
  );
  return { vector: `${spelled.join(' ')} ${partWord(part)}`, written: isLong ? ` ${words} ` : null };
}

const spelledWord = (word: string, isPrefix: boolean): string => `${quoted(word)}${isPrefix ? ':*' : ''}`;

/** What is searched for as `tsquery`s, with phrases and without, and the phrases as they stand in what was written. */
export function spelledTerms({ part, terms }: { part: number; terms: readonly SearchTerm[] }): {
  exact: string;
  loose: string;
  phrases: string;
} {
  const phrase = (by: string) =>
    terms.map(({ words, isPrefix }) => {
      const spelled = words.map((word, index) => spelledWord(word, isPrefix && index === words.length - 1));
      return `(${spelled.join(by)})`;
    });
  const of = (by: string): string => [partWord(part), ...phrase(by)].join(' & ');
  const phrases = terms.map(({ words, isPrefix }) => ` ${words.join(' ')}${isPrefix ? '' : ' '}`);
  return { exact: of(' <-> '), loose: of(' & '), phrases: JSON.stringify(phrases) };
}

function spelled<Params extends object, Row>(
  of: Statement<Params, Row>,
  build: Statement<object, Row>['build'],
  spell?: (params: Params) => object,
): readonly [AnyStatement, AnyStatement] {
  return [of, { build, ...(spell && { spell }) }] as unknown as readonly [AnyStatement, AnyStatement];
}

interface Put {
  part: number;
  seq: number;
  words: string;
}
interface Match {
  part: number;
  before: number;
  limit: number;
  exact: string;
  loose: string;
  phrases: string;
}

/** What stands here in the place of the statements that only the embedded database understands; null for one that is not needed. */
export const postgresFullText: ReadonlyMap<AnyStatement, AnyStatement | null> = new Map<
  AnyStatement,
  AnyStatement | null
>([
  spelled(
    putWords,
    (db, params) => {
      const { rows } = params as { rows: string };
      return {
        compile: () =>
          sql`insert into search_index (part, docid, words, written) select part, docid, cast(vector as tsvector), written from json_to_recordset(cast(${rows} as json)) as new (part int8, docid int8, vector text, written text)`.compile(
            db,
          ),
      };
    },
    (list) => ({
      rows: JSON.stringify(
        (list as unknown as readonly Put[]).map(({ part, seq, words }) => ({
          part,
          docid: seq,
          ...spelledWords({ part, words }),
        })),
      ),
    }),
  ),
  spelled(
    matching,
    (db, params) => {
      const p = params as Match;
      return {
        compile: () =>
          sql<{
            docid: number;
          }>`select docid from search_index where part = ${p.part} and docid < ${p.before} and (words @@ cast(${p.exact} as tsquery) or (words @@ cast(${p.loose} as tsquery) and written is not null and not exists (select from json_array_elements_text(cast(${p.phrases} as json)) as phrase where position(phrase in written) = 0))) order by docid desc limit ${p.limit}`.compile(
            db,
          ),
      };
    },
    (params) => ({ ...params, ...spelledTerms(params) }),
  ),
  spelled(dropBlocks, (db, params) => {
    const p = params as { part: number };
    return { compile: () => sql`delete from search_index where part = ${p.part}`.compile(db) };
  }),
  [dropSegments as unknown as AnyStatement, null],
]);

/** Those of them that take their parameters as one list, of as many as there are. */
export const takesList: ReadonlySet<AnyStatement> = new Set<AnyStatement>([
  putWords as unknown as AnyStatement,
]);
