import type { AuditEntry, AuditTrail } from './audit.ts';
import type { ErrorCode } from './errors.ts';
import { addressKey } from './model/address.ts';
import { refusalRows } from './policy.ts';

/**
 * Keeps refusals in the trail without letting them fill it: refusing costs a caller nothing, and a row stays. A refusal that
 * judged the secret of an account has a row of its own, since the waits after failed logins bound those. Of the others the first of
 * a minute has one, by who was refused, operation and outcome; how many followed it stands in one more row when the minute is over.
 */
export interface Refusals {
  refused(entry: AuditEntry, who: Refused): void;
  /** Writes down what was counted, and counts no more: what is still refused has a row each. */
  stop(): void;
}

/** Who was refused. */
export interface Refused {
  /** The id of the account whose session the call came with. */
  readonly account: string | undefined;
  /** True when a caller without a session was found to be about an account, not only to have named one. */
  readonly isConcerned: boolean;
}

interface Counted {
  /** The last of them; of strangers from many addresses without one. */
  entry: AuditEntry;
  followed: number;
}

/** What a login, or a fresh proof of an account's secret, answers once it has been judged. */
const judging: ReadonlySet<AuditEntry['outcome']> = new Set<ErrorCode>([
  'unauthenticated',
  'second-factor-required',
]);

/** Builds the refusals of one node, in front of its trail. */
export function createRefusals(append: AuditTrail): Refusals {
  const { windowMs, strangers } = refusalRows;
  let counted = new Map<string, Counted>();
  let ofStrangers = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const over = counted;
    counted = new Map();
    ofStrangers = 0;
    for (const { entry, followed } of over.values()) {
      if (followed > 0) append({ ...entry, details: { count: followed } });
    }
  }

  /** Begins to count under a key, with so many already. */
  function begin(key: string, entry: AuditEntry, followed: number): void {
    counted.set(key, { entry, followed });
    timer ??= setTimeout(flush, windowMs);
  }

  function follow(one: Counted, entry: AuditEntry): void {
    one.entry = entry;
    one.followed += 1;
  }

  return {
    refused(entry, { account, isConcerned }) {
      const isJudged = (account !== undefined || isConcerned) && judging.has(entry.outcome);
      if (isStopped || isJudged) return append(entry);
      const what = `${entry.operation} ${entry.outcome}`;
      const who = account === undefined ? `address ${addressKey(entry.address ?? '')}` : `account ${account}`;
      const key = `${who} ${what}`;
      // Who it was is one account; of an address the next may name another.
      const last = account === undefined ? { ...entry, user: undefined } : entry;
      const known = counted.get(key);
      if (known) return follow(known, last);
      if (account === undefined && ofStrangers >= strangers) {
        const nowhere = { ...last, door: undefined, address: undefined };
        const others = counted.get(what);
        return others ? follow(others, nowhere) : begin(what, nowhere, 1);
      }
      if (account === undefined) ofStrangers += 1;
      append(entry);
      begin(key, last, 0);
    },
    stop() {
      isStopped = true;
      flush();
    },
  };
}
