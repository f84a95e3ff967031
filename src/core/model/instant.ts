let lastMs = Number.NaN;
let lastText = '';

/** A moment on the wire: RFC 3339, UTC, milliseconds. Messages of one batch share their milliseconds, so the last is kept. */
export function instantText(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}
