import { afterEach, beforeEach, describe } from 'vitest';
import type { Store } from '../../src/core/ports/store.ts';
import { examineAccounts } from './store/accounts.ts';
import { examineConversations } from './store/conversations.ts';
import { examineMessages } from './store/messages.ts';
import { examineRefresh } from './store/refresh.ts';
import { examineRooms } from './store/rooms.ts';
import { examineSessions } from './store/sessions.ts';
import type { Examined } from './support/examined.ts';

/** A store that is empty, and can be closed and opened again with what it holds. */
export interface StoreUnderExam {
  open(): Promise<Store>;
  /** Removes what the store kept. */
  remove(): Promise<void>;
}

/** The exam that every store passes: the port's contract, both sides of each boundary, and calls at once. */
export function describeStore(name: string, make: () => StoreUnderExam | Promise<StoreUnderExam>): void {
  describe(name, () => {
    let under: StoreUnderExam;
    let store: Store;
    beforeEach(async () => {
      under = await make();
      store = await under.open();
    });
    afterEach(async () => {
      await store.close();
      await under.remove();
    });
    const examined: Examined = {
      get store() {
        return store;
      },
      async reopen() {
        await store.close();
        store = await under.open();
        return store;
      },
    };
    examineAccounts(examined);
    examineSessions(examined);
    examineRefresh(examined);
    examineRooms(examined);
    examineMessages(examined);
    examineConversations(examined);
  });
}
