import type { Connection } from '../../client/connection.ts';

/** One connection that serves many senders, one after the other. */
export class SharedConnection {
  readonly #open: () => Promise<Connection>;
  readonly #ended = new WeakSet<Connection>();
  #idle: Connection | undefined;

  constructor(open: () => Promise<Connection>) {
    this.#open = open;
  }

  /** The one that was given back, if it still lives, otherwise a new one. */
  async take(): Promise<Connection> {
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle !== undefined && !this.#ended.has(idle)) return idle;
    const connection = await this.#open();
    void connection.closed.then(() => this.#ended.add(connection));
    return connection;
  }

  giveBack(connection: Connection): void {
    this.#idle = connection;
  }

  async close(): Promise<void> {
    await this.#idle?.close();
  }
}
