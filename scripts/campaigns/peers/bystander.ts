import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../../src/client/connection.ts';
import { acknowledgedOf, Ledger, sendLoad } from '../load.ts';
import { open } from '../people.ts';
import type { Sent } from '../promises.ts';
import { seeded } from '../random.ts';
import { Reader } from '../reader.ts';
import type { ServerProcess } from '../server-process.ts';

/** Everybody else is answered within this time, in milliseconds. */
const servedMs = 20_000;
/** Between two messages, and between two questions, in milliseconds. */
const pauseMs = 20;

/** How the texts of the bystander begin: with the number of the trial, and what a load adds (load.ts). */
const ownText = /^\d+\.\d+\.\d+/;
/** How the texts begin that an attack has a load send. */
export const othersLabel = 'load';
/** Connections of a bystander while nothing is done to the server: one that asks and one that follows. */
export const bystanderConnections = 2;

/** Somebody who has nothing to do with it: sends, follows and asks all the while, and looks at everything afterwards. */
export class Bystander {
  readonly #server: ServerProcess;
  readonly #token: string;
  readonly #ledger = new Ledger((text) => !ownText.test(text));
  readonly #reader: Reader;
  readonly operator: Connection;
  #stop = new AbortController();
  #sending: Promise<Sent[]> = Promise.resolve([]);
  #asking: Promise<string[]> = Promise.resolve([]);
  /** Of all its messages. */
  acknowledged = 0;
  /** What it waited longest for an answer since it began, in milliseconds. */
  slowestMs = 0;

  private constructor(server: ServerProcess, token: string, operator: Connection) {
    this.#server = server;
    this.#token = token;
    this.operator = operator;
    this.#reader = new Reader(token, () => server.port);
  }

  /** Comes with a session of an administrator's. */
  static async come(server: ServerProcess, token: string): Promise<Bystander> {
    const bystander = new Bystander(server, token, await open(server.port, token));
    await bystander.#reader.start();
    return bystander;
  }

  /** Begins to send and to ask; resolves when the first message was acknowledged. */
  async begin(label: string, seed: number): Promise<void> {
    this.#stop = new AbortController();
    this.slowestMs = 0;
    const served = Promise.withResolvers<void>();
    this.#sending = sendLoad({
      port: this.#server.port,
      token: this.#token,
      label,
      random: seeded(seed),
      senders: 1,
      window: 1,
      pauseMs,
      signal: this.#stop.signal,
      onAcknowledged: served.resolve,
    });
    await Promise.race([served.promise, this.#sending]);
    this.#asking = this.#ask();
  }

  /** Ends it; answers what is broken of what was promised to it. */
  async end(): Promise<string[]> {
    this.#stop.abort();
    const broken = await this.#asking;
    const sent = await this.#sending;
    this.acknowledged += acknowledgedOf(sent);
    if (this.#server.hasEnded) return broken;
    const refused = sent.length - acknowledgedOf(sent);
    if (refused > 0 || sent.length === 0) broken.push(`${refused} of ${sent.length} messages got no answer`);
    broken.push(...(await this.#ledger.check(this.#server.port, this.#token, sent)));
    broken.push(...(await this.#reader.check()).map((sentence) => `who follows: ${sentence}`));
    return broken;
  }

  async leave(): Promise<void> {
    await this.#reader.close();
    await this.operator.close();
  }

  async #ask(): Promise<string[]> {
    while (!this.#stop.signal.aborted) {
      const askedAt = performance.now();
      try {
        await this.operator.call('ping', {}, { timeoutMs: servedMs });
      } catch (error) {
        return [`somebody else was not answered: ${String(error)}`];
      }
      this.slowestMs = Math.max(this.slowestMs, Math.round(performance.now() - askedAt));
      await delay(pauseMs);
    }
    return [];
  }
}
