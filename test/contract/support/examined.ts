import type { Store } from '../../../src/core/ports/store.ts';

/** What one part of the exam asks: the open store, which is another one in each test, and the same one opened again. */
export interface Examined {
  readonly store: Store;
  reopen(): Promise<Store>;
}
