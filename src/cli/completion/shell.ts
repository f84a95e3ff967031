import type { Candidates } from './candidates.ts';

/** Words that could stand where the cursor is. */
export type WordCandidates = Extract<Candidates, { readonly kind: 'words' }>;

/** How one shell is served: its script hands over what it knows to `chat complete`, and reads the answer line by line. */
export interface Shell {
  /** To be sourced. */
  readonly script: string;
  /** The words behind `chat`, the one at the cursor last, from what the script hands over. */
  typedWords(handed: readonly string[]): readonly string[];
  /** A line for each candidate, as the script wants it. */
  spell(found: WordCandidates, handed: readonly string[]): readonly string[];
}

/** `word<TAB>what it is` in one line. */
export function describedLine(word: string, describe: string): string {
  return describe === '' ? word : `${word}\t${describe.replace(/\s+/g, ' ')}`;
}
