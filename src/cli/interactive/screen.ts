import type { Terminal } from '../terminal.ts';
import type { Frame } from './screen-layout.ts';
import type { Row, Style } from './text-layout.ts';

/** Paints a piece of text in its look; made once for a terminal. */
export type Painter = (text: string, style: Style) => string;

/** Reversed, which is no colour: bars are told apart from messages also without one. */
const reversed = (text: string): string => `\u001b[7m${text}\u001b[27m`;

/** A painter with chalk's sixteen colours, loaded when there is something to colour; or with none, where marks are told by their text. */
export async function painter(isColored: boolean): Promise<Painter> {
  if (!isColored) return (text, style) => (style.startsWith('bar') && text !== '' ? reversed(text) : text);
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  const names = [chalk.cyan, chalk.green, chalk.yellow, chalk.blue, chalk.magenta, chalk.red];
  const looks: Partial<Record<Style, (text: string) => string>> = {
    faint: chalk.dim,
    bold: chalk.bold,
    bar: chalk.bgBlackBright.white,
    'bar-active': chalk.bgWhite.black,
    'bar-unread': chalk.bgYellow.black,
    error: chalk.red,
  };
  return (text, style) => {
    if (style === 'plain' || text === '') return text;
    const name = /^name-(\d+)$/.exec(style)?.[1];
    const look = name === undefined ? looks[style] : names[Number(name) % names.length];
    return look?.(text) ?? text;
  };
}

const esc = '\u001b';
/** The alternate screen, no wrapping at the edge (a character may be wider there than we think), pastes marked. */
const enter = `${esc}[?1049h${esc}[?7l${esc}[?2004h${esc}[2J`;
const leave = `${esc}[?2004l${esc}[?7h${esc}[?25h${esc}[0m${esc}[?1049l`;
/** Terminals that know it show nothing half-drawn; the others ignore it. */
const beginUpdate = `${esc}[?2026h${esc}[?25l`;
const endUpdate = `${esc}[?25h${esc}[?2026l`;
const moveTo = (row: number, column: number): string => `${esc}[${row + 1};${column + 1}H`;

/** The screen of a terminal, drawn by what has changed. */
export class Screen {
  readonly #terminal: Terminal;
  readonly #paint: Painter;
  #drawn: string[] = [];

  /** Takes over the terminal; {@link close} gives it back, and so does the end of the process. */
  constructor(terminal: Terminal, paint: Painter) {
    this.#terminal = terminal;
    this.#paint = paint;
    terminal.takeOver(enter, leave);
  }

  /** Draws the rows that differ from those drawn last, in one write. */
  draw({ rows, cursor }: Frame): void {
    const painted = rows.map((row) => this.#paintRow(row));
    let changes = '';
    for (const [index, text] of painted.entries()) {
      if (this.#drawn[index] !== text) changes += `${moveTo(index, 0)}${esc}[0m${esc}[2K${text}`;
    }
    for (let index = painted.length; index < this.#drawn.length; index += 1) {
      changes += `${moveTo(index, 0)}${esc}[0m${esc}[2K`;
    }
    this.#drawn = painted;
    this.#terminal.write(`${beginUpdate}${changes}${moveTo(cursor.row, cursor.column)}${endUpdate}`);
  }

  /** Draws everything at the next call, after the terminal was resized or written on by others. */
  forget(): void {
    this.#drawn = [];
    this.#terminal.write(`${esc}[2J`);
  }

  /** Gives the terminal back as it was. */
  close(): void {
    this.#terminal.giveBack();
  }

  #paintRow(row: Row): string {
    return row.map(({ text, style }) => this.#paint(text, style)).join('');
  }
}
