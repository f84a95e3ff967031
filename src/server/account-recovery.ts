import type { AuditDetails } from '../core/audit.ts';
import { auditChain } from '../core/audit-chain.ts';
import { type IssuedCode, issueCode } from '../core/codes.ts';
import type { Account } from '../core/model/account.ts';
import type { Username } from '../core/model/username.ts';
import { noFactor, noSuchAccount } from '../core/operations/admin/refused.ts';
import type { Store } from '../core/ports/store.ts';
import { platformDigests } from './digests.ts';
import { serverSettings } from './server-settings.ts';

/** What is done to an account by who has all that the server has, for want of an administrator who could. */
export interface Recovery {
  /** Makes a code that sets a new password, as `admin.reset` does. */
  resetCode(username: Username): Promise<IssuedCode>;
  /** Takes the second factor away and ends all sessions, as `admin.take-second-factor` does; answers how many ended. */
  takeSecondFactor(username: Username): Promise<number>;
}

/** Does it in a store; each thing that is done is a row of the audit trail, which comes first. */
export function accountRecovery(store: Store): Recovery {
  async function find(username: Username): Promise<Account> {
    const account = await store.account(username);
    if (!account) throw noSuchAccount(username);
    return account;
  }

  async function audit(operation: string, user: Username, details?: AuditDetails): Promise<void> {
    const settings = await serverSettings(store);
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
