import { closest, distance } from 'fastest-levenshtein';

/** So many letters may differ in a word that is taken for a slip of the pen. */
const slipOfThePen = (word: string): number => (word.length <= 3 ? 1 : 2);

/** `; did you mean X?` when one of `known` is near what was typed, otherwise nothing. */
export function didYouMean(typed: string, known: readonly string[], prefix = ''): string {
  if (known.length === 0) return '';
  const near = closest(typed, [...known]);
  return distance(typed, near) <= slipOfThePen(typed) ? `; did you mean ${prefix}${near}?` : '';
}
