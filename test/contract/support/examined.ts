import type { Store } from '../../../src/core/ports/store.ts';

/** What one part of the exam asks: the open store, which is another one in each test, and the same one opened again. */
export interface Examined {
  readonly store: Store;
  /** True of a store that does all calls in the order in which they were made, also those that nobody waited for; others do so with what is sent to one conversation. */
  readonly isInOrder: boolean;
  reopen(): Promise<Store>;
}
