import { ChatError } from '../../core/errors.ts';
import { accountRecovery, type Recovery } from '../account-recovery.ts';
import { inspectPostgres } from '../store/postgres/inspect.ts';
import { postgresStore } from '../store/postgres/store.ts';
import { readClusterSecret } from './cluster-secret.ts';
import { sealUnder } from './seal.ts';
import { checkSecret } from './shared-keys.ts';

/** Where a server's nodes keep everything, and what shows that one is of them. */
export interface RecoverOverOptions {
  /** `postgres://…` */
  readonly store: string;
  /** The file with the cluster's secret. */
  readonly secretFile: string;
}

/**
 * Opens the database of a server for `work`, also while its nodes run: what is changed there they see as what another node has changed. Throws
 * `invalid` for another secret or a URL that is none, `not-found` when no server has been started on the database, and `unavailable` when it
 * cannot be used, is of another version's format, or a node without a bus has it, which asks nobody about the sessions that it knows.
 */
export async function recoverOver<Result>(
  { store: url, secretFile }: RecoverOverOptions,
  work: (recovery: Recovery) => Promise<Result>,
): Promise<Result> {
  const secret = await readClusterSecret(secretFile);
  // It is looked at before it is opened: opening makes the tables, and brings older ones up to date.
  await inspectPostgres(url, async ({ server, format, known, realm, shared }) => {
    if (format !== undefined && format !== known) {
      throw new ChatError(
        'unavailable',
        `the database was written by an older chat (its format is ${format}, this one knows ${known}): use the version that its nodes have, or start one of this version first`,
      );
    }
    const isThere =
      realm !== undefined && (await checkSecret({ store: { shared }, seal: sealUnder(secret, realm) }));
    if (!isThere) {
      throw new ChatError('not-found', `no server was started on ${server}: give the --store of its nodes`);
    }
  });
  let lost: ChatError | undefined;
  const store = await postgresStore({ url, isIndexing: false });
  try {
    const held = await store.holdNode({
      as: 'shared',
      onLost: (error) => {
        lost = error;
      },
    });
    try {
      const result = await work(accountRecovery(store));
      if (lost) throw lost;
      return result;
    } finally {
      await held.letGo();
    }
  } finally {
    await store.close();
  }
}
