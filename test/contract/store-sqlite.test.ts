import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteStore } from '../../src/server/store/sqlite/store.ts';
import { storeWithoutThread } from '../core/support/store-without-thread.ts';
import { describeStore, examineRestarts, type StoreUnderExam } from './store.exam.ts';

/** A store that one of the two ways opens, in a directory of its own. */
async function underExam(openIn: typeof sqliteStore | typeof storeWithoutThread): Promise<StoreUnderExam> {
  const directory = await mkdtemp(join(tmpdir(), 'chat-store-'));
  return {
    open: () =>
      openIn({
        directory,
        onFatal(error) {
          throw error;
        },
      }),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

// Making a thread from the sources is most of what a test takes: the whole exam is taken without, what a thread could change with.
describeStore('the embedded store', () => underExam(storeWithoutThread));
describeStore('the embedded store on its thread', () => underExam(sqliteStore), [examineRestarts]);
