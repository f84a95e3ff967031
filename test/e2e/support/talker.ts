import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/** Somebody at a door of text: says lines, and waits for those that come. */
export class Talker {
  /** All that came. */
  text = '';
  readonly #to: Writable;
  readonly #close: () => void;
  /** How much of `text` was answered as lines. */
  #linesEnd = 0;
  #hasEnded = false;
  #waiters: Array<() => void> = [];

  constructor(from: Readable, to: Writable, close: () => void) {
    this.#to = to;
    this.#close = close;
    from.setEncoding('utf8').on('data', (chunk) => {
      this.text += chunk;
      this.#wake();
    });
    const end = () => {
      this.#hasEnded = true;
      this.#wake();
    };
    from.on('end', end).on('close', end);
    // Whoever is hung up on while speaking finds out by the end.
    from.on('error', () => {});
    to.on('error', () => {});
  }

  say(line: string): void {
    this.#to.write(`${line}\n`);
  }

  /** The next line that comes; undefined at the end. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.text.indexOf('\n', this.#linesEnd);
      if (end >= 0) {
        const line = this.text.slice(this.#linesEnd, end);
        this.#linesEnd = end + 1;
        return line;
      }
      if (this.#hasEnded) return undefined;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Says a line and answers the next one that comes. */
  ask(line: string): Promise<string | undefined> {
    this.say(line);
    return this.line();
  }

  /** Goes without a word. */
  close(): void {
    this.#close();
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

/** Connects in clear text. */
export async function talkClear(port: number): Promise<Talker> {
  const socket = connect({ port, host: '127.0.0.1' });
  const talker = new Talker(socket, socket, () => socket.destroy());
  await once(socket, 'connect');
  return talker;
}

/** Runs the command of document 5 (its "Client" section), as it stands. */
export async function talkByOpenssl(port: number): Promise<Talker> {
  const args = ['s_client', '-quiet', '-connect', `localhost:${port}`];
  const child: ChildProcess = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const { stdout, stdin } = child;
  if (!stdout || !stdin) throw new Error('started without pipes');
  return new Talker(stdout, stdin, () => child.kill('SIGKILL'));
}
