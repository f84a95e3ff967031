import type { AuditTrail } from './audit.ts';
import type { ConversationId } from './model/ids.ts';
import { eraseSweepMs, expirySweepMs, type Policy } from './policy.ts';
import type { Store } from './ports/store.ts';
import type { Sessions } from './sessions.ts';

/** Ends what is to be ended: accounts whose time to think it over has passed, and messages that have reached their age. */
export interface Erasing {
  /** Looks now, not at the next minute. */
  soon(): void;
  /** Stops between two pieces of the work; the next start goes on with it. */
  stop(): void;
}

/** What erasing needs from its surroundings. */
export interface ErasingParts {
  readonly store: Pick<Store, 'eraseNext' | 'expireMessages' | 'scrub'>;
  readonly sessions: Pick<Sessions, 'ended'>;
  readonly policy: Pick<Policy, 'messageRetentionMs'>;
  readonly audit: AuditTrail;
  /** Told of work that failed; it is tried again. */
  readonly onFailure: (error: unknown) => void;
}

/** Builds the erasing of one node: it looks at its start and then every minute, and for old messages every day. */
export function createErasing({ store, sessions, policy, audit, onFailure }: ErasingParts): Erasing {
  let isStopped = false;
  let isRunning = false;
  let isAsked = false;
  let expiryAt = 0;

  async function eraseDue(): Promise<void> {
    while (!isStopped) {
      const step = await store.eraseNext({ now: Date.now() });
      if (step.kind === 'none') return;
      if (step.kind === 'begun') sessions.ended(step.ended, 'revoked', { of: step.username });
      if (step.kind === 'finished') {
        audit({
          at: Date.now(),
          operation: 'account.erased',
          user: step.username,
          door: undefined,
          address: undefined,
          outcome: 'ok',
        });
      }
    }
  }

  async function expireOld(now: number): Promise<void> {
    if (policy.messageRetentionMs === 0 || now < expiryAt) return;
    let after: ConversationId | undefined;
    do {
      const before = now - policy.messageRetentionMs;
      ({ next: after } = await store.expireMessages({ before, after }));
    } while (after !== undefined && !isStopped);
    if (!isStopped) expiryAt = now + expirySweepMs;
  }

  async function scrubFiles(): Promise<void> {
    let from: number | undefined = 0;
    while (from !== undefined && !isStopped) ({ next: from } = await store.scrub({ from }));
  }

  async function work(): Promise<void> {
    try {
      await eraseDue();
      await expireOld(Date.now());
      // Also when nothing was done now: a server that was killed may have left it to do.
      await scrubFiles();
    } catch (error) {
      // A store that is closed while the work is under way is no failure.
      if (!isStopped) onFailure(error);
    }
  }

  async function run(): Promise<void> {
    isRunning = true;
    do {
      isAsked = false;
      await work();
    } while (isAsked && !isStopped);
    isRunning = false;
  }

  function soon(): void {
    if (isStopped) return;
    isAsked = true;
    if (!isRunning) void run();
  }

  const first = setTimeout(soon, 0);
  const timer = setInterval(soon, eraseSweepMs);
  return {
    soon,
    stop() {
      isStopped = true;
      clearTimeout(first);
      clearInterval(timer);
    },
  };
}
