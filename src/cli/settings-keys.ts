/** A value as a settings file gives it, of its key's type and checked. */
export interface FileValue {
  /** Text as it would be typed behind a flag; a switch is a boolean. */
  readonly value: string | boolean;
  readonly line: number;
  /** `FILE:LINE: KEY`, what errors about it begin with. */
  readonly label: string;
}

/** A key that a settings file may have. */
export interface FileKey {
  readonly type: 'switch' | 'number' | 'text';
  /** Throws `invalid`, beginning with `label`, for a value that does not fit. */
  check(label: string, value: string | boolean): void;
}

/** The keys of a kind of settings file. */
export interface FileKeys {
  readonly known: Readonly<Record<string, FileKey>>;
  /** What to do instead of writing a secret into the file. */
  readonly secretHint: string;
}
