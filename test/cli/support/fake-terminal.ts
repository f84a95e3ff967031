import type { Terminal } from '../../../src/cli/terminal.ts';

/** A terminal whose screen, keys and size are in the test's hands. */
export interface FakeTerminal extends Terminal {
  /** The rows as they stand, from what a {@link Screen} without looks writes. */
  readonly shown: string[];
  /** Everything that was written. */
  written: string;
  /** How often something was written. */
  writes: number;
  isTaken: boolean;
  suspended: number;
  isBehind: boolean;
  type(keys: string): void;
  resize(columns: number, rows: number): void;
  goAway(): void;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is read
const rowWritten = /\u001b\[(\d+);1H\u001b\[0m\u001b\[2K([^\u001b]*)/g;

export function fakeTerminal(columns = 80, rows = 24): FakeTerminal {
  const inputs = new Set<(bytes: Uint8Array) => void>();
  const resizes = new Set<() => void>();
  const goings = new Set<() => void>();
  const keep =
    <Listener>(listeners: Set<Listener>) =>
    (listener: Listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    };
  const size = { columns, rows };
  return {
    get columns() {
      return size.columns;
    },
    get rows() {
      return size.rows;
    },
    shown: [],
    written: '',
    writes: 0,
    isTaken: false,
    isBehind: false,
    suspended: 0,
    write(text) {
      this.written += text;
      this.writes += 1;
      if (text.includes('\u001b[2J')) this.shown.length = 0;
      for (const [, row, shown] of text.matchAll(rowWritten)) this.shown[Number(row) - 1] = shown ?? '';
    },
    takeOver(enter) {
      this.isTaken = true;
      this.write(enter);
    },
    giveBack() {
      this.isTaken = false;
    },
    restore() {
      this.isTaken = false;
    },
    onInput: keep(inputs),
    onResize: keep(resizes),
    onGone: keep(goings),
    suspend() {
      this.suspended += 1;
    },
    type(keys) {
      for (const listener of inputs) listener(Buffer.from(keys));
    },
    resize(newColumns, newRows) {
      size.columns = newColumns;
      size.rows = newRows;
      for (const listener of resizes) listener();
    },
    goAway() {
      for (const listener of goings) listener();
    },
  };
}
