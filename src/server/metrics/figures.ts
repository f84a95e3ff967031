import { X509Certificate } from 'node:crypto';
import { freemem } from 'node:os';
import type { ErrorCode } from '../../core/errors.ts';
import type { Peer } from '../../core/peer.ts';
import type { ChatFigures, Meter } from '../../core/ports/meter.ts';
import type { BackupFigures } from '../backups/backups.ts';
import type { ServerIdentity } from '../certificates/certificates.ts';
import type { BusFigures } from '../cluster/join-nodes.ts';
import type { TrafficFigures } from '../doors/traffic.ts';
import { quantile } from '../histogram.ts';
import type { MailFigures } from '../mailer/mail-queue.ts';
import type { StoreFigures } from '../store/server-store.ts';
import type { PasswordFigures } from '../workers/password-pool.ts';
import { type CallFigures, createCallTable } from './call-table.ts';
import { watchLoopDelay } from './loop-delay.ts';
import { memoryLeft } from './memory-left.ts';
import { recently, recentOf } from './recent.ts';

/** What was never measured. */
const nothing = { bounds: [], counts: [0], sum: 0 };

/** What is told as having happened lately, in milliseconds. */
const lateMs = 3_600_000;

/** What the disks say; undefined for what the system does not. */
export interface DiskFigures {
  readonly databaseBytes: number;
  /** The database's log, which goes into the database at each checkpoint. */
  readonly logBytes: number;
  /** Where the data directory is. */
  readonly freeBytes: number | undefined;
}

/** What must not happen at all: how often it did in the last hour. */
export interface LateFigures {
  /** Calls that ended as a bug. */
  readonly bugs: number;
  /** Writes of the store that found the disk full. */
  readonly fullDisk: number;
  readonly auditLost: number;
  readonly mailsGivenUp: number;
}

/** A node among the others of its server. */
export interface NodeFigures {
  /** What this run of this node is called. */
  readonly id: string;
  /** Undefined for the only node. */
  readonly bus: BusFigures | undefined;
  /** Other nodes of which it is known who is online there. */
  readonly known: number;
}

/** Everything that is known of how a server is doing, at one moment. Times in seconds, instants in UTC milliseconds. */
export interface ServerFigures {
  readonly version: string;
  readonly startedAt: number;
  readonly isDraining: boolean;
  readonly maxConnections: number;
  readonly traffic: TrafficFigures;
  readonly chat: ChatFigures;
  readonly calls: readonly CallFigures[];
  /** What each limit has refused. */
  readonly limited: ReadonlyMap<string, number>;
  /** Messages stored since the start, and of them those of the last minute and hour. */
  readonly messages: number;
  readonly messagesLastMinute: number;
  readonly messagesLastHour: number;
  readonly store: StoreFigures;
  /** Undefined for a server that keeps everything in its data directory. */
  readonly node: NodeFigures | undefined;
  /** Calls that ended as a bug, since the start. */
  readonly bugs: number;
  readonly lately: LateFigures;
  /** Of the last five to ten minutes; undefined when nothing was synced. */
  readonly syncP50: number | undefined;
  readonly syncP99: number | undefined;
  readonly passwords: PasswordFigures;
  /** Undefined where the server sends none. */
  readonly mail: MailFigures | undefined;
  /** Undefined where the server makes none. */
  readonly backups: BackupFigures | undefined;
  readonly disk: DiskFigures;
  /** When what TLS shows and the authority for people's certificates expire. */
  readonly certificateUntil: number;
  readonly authorityUntil: number;
  readonly loopDelayP50: number;
  readonly loopDelayP99: number;
  /** Of the process: resident, and in use on the heap of JavaScript. */
  readonly memoryBytes: number;
  readonly heapBytes: number;
  /** What the process may still take before the system, or its group, has none left. */
  readonly availableMemoryBytes: number;
}

/** Where the figures come from; each is asked when somebody wants to see them, and never otherwise. */
export interface FigureSources {
  readonly version: string;
  readonly startedAt: number;
  readonly maxConnections: number;
  isDraining(): boolean;
  traffic(): TrafficFigures;
  chat(): ChatFigures;
  store(): StoreFigures;
  node(): NodeFigures | undefined;
  passwords(): PasswordFigures;
  mail(): MailFigures | undefined;
  backups(): Promise<BackupFigures | undefined>;
  disk(): Promise<DiskFigures>;
  identity(): ServerIdentity;
}

/** Reads how a server is doing. */
export interface FigureReader {
  read(): Promise<ServerFigures>;
  stop(): void;
}

/** What a server counts from its start on. */
export interface ServerCounts {
  readonly meter: Meter;
  stored(): void;
  readonly messages: number;
  readonly bugs: number;
  readonly limited: ReadonlyMap<string, number>;
  readCalls(): CallFigures[];
}

/** Told of each call, besides that it is counted. */
export type CallListener = (
  operation: string | undefined,
  outcome: 'ok' | ErrorCode,
  ms: number,
  peer: Peer,
) => void;

/** Begins to count. */
export function createCounts(onCall?: CallListener): ServerCounts {
  const calls = createCallTable();
  const limited = new Map<string, number>();
  let messages = 0;
  let bugs = 0;
  return {
    meter: {
      served(operation, outcome, ms, peer) {
        calls.count(operation, outcome, ms);
        if (outcome === 'internal') bugs += 1;
        onCall?.(operation, outcome, ms, peer);
      },
      limited: (what) => void limited.set(what, (limited.get(what) ?? 0) + 1),
    },
    stored() {
      messages += 1;
    },
    get messages() {
      return messages;
    },
    get bugs() {
      return bugs;
    },
    limited,
    readCalls: () => calls.read(),
  };
}

/** Builds the reader; it looks at a few counts each ten seconds, so that it can say what was lately. */
export function figureReader(counts: ServerCounts, sources: FigureSources): FigureReader {
  const messages = recently(() => counts.messages);
  const syncs = recentOf(() => sources.store().file?.syncSeconds ?? nothing);
  const loop = watchLoopDelay();
  const lately = {
    bugs: recently(() => counts.bugs, 0),
    fullDisk: recently(() => sources.store().file?.fullDisk ?? 0, 0),
    auditLost: recently(() => sources.chat().auditLost, 0),
    mailsGivenUp: recently(() => sources.mail()?.givenUp ?? 0, 0),
  };
  return {
    async read() {
      const [backups, disk] = await Promise.all([sources.backups(), sources.disk()]);
      const { chain, authority } = sources.identity();
      const { rss, heapUsed } = process.memoryUsage();
      const synced = syncs.read();
      const { p50, p99 } = loop.read();
      return {
        version: sources.version,
        startedAt: sources.startedAt,
        isDraining: sources.isDraining(),
        maxConnections: sources.maxConnections,
        traffic: sources.traffic(),
        chat: sources.chat(),
        calls: counts.readCalls(),
        limited: counts.limited,
        messages: counts.messages,
        bugs: counts.bugs,
        lately: {
          bugs: lately.bugs.within(lateMs),
          fullDisk: lately.fullDisk.within(lateMs),
          auditLost: lately.auditLost.within(lateMs),
          mailsGivenUp: lately.mailsGivenUp.within(lateMs),
        },
        messagesLastMinute: messages.within(60_000),
        messagesLastHour: messages.within(3_600_000),
        store: sources.store(),
        node: sources.node(),
        syncP50: quantile(synced, 0.5),
        syncP99: quantile(synced, 0.99),
        passwords: sources.passwords(),
        mail: sources.mail(),
        backups,
        disk,
        certificateUntil: validUntil(chain),
        authorityUntil: validUntil(authority.certificate),
        loopDelayP50: p50,
        loopDelayP99: p99,
        memoryBytes: rss,
        heapBytes: heapUsed,
        availableMemoryBytes: memoryLeft({
          freeBytes: freemem(),
          limitBytes: process.constrainedMemory(),
          residentBytes: rss,
        }),
      };
    },
    stop() {
      messages.stop();
      syncs.stop();
      loop.stop();
      for (const one of Object.values(lately)) one.stop();
    },
  };
}

/** Of the first certificate in a PEM text. */
function validUntil(pem: string): number {
  return new X509Certificate(pem).validToDate.getTime();
}
