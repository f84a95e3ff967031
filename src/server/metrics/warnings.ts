import type { ServerFigures } from './figures.ts';

const mebibyte = 1_048_576;
const dayMs = 86_400_000;

/** From where on a value is bad; docs/operating.md says why, and docs/alerts.yml has the same. */
export const thresholds = {
  freeDiskBytes: 1_024 * mebibyte,
  syncSeconds: 0.1,
  loopDelaySeconds: 0.1,
  storeQueue: 10_000,
  /** Transactions that wait for a connection: more than a burst that is over in a moment. */
  storeWaiting: 200,
  logBytes: 256 * mebibyte,
  indexLag: 500_000,
  auditWaiting: 1_000,
  /** Half of what one address may have waiting: more than people do, and within reach of one guesser. */
  passwordsWaiting: 16,
  mailsWaiting: 100,
  queuedBytes: 256 * mebibyte,
  backupAgeMs: 7 * dayMs,
  certificateLeftMs: 14 * dayMs,
  availableMemoryBytes: 256 * mebibyte,
  /** Of the connections that the server takes. */
  connectionsPart: 0.9,
} as const;

/** What is bad now, a sentence each, the gravest first; none for a server that is well. */
export function warningsOf(figures: ServerFigures, now: number): string[] {
  const { disk, store, chat, passwords, mail, backups, traffic, lately } = figures;
  const open = traffic.open.reduce((sum, { count }) => sum + count, traffic.undecided);
  const backupAgeMs = backups?.newestAt === undefined ? undefined : now - backups.newestAt;
  const certificateMs = Math.min(figures.certificateUntil, figures.authorityUntil) - now;
  const { remote } = store;
  const bus = figures.node?.bus;
  const found: ReadonlyArray<readonly [isBad: boolean, text: string]> = [
    [remote?.isUp === false, 'the database cannot be reached: calls are answered unavailable until it can'],
    [
      bus?.isUp === false,
      'Redis does not answer: what happens on other nodes is seen here some seconds late, and limits count per node',
    ],
    [
      bus?.isUp === true && !bus.isHeard,
      'Redis answers, and what this node tells the others does not come back: what happens on other nodes is seen here some seconds late',
    ],
    [
      (disk.freeBytes ?? Number.POSITIVE_INFINITY) < thresholds.freeDiskBytes,
      `the disk of the data directory has ${mebibytes(disk.freeBytes ?? 0)} MiB left: when it is full nothing is stored`,
    ],
    [
      certificateMs < thresholds.certificateLeftMs,
      certificateMs < 0
        ? 'a certificate of the server has expired: the log says why it was not renewed (certificates-kept); one of your own you bring, then SIGHUP'
        : `a certificate of the server expires in ${Math.floor(certificateMs / dayMs)} days: the log says why it was not renewed (certificates-kept); one of your own you bring, then SIGHUP`,
    ],
    [
      lately.fullDisk > 0,
      `${lately.fullDisk} writes found the disk full in the last hour: messages were refused`,
    ],
    [
      (figures.syncP99 ?? 0) > thresholds.syncSeconds,
      `the disk takes ${milliseconds(figures.syncP99 ?? 0)} ms for a sync: every message waits for one`,
    ],
    [
      figures.loopDelayP99 > thresholds.loopDelaySeconds,
      `the event loop is ${milliseconds(figures.loopDelayP99)} ms late: everybody waits`,
    ],
    [store.queue > thresholds.storeQueue, `${store.queue} calls wait for the store`],
    [
      disk.logBytes > thresholds.logBytes,
      `the database's log has ${mebibytes(disk.logBytes)} MiB: checkpoints do not keep up, or a backup takes long`,
    ],
    [
      figures.availableMemoryBytes < thresholds.availableMemoryBytes,
      `${mebibytes(figures.availableMemoryBytes)} MiB of memory are left`,
    ],
    [
      figures.maxConnections > 0 && open > figures.maxConnections * thresholds.connectionsPart,
      `${open} of ${figures.maxConnections} connections are open`,
    ],
    [
      traffic.queuedBytes > thresholds.queuedBytes,
      `${mebibytes(traffic.queuedBytes)} MiB wait for readers that are slow`,
    ],
    [
      chat.auditWaiting > thresholds.auditWaiting,
      `${chat.auditWaiting} entries of the audit trail wait to be stored`,
    ],
    [lately.auditLost > 0, `${lately.auditLost} entries of the audit trail were left out in the last hour`],
    [
      (remote?.waiting ?? 0) > thresholds.storeWaiting,
      `${remote?.waiting} transactions wait for a connection to the database: see its load, or pool_max_conns in --store`,
    ],
    [lately.bugs > 0, `${lately.bugs} calls ended as a bug in the last hour: see failure in the log`],
    [passwords.waiting > thresholds.passwordsWaiting, `${passwords.waiting} passwords wait to be checked`],
    [
      (mail?.waiting ?? 0) > thresholds.mailsWaiting,
      `${mail?.waiting} mails wait to be sent: see the mail server`,
    ],
    [
      lately.mailsGivenUp > 0,
      `${lately.mailsGivenUp} mails were given up in the last hour: see mail-given-up in the log`,
    ],
    [
      store.indexLag > thresholds.indexLag,
      `${store.indexLag} messages are not in the index of words yet: searches do not find them`,
    ],
    [
      backups !== undefined && (backupAgeMs === undefined || backupAgeMs > thresholds.backupAgeMs),
      backupAgeMs === undefined
        ? 'there is no backup: chat admin backup makes one'
        : `the newest backup is ${Math.floor(backupAgeMs / dayMs)} days old: chat admin backup makes one`,
    ],
  ];
  return found.filter(([isBad]) => isBad).map(([, text]) => text);
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / mebibyte);
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1_000);
}
