import type { AuditTrail } from './audit.ts';
import type { AuditChain } from './audit-chain.ts';
import type { ConversationId } from './model/ids.ts';
import { eraseSweepMs, expirySweepMs, mostFailedErasures, type Policy } from './policy.ts';
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
  readonly chain: AuditChain;
  /** Told of what the store has put into the audit trail. */
  readonly told: AuditTrail;
  /** Told of work that failed; it is tried again. */
  readonly onFailure: (error: unknown) => void;
}

/** Builds the erasing of one node: it looks at its start and then every minute, and for old messages every day. */
export function createErasing({ store, sessions, policy, chain, told, onFailure }: ErasingParts): Erasing {
  let isStopped = false;
  let isRunning = false;
  let isAsked = false;
  let expiryAt = 0;

  /** One that fails is left for the next time, so that those after it do not wait for it. */
  async function eraseDue(): Promise<void> {
    let failed = 0;
    while (!isStopped && failed < mostFailedErasures) {
      try {
        const step = await store.eraseNext({ now: Date.now(), skip: failed, chain });
        if (step.kind === 'none') return;
        if (step.kind === 'begun') sessions.ended(step.ended, 'revoked', { of: step.username });
        if (step.kind === 'finished') told(step.entry);
      } catch (error) {
        failed += 1;
        tell(error);
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

  /** A store that is closed while the work is under way is no failure. */
  function tell(error: unknown): void {
    if (!isStopped) onFailure(error);
  }

  async function work(): Promise<void> {
    await eraseDue();
    // Each by itself: what one of them cannot do must not keep deleted bytes in the files.
    await expireOld(Date.now()).catch(tell);
    // Also when nothing was done now: a server that was killed may have left it to do.
    await scrubFiles().catch(tell);
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
