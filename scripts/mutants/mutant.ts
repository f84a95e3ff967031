/** One rule of security, and an edit that takes it away; the test is what must notice. */
export interface Mutant {
  /** What no longer holds, in plain words, with the rule's id where it has one (ASVS). */
  readonly rule: string;
  /** The one file that is edited, from the root. */
  readonly file: string;
  /** Stands in it exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The test file, from the root, that must notice: the cheapest one that does. */
  readonly test: string;
  /** Stands in the titles (with those of the blocks around) of the tests of it that are run: for files that take long. */
  readonly titled?: string;
}
