/** Where a server listens, and whether it is spoken to over TLS. */
export interface Place {
  readonly port: number;
  readonly isSecure: boolean;
}

/** What somebody shows at a door to be let in. */
export type Credential = { readonly password: string } | { readonly token: string };

/** Somebody who is logged in at a door. */
export interface Visit {
  /** Sends a text to somebody; resolves when it is stored. */
  send(to: string, text: string): Promise<void>;
  /** The first `count` texts of the conversation with somebody, in order. */
  read(from: string, count: number): Promise<string[]>;
  /** Resolves when the door has noticed, by itself or at its next request, that the session has ended. */
  ended(): Promise<void>;
  close(): void;
}

/** One door as a program of its users sees it. */
export interface TestDoor {
  readonly name: string;
  /** What stands in the session list. */
  readonly door: string;
  /** Makes an account whose password the server was shown (`open`) or was not (`private`). */
  readonly makes: 'open' | 'private';
  /** True when the password itself is shown here, so that a private account's is refused. */
  readonly showsPassword: boolean;
  register(place: Place, username: string, password: string): Promise<void>;
  /** Logs in; throws what the door said when it refuses. */
  logIn(place: Place, username: string, credential: Credential): Promise<Visit>;
}
