import type { DoorName } from '../model/session.ts';

/** What only the machine knows, and can do, on which a server runs: asked for by administrators. */
export interface Operator {
  facts(): Promise<ServerFacts>;
  /**
   * Copies the database as it is now to a file of a new name in the server's directory for backups, and checks nothing: on disk when it
   * resolves, for its owner alone. Everything is served meanwhile. `conflict` while another is being made, `unavailable` with
   * nothing left behind when there is no room for it.
   */
  backUp(now: number): Promise<Backup>;
  /** Checks a backup, or with no name a copy of the database that is made for it and removed; `not-found` for a name that no backup has. */
  check(name: string | undefined, now: number): Promise<CheckedCopy>;
}

/** The process and its files. Instants are UTC milliseconds. */
export interface ServerFacts {
  readonly version: string;
  /** The version of Node that it runs on. */
  readonly node: string;
  readonly startedAt: number;
  /** What this run of this node is called; undefined for a server that keeps everything in its data directory. */
  readonly nodeId: string | undefined;
  /** Which program keeps everything, like `SQLite` or `PostgreSQL 15.14`. */
  readonly store: string;
  /** Of a store that is elsewhere: whether it can be reached, open connections to it, and what waits for one. */
  readonly storeConnection:
    | { readonly isUp: boolean; readonly open: number; readonly waiting: number }
    | undefined;
  /** Whether the bus answers, and how many other nodes are heard; undefined for an only node. */
  readonly bus: { readonly isUp: boolean; readonly peers: number } | undefined;
  /** Open connections. */
  readonly connections: number;
  /** Of those, how many came to which door. */
  readonly doors: ReadonlyArray<{
    readonly door: DoorName;
    readonly tls: boolean;
    readonly connections: number;
  }>;
  /** Logged-in connections, and requests under way. */
  readonly loggedIn: number;
  readonly messagesLastMinute: number;
  readonly messagesLastHour: number;
  /** Messages given to followers since the start. */
  readonly deliveries: number;
  /** Followers that are behind. */
  readonly lagging: number;
  /** Bytes that wait for their readers. */
  readonly queuedBytes: number;
  /** The database and its log. */
  readonly databaseBytes: number;
  /** The log alone, and when it was last brought into the database. */
  readonly logBytes: number;
  readonly checkpointAt: number | undefined;
  /** What the disk took for a sync in the last minutes, in milliseconds; undefined when there was none. */
  readonly syncP50Ms: number | undefined;
  readonly syncP99Ms: number | undefined;
  /** What waits: calls for the store, messages for the index of words, passwords, mails, entries of the audit trail. */
  readonly storeQueue: number;
  readonly indexLag: number;
  readonly passwordsWaiting: number;
  readonly mailsWaiting: number;
  readonly auditWaiting: number;
  /** Of the process: resident, and in use on the heap. */
  readonly memoryBytes: number;
  readonly heapBytes: number;
  /** By how much the event loop was late in the last minutes, in milliseconds. */
  readonly loopDelayP50Ms: number;
  readonly loopDelayP99Ms: number;
  /** On the disk of the data directory; undefined where the system does not say. */
  readonly diskFreeBytes: number | undefined;
  /** When the newest backup in the server's directory was made. */
  readonly backupAt: number | undefined;
  /** When the first of the server's certificates expires. */
  readonly certificateExpiresAt: number;
  /** What is bad now, a sentence each. */
  readonly warnings: readonly string[];
}

/** A copy of the database. */
export interface Backup {
  readonly name: string;
  readonly bytes: number;
  /** Of the whole file, 32 bytes. */
  readonly sha256: Uint8Array;
}

/** What a look at a copy found. */
export interface CheckedCopy {
  /** Null for one that was made to be checked. */
  readonly name: string | null;
  readonly bytes: number;
  /** The format of the database. */
  readonly format: number;
  /** What is wrong with it, at most ten sentences; none for a sound one. */
  readonly faults: readonly string[];
}
