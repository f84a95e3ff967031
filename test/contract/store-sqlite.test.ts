import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteStore } from '../../src/server/store/sqlite/store.ts';
import { describeStore } from './store.exam.ts';

describeStore('the embedded store', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'chat-store-'));
  return {
    open: () =>
      sqliteStore({
        directory,
        onFatal(error) {
          throw error;
        },
      }),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
});
