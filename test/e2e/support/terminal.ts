import { type IPty, spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';
import { onTestFinished } from 'vitest';
import { compileCache } from '../../support/compile-cache.ts';
import { startedIn } from './prepared.ts';
import { chat } from './server.ts';

/** How large a terminal is. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A program in a real pseudo-terminal, whose screen is kept by a real terminal emulator. */
export class TerminalSession {
  readonly #pty: IPty;
  readonly #screen: InstanceType<typeof headless.Terminal>;
  readonly #exited: Promise<number>;
  #waiters: (() => void)[] = [];
  #isOver = false;
  /** Everything that the program has written, as it came. */
  written = '';

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv, { columns, rows }: Size) {
    this.#screen = new headless.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 0 });
    this.#pty = spawn(file, [...args], {
      name: env.TERM ?? 'xterm-256color',
      cols: columns,
      rows,
      cwd: startedIn,
      env: { LANG: 'C.UTF-8', ...compileCache, ...env },
    });
    this.#pty.onData((data) => {
      this.written += data;
      this.#screen.write(data, () => this.#wake());
    });
    this.#exited = new Promise((resolve) => {
      this.#pty.onExit(({ exitCode, signal }) => {
        this.#isOver = true;
        resolve(signal ? 128 + signal : exitCode);
        this.#wake();
      });
    });
    onTestFinished(async () => {
      if (!this.#isOver) this.#pty.kill('SIGKILL');
      await this.#exited;
      this.#screen.dispose();
    });
  }

  get pid(): number {
    return this.#pty.pid;
  }

  /** Which screen is in use: programs that draw take the alternate one, and give it back. */
  get buffer(): 'normal' | 'alternate' {
    return this.#screen.buffer.active.type;
  }

  /** True while pastes are marked. */
  get marksPastes(): boolean {
    return this.#screen.modes.bracketedPasteMode;
  }

  /** The rows of the screen, without blanks at their ends. */
  get rows(): string[] {
    const { active } = this.#screen.buffer;
    return Array.from({ length: this.#screen.rows }, (_, index) =>
      (active.getLine(active.baseY + index)?.translateToString(true) ?? '').trimEnd(),
    );
  }

  /** Where the cursor stands, counted from 0. */
  get cursor(): { readonly row: number; readonly column: number } {
    const { cursorY, cursorX } = this.#screen.buffer.active;
    return { row: cursorY, column: cursorX };
  }

  /** The screen as one text. */
  get text(): string {
    return this.rows.join('\n');
  }

  /** Types keys as they are. */
  type(keys: string): void {
    this.#pty.write(keys);
  }

  /** Types a line and Enter. */
  enter(line: string): void {
    this.type(`${line}\r`);
  }

  resize({ columns, rows }: Size): void {
    this.#screen.resize(columns, rows);
    this.#pty.resize(columns, rows);
  }

  kill(signal: NodeJS.Signals): void {
    this.#pty.kill(signal);
  }

  /** Waits until the screen fits; throws with the screen as it is when the program ends before, or at the end of time. */
  async shows(what: string | RegExp | ((text: string) => boolean), withinMs = 60_000): Promise<void> {
    const fits = (): boolean => {
      if (typeof what === 'string') return this.text.includes(what);
      return what instanceof RegExp ? what.test(this.text) : what(this.text);
    };
    const giveUpAt = Date.now() + withinMs;
    while (!fits()) {
      const left = giveUpAt - Date.now();
      if (this.#isOver || left <= 0) throw new Error(`not shown: ${what}\non this screen:\n${this.text}`);
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  /** Waits for the end; answers the exit code, 128 and the number for a signal. */
  async ended(): Promise<number> {
    const code = await this.#exited;
    // What was written last may still be on its way through the emulator.
    await new Promise<void>((resolve) => this.#screen.write('', resolve));
    return code;
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

/** Keys by what terminals send for them. */
export const keys = {
  enter: '\r',
  tab: '\t',
  up: '\u001b[A',
  down: '\u001b[B',
  left: '\u001b[D',
  pageUp: '\u001b[5~',
  pageDown: '\u001b[6~',
  ctrl: (letter: string): string => String.fromCharCode(letter.charCodeAt(0) & 0x1f),
  alt: (key: string): string => `\u001b${key}`,
  paste: (text: string): string => `\u001b[200~${text}\u001b[201~`,
} as const;

/** Runs `chat ARGS` in a terminal. */
export function chatIn(env: NodeJS.ProcessEnv, size: Size, args: readonly string[] = []): TerminalSession {
  return new TerminalSession(chat, args, env, size);
}

/** A shell with job control in a terminal. */
export function shellIn(env: NodeJS.ProcessEnv, size: Size): TerminalSession {
  return new TerminalSession('/bin/bash', ['--norc', '--noprofile', '-i'], { ...env, PS1: '$ ' }, size);
}
