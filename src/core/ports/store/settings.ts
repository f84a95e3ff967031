/** What makes a server the server that it is. */
export interface SettingsStore {
  /** The server's own settings, made by `fresh` at the very first start and stable from then on. */
  settings(fresh: ServerSettings): Promise<ServerSettings>;
}

/** What makes this server this server: both are random, made once, and never change. */
export interface ServerSettings {
  readonly realm: string;
  /** 32 bytes. */
  readonly serverSecret: Uint8Array;
}
