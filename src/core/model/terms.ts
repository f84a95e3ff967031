/** What everybody accepts who registers: the text, and its SHA-256 in hex, by which it is known. */
export interface Terms {
  readonly text: string;
  readonly sha256: string;
}
