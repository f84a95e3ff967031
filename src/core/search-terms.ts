import { ChatError } from './errors.ts';
import { searchBounds } from './policy.ts';

/**
 * What one message must have: these words one after the other; of the last one its beginning is enough when `isPrefix`. The words
 * are letters, digits and pictures alone, as {@link wordsOf} makes them, so that no index can read anything else into them.
 */
export interface SearchTerm {
  readonly words: readonly string[];
  readonly isPrefix: boolean;
}

/** Marks that stand above, below or in a letter of a script that is read without them; kana are other letters with theirs. */
const marks =
  /[[\p{Mn}&&[\p{scx=Latn}\p{scx=Grek}\p{scx=Cyrl}\p{sc=Hebr}\p{scx=Arab}\p{sc=Zinh}]]--[\u3099\u309a]]/gv;
/** What nobody sees: soft hyphens, joiners, selectors of a picture's form or skin. */
const unseen = /[\p{Default_Ignorable_Code_Point}\p{Emoji_Modifier}]/gv;

/** A text as it is compared: NFKC, lower case, without diacritics and without what nobody sees. */
export function normalised(text: string): string {
  const bare = text.normalize('NFKD').replace(unseen, '').toLowerCase().normalize('NFKD').replace(marks, '');
  return bare.replaceAll('ς', 'σ').normalize('NFKC');
}

/** Letters of scripts that write no spaces between words. */
const lone =
  '[\\p{scx=Hani}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Thai}\\p{scx=Laoo}\\p{scx=Khmr}\\p{scx=Mymr}\\p{scx=Tibt}]';
const letter = '[\\p{L}\\p{N}\\p{M}]';
/**
 * One word: a letter of those scripts, a picture, or a run of other letters and digits. So a search in Chinese finds any part of
 * a text, as its letters stand there one after the other.
 */
const word = new RegExp(`[${lone}&&${letter}]|\\p{Extended_Pictographic}|[${letter}--${lone}]+`, 'gv');

/** The words of a text in order, each cut to what counts of it; the same for what is searched and for what is asked. */
export function wordsOf(text: string): string[] {
  return (normalised(text).match(word) ?? []).map(cut);
}

function cut(whole: string): string {
  if (whole.length <= searchBounds.wordCharacters) return whole;
  return [...whole].slice(0, searchBounds.wordCharacters).join('');
}

/**
 * Reads what somebody searches for: words that all must be there, in any order; `"words in quotes"` as they stand; `word*` for
 * what begins so. What is no letter, digit or picture parts words, and words that were written together, as `don't` or
 * `10.0.0.1`, must stand together. Throws `invalid` when nothing is left, a quote has no end, or it is too much.
 */
export function parseSearch(query: string): readonly SearchTerm[] {
  const { characters, words: maxWords } = searchBounds;
  if (query.length > characters) {
    throw refusal(`a search has at most ${characters} characters, this one has ${query.length}`);
  }
  if ((query.match(/"/g)?.length ?? 0) % 2 === 1) {
    throw refusal('a quoted phrase has no end: close it with another "');
  }
  const terms: SearchTerm[] = [];
  for (const [written, phrase] of query.matchAll(/"([^"]*)"|[^\s"]+/g)) {
    const words = wordsOf(phrase ?? written);
    if (words.length > 0) terms.push({ words, isPrefix: phrase === undefined && written.endsWith('*') });
  }
  const count = terms.reduce((sum, { words }) => sum + words.length, 0);
  if (count === 0) throw refusal('nothing to search for: give a word of letters or digits');
  if (count > maxWords) throw refusal(`a search has at most ${maxWords} words, this one has ${count}`);
  return terms;
}

const refusal = (text: string): ChatError => new ChatError('invalid', text, { field: 'q' });

/** Whether a text has all that is searched for. What an index finds is what this says of each text. */
export function hasTerms(text: string, terms: readonly SearchTerm[]): boolean {
  const words = wordsOf(text);
  return terms.every((term) => words.some((_, at) => standsAt(words, at, term)));
}

function standsAt(words: readonly string[], at: number, { words: wanted, isPrefix }: SearchTerm): boolean {
  return wanted.every((want, index) => {
    const word = words[at + index];
    if (word === undefined) return false;
    return isPrefix && index === wanted.length - 1 ? word.startsWith(want) : word === want;
  });
}
