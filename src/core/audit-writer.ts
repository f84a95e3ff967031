import type { AuditEntry, AuditTrail } from './audit.ts';
import type { AuditChain, AuditLink } from './audit-chain.ts';
import { auditWrites } from './policy.ts';
import type { ChatFigures } from './ports/meter.ts';
import type { Store } from './ports/store.ts';

/**
 * Writes the audit trail behind the answers: nobody who is answered waits for it. One write is under way at a time and takes what
 * has come meanwhile, so that the order of the entries is that of the trail. What the store does not take is tried again; when
 * more waits than may, the newest are left out, those of strangers that were refused before all others, and the trail says how many.
 */
export interface AuditWriter {
  readonly append: AuditTrail;
  /** Takes an entry that the log has in other words. */
  readonly keep: AuditTrail;
  /** What waits to be stored, and how many were left out since the start. */
  figures(): Pick<ChatFigures, 'auditWaiting' | 'auditLost'>;
  /** Resolves when what was appended before now is stored, or has been found not to be storable now. */
  written(): Promise<void>;
  /** Writes what waits, once more where it has failed, and takes nothing after that. */
  close(): Promise<void>;
}

/** What a writer needs from its surroundings. */
export interface AuditWriterParts {
  readonly store: Pick<Store, 'appendAudit'>;
  readonly chain: AuditChain;
  /** Told of each entry at once, before it is stored. */
  readonly told: AuditTrail;
  /** Told now and then where the trail ends, so that whoever keeps that elsewhere has something to compare with. */
  readonly onHead: (head: AuditLink) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Builds the writer of one node. */
export function createAuditWriter({ store, chain, told, onHead, onFailure }: AuditWriterParts): AuditWriter {
  let waiting: AuditEntry[] = [];
  let lost = 0;
  let lostInAll = 0;
  /** How many have waited so far, and how many of those are in the store. */
  let taken = 0;
  let stored = 0;
  let underWay: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasFailed = false;
  let isClosed = false;
  let head: AuditLink | undefined;
  let toldSeq = 0;
  let toldAt = 0;

  function schedule(delayMs: number): void {
    if (timer === undefined && !isClosed) {
      timer = setTimeout(() => {
        timer = undefined;
        void write();
      }, delayMs);
    }
  }

  /** Writes what waits now; of two calls the second one waits for the first. */
  function write(): Promise<void> {
    underWay ??= writeNow().finally(() => {
      underWay = undefined;
      if (waiting.length > 0) schedule(hasFailed ? auditWrites.retryMs : auditWrites.lingerMs);
    });
    return underWay;
  }

  async function writeNow(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const entries = waiting.slice(0, auditWrites.atOnce);
    const missing = lost;
    const [first] = entries;
    if (!first) return;
    const all = missing === 0 ? entries : [...entries, lostEntry(Date.now(), missing)];
    try {
      head = await store.appendAudit({ entries: all, chain });
      waiting = waiting.slice(entries.length);
      stored += entries.length;
      lost -= missing;
      hasFailed = false;
      tellHead();
    } catch (error) {
      // Every entry would say it while the disk is full.
      if (!hasFailed) onFailure(error);
      hasFailed = true;
    }
  }

  function tellHead(isLast = false): void {
    if (!head || head.seq === toldSeq) return;
    const now = Date.now();
    const isDue = head.seq >= toldSeq + auditWrites.headRows || now >= toldAt + auditWrites.headMs;
    if (!isDue && !isLast) return;
    toldSeq = head.seq;
    toldAt = now;
    onHead(head);
  }

  async function written(): Promise<void> {
    const upTo = taken;
    await underWay;
    while (stored < upTo) {
      await write();
      if (hasFailed) return;
    }
  }

  /** Room that refused strangers do not get is there for what was done, and for whoever is known. */
  function hasRoom({ outcome, details }: AuditEntry): boolean {
    const isStrangers = outcome !== 'ok' && details?.session === undefined;
    return waiting.length < (isStrangers ? auditWrites.maxStrangersWaiting : auditWrites.maxWaiting);
  }

  function keep(entry: AuditEntry): void {
    if (isClosed) return;
    if (hasRoom(entry)) {
      waiting.push(entry);
      taken += 1;
    } else {
      lost += 1;
      lostInAll += 1;
    }
    schedule(hasFailed ? auditWrites.retryMs : auditWrites.lingerMs);
  }

  return {
    append(entry) {
      told(entry);
      keep(entry);
    },
    keep,
    figures: () => ({ auditWaiting: waiting.length, auditLost: lostInAll }),
    written,
    async close() {
      do await written();
      while (waiting.length > 0 && !hasFailed);
      isClosed = true;
      clearTimeout(timer);
      tellHead(true);
    },
  };
}

function lostEntry(at: number, count: number): AuditEntry {
  return {
    at,
    operation: 'audit.lost',
    user: undefined,
    door: undefined,
    address: undefined,
    outcome: 'unavailable',
    details: { count },
  };
}
