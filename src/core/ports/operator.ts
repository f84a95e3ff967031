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

/** The process and its files. */
export interface ServerFacts {
  readonly version: string;
  /** UTC milliseconds. */
  readonly startedAt: number;
  /** Open connections. */
  readonly connections: number;
  /** The database and its log. */
  readonly databaseBytes: number;
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
