/** What the person at the keyboard can do something about: shown as its message, without a stack. */
export class SetupError extends Error {
  name = 'SetupError';
}

/** One line (or a few) to whoever started the script. */
export function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}
