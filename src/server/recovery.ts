import { ChatError } from '../core/errors.ts';
import { accountRecovery, type Recovery } from './account-recovery.ts';
import { openDataDirectory } from './data-directory/data-directory.ts';
import { inspectDataDirectory } from './data-directory/inspect.ts';
import { inspectAside } from './store/sqlite/inspect-aside.ts';
import { sqliteStore } from './store/sqlite/store.ts';

/**
 * Opens the data directory of a server that does not run, for `work`; each thing that is done is a row of its audit trail. Throws `unavailable`
 * when a server runs there, or the directory or its database cannot be used, and `not-found` when there is no database: none is made.
 */
export async function recoverIn<Result>(
  directory: string,
  work: (recovery: Recovery) => Promise<Result>,
): Promise<Result> {
  const { path, findings } = await inspectDataDirectory(directory);
  const refusal = findings.find(({ status }) => status === 'fail');
  if (refusal) throw new ChatError('unavailable', refusal.message);
  if (path === undefined) throw noDatabase(directory);
  const held = await openDataDirectory(path);
  try {
    // It is looked at before it is opened: opening makes one, and changes one of an older version.
    const { format, faults } = await inspectAside(path);
    if (format === undefined) throw noDatabase(directory);
    if (faults.length > 0)
      throw new ChatError('unavailable', `the database in ${path} is damaged: ${faults[0]}`);
    const store = await sqliteStore({ directory: path, onFatal: () => {} });
    try {
      return await work(accountRecovery(store));
    } finally {
      await store.close();
    }
  } finally {
    await held.close();
  }
}

function noDatabase(directory: string): ChatError {
  return new ChatError(
    'not-found',
    `there is no database of a server in ${directory}: give its data directory`,
  );
}
