/** One rule of security, and an edit that takes it away; the tests are those that must notice. */
export interface Mutant {
  /** What no longer holds, in plain words, with the rule's id where it has one (ASVS). */
  readonly rule: string;
  /** The one file that is edited, from the root. */
  readonly file: string;
  /** Stands in it exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Test files, from the root; one failing test in any of them is enough. */
  readonly tests: readonly string[];
}
