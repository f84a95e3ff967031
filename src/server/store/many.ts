import type { SqlValue } from './statement.ts';

/** So many values stand in one statement: it is compiled once, whatever the length of a list. */
const atOnce = 200;

/** The parameters of a statement that takes a list. */
export type Many = Readonly<Record<`value${number}`, SqlValue>>;

/** The places for a list in a statement; those that a shorter list leaves are null, which equals nothing. */
export function places<Value extends SqlValue>(params: Many): Value[] {
  return Array.from({ length: atOnce }, (_, index) => params[`value${index}`] as Value);
}

/** A list as the parameters of as few statements as it takes. */
export function inMany(values: readonly SqlValue[]): Many[] {
  const parts: Many[] = [];
  for (let from = 0; from < values.length; from += atOnce) {
    const part = values.slice(from, from + atOnce);
    parts.push(Object.fromEntries(part.map((value, index) => [`value${index}`, value])));
  }
  return parts;
}
