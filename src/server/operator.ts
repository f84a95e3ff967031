import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Operator, ServerFacts } from '../core/ports/operator.ts';
import type { Backups } from './backups/backups.ts';
import type { DiskFigures, ServerFigures } from './metrics/figures.ts';
import { warningsOf } from './metrics/warnings.ts';

/** What the answers about a server are made of. */
export interface OperatorParts {
  readonly backups: Backups;
  figures(): Promise<ServerFigures>;
}

/** Answers for the machine on which this server runs. */
export function machineOperator({ backups, figures }: OperatorParts): Operator {
  return {
    facts: async () => factsOf(await figures(), Date.now()),
    backUp: (now) => backups.backUp(now),
    check: (name, now) => backups.check(name, now),
  };
}

function factsOf(figures: ServerFigures, now: number): ServerFacts {
  const { traffic, chat, store, disk, node } = figures;
  return {
    version: figures.version,
    node: process.versions.node,
    startedAt: figures.startedAt,
    nodeId: node?.id,
    store: store.remote ? store.remote.server : 'SQLite',
    storeConnection: store.remote && {
      isUp: store.remote.isUp,
      open: store.remote.connections,
      waiting: store.remote.waiting,
    },
    bus: node?.bus && { isUp: node.bus.isUp, peers: node.bus.peers },
    connections: traffic.open.reduce((sum, { count }) => sum + count, traffic.undecided),
    doors: traffic.open
      .filter(({ count }) => count > 0)
      .map(({ door, isSecure, count }) => ({ door, tls: isSecure, connections: count })),
    loggedIn: chat.loggedIn,
    messagesLastMinute: figures.messagesLastMinute,
    messagesLastHour: figures.messagesLastHour,
    deliveries: chat.deliveries,
    lagging: chat.lagging,
    queuedBytes: traffic.queuedBytes,
    databaseBytes: disk.databaseBytes + disk.logBytes,
    logBytes: disk.logBytes,
    checkpointAt: store.file?.checkpointAt,
    syncP50Ms: milliseconds(figures.syncP50),
    syncP99Ms: milliseconds(figures.syncP99),
    storeQueue: store.queue,
    indexLag: store.indexLag,
    passwordsWaiting: figures.passwords.waiting,
    mailsWaiting: figures.mail?.waiting ?? 0,
    auditWaiting: chat.auditWaiting,
    memoryBytes: figures.memoryBytes,
    heapBytes: figures.heapBytes,
    loopDelayP50Ms: milliseconds(figures.loopDelayP50) ?? 0,
    loopDelayP99Ms: milliseconds(figures.loopDelayP99) ?? 0,
    diskFreeBytes: disk.freeBytes,
    backupAt: figures.backups?.newestAt,
    certificateExpiresAt: Math.min(figures.certificateUntil, figures.authorityUntil),
    warnings: warningsOf(figures, now),
  };
}

/** To a hundredth: finer is nothing that was measured. */
function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 100_000) / 100;
}

/** Looks at a database's files and their disk. */
export async function diskFigures(database: string): Promise<DiskFigures> {
  const [databaseBytes, logBytes, freeBytes] = await Promise.all([
    sizeOf(database),
    sizeOf(`${database}-wal`),
    statfs(dirname(database)).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => undefined,
    ),
  ]);
  return { databaseBytes, logBytes, freeBytes };
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
