import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import type { Place } from './test-door.ts';

/** A connection that speaks in lines. */
export class Lines {
  readonly #socket: Socket;
  readonly #came: AsyncIterator<string>;

  constructor({ port, isSecure }: Place) {
    const where = { port, host: '127.0.0.1' };
    this.#socket = isSecure ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where);
    this.#socket.on('error', () => {});
    this.#came = createInterface({ input: this.#socket })[Symbol.asyncIterator]();
  }

  say(line: string): void {
    this.#socket.write(`${line}\n`);
  }

  /** The next line; undefined at the end. */
  async next(): Promise<string | undefined> {
    const { value, done } = await this.#came.next();
    return done ? undefined : value;
  }

  /** The next line that fits; throws the end, or the first line that `refusal` fits. */
  async nextLike(wanted: RegExp, refusal = /^error: |FAILURE/): Promise<RegExpExecArray> {
    for (;;) {
      const line = await this.next();
      if (line === undefined) throw new Error('the connection has ended');
      const found = wanted.exec(line);
      if (found) return found;
      if (refusal.test(line)) throw new Error(line);
    }
  }

  /** Resolves at the end, whatever comes before. */
  async ended(): Promise<void> {
    while ((await this.next()) !== undefined);
  }

  close(): void {
    this.#socket.destroy();
  }
}
