/** The terminal that a person sits at, as the interactive mode needs it: every key at once, the whole screen to draw on. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  /** Writes to the screen; what a slow terminal has not taken yet is kept, see {@link isBehind}. */
  write(text: string): void;
  /** True while the terminal has not taken what was written: drawing more would only make it later. */
  readonly isBehind: boolean;
  /** Sends `enter` and hands over each key as it is pressed; whatever ends the process sends `leave` and gives the keys back. */
  takeOver(enter: string, leave: string): void;
  /** Undoes {@link takeOver}. */
  giveBack(): void;
  /** The same at once, for a process that is about to end by itself; nothing is written after it. */
  restore(): void;
  /** Calls `listener` with what is typed, until the answered function is called. */
  onInput(listener: (bytes: Uint8Array) => void): () => void;
  /** Calls `listener` after the size has changed, and after the process was stopped and continued. */
  onResize(listener: () => void): () => void;
  /** Calls `listener` when the terminal has gone away. */
  onGone(listener: () => void): () => void;
  /** Stops the process as Ctrl-Z does, and goes on when it is continued: at once where no shell could continue it. */
  suspend(): void;
}
