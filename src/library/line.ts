import type { Connection } from '../client/connection.ts';
import type { Open } from '../client/outbox.ts';

/** The connection on which is sent and asked: made when it is needed, and made again when it has ended. */
export class Line {
  readonly #make: Open;
  #current: Promise<Connection> | undefined;
  /** The one that is there, and has not ended. */
  #connection: Connection | undefined;

  constructor(make: Open) {
    this.#make = make;
  }

  /** The connection; whoever asks leaves it open, or closes it when it is of no use any more. */
  readonly open: Open = (sessionEnd) => {
    this.#current ??= this.#connect(sessionEnd);
    return this.#current;
  };

  /** The connection that is there; undefined when there is none. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  async close(): Promise<void> {
    const connection = await this.#current?.catch(() => undefined);
    await connection?.close();
  }

  async #connect(sessionEnd: Parameters<Open>[0]): Promise<Connection> {
    try {
      const connection = await this.#make(sessionEnd);
      this.#connection = connection;
      void connection.closed.then(() => this.#drop());
      return connection;
    } catch (error) {
      this.#drop();
      throw error;
    }
  }

  #drop(): void {
    this.#current = undefined;
    this.#connection = undefined;
  }
}
