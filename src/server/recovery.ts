import { randomBytes } from 'node:crypto';
import type { AuditDetails } from '../core/audit.ts';
import { auditChain } from '../core/audit-chain.ts';
import { type IssuedCode, issueCode } from '../core/codes.ts';
import { ChatError } from '../core/errors.ts';
import type { Account } from '../core/model/account.ts';
import type { Username } from '../core/model/username.ts';
import { noFactor, noSuchAccount } from '../core/operations/admin/refused.ts';
import { openDataDirectory } from './data-directory/data-directory.ts';
import { inspectDataDirectory } from './data-directory/inspect.ts';
import { platformDigests } from './digests.ts';
import { inspectAside } from './store/sqlite/inspect-aside.ts';
import { type EmbeddedStore, sqliteStore } from './store/sqlite/store.ts';

/** What is done to an account by who has the data directory of a server that does not run, for want of an administrator who could. */
export interface Recovery {
  /** Makes a code that sets a new password, as `admin.reset` does. */
  resetCode(username: Username): Promise<IssuedCode>;
  /** Takes the second factor away and ends all sessions, as `admin.take-second-factor` does; answers how many ended. */
  takeSecondFactor(username: Username): Promise<number>;
}

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
      return await work(recoveryOf(store));
    } finally {
      await store.close();
    }
  } finally {
    await held.close();
  }
}

function recoveryOf(store: EmbeddedStore): Recovery {
  async function find(username: Username): Promise<Account> {
    const account = await store.account(username);
    if (!account) throw noSuchAccount(username);
    return account;
  }

  async function audit(operation: string, user: Username, details?: AuditDetails): Promise<void> {
    const settings = await store.settings({
      realm: randomBytes(16).toString('hex'),
      serverSecret: randomBytes(32),
    });
    const at = Date.now();
    const entry = {
      at,
      operation,
      user,
      door: undefined,
      address: undefined,
      outcome: 'ok',
      details,
    } as const;
    await store.appendAudit({ entries: [entry], chain: auditChain(settings, platformDigests) });
  }

  return {
    async resetCode(username) {
      const account = await find(username);
      const parts = { store, digests: platformDigests };
      // First the row: what is done without one is seen by nobody.
      await audit('operator.reset', username);
      const issued = await issueCode(parts, { kind: 'reset-by-admin', account, now: Date.now() });
      if (!issued) throw noSuchAccount(username);
      return issued;
    },
    async takeSecondFactor(username) {
      const { id: userId, hasSecondFactor } = await find(username);
      if (!hasSecondFactor) throw noFactor();
      await audit('operator.take-second-factor', username);
      const ended = await store.removeSecondFactor({ userId, takenAt: Date.now() });
      if (!ended) throw noFactor();
      return ended.length;
    },
  };
}

function noDatabase(directory: string): ChatError {
  return new ChatError(
    'not-found',
    `there is no database of a server in ${directory}: give its data directory`,
  );
}
