/** What makes a server the server that it is. */
export interface SettingsStore {
  /** The server's own settings, made by `fresh` at the very first start and stable from then on. */
  settings(fresh: ServerSettings): Promise<ServerSettings>;
  /** What all nodes of a server keep together under a name; undefined while there is nothing. */
  shared(name: SharedName): Promise<Uint8Array | undefined>;
  /** Keeps a value instead of the one that its maker knows; answers what is kept then, which is another's where that one was first. */
  share(change: SharedChange): Promise<Uint8Array>;
}

/** What makes this server this server: both are random, made once, and never change. */
export interface ServerSettings {
  readonly realm: string;
  /** 32 bytes. */
  readonly serverSecret: Uint8Array;
}

/** What nodes keep together: the server's key and the authority's, and the authority's certificate; the store sees them sealed alone. */
export type SharedName = 'keys' | 'authority';

/** A value that is to be kept. */
export interface SharedChange {
  readonly name: SharedName;
  readonly value: Uint8Array;
  /** What it takes the place of; undefined for nothing. */
  readonly instead: Uint8Array | undefined;
}
