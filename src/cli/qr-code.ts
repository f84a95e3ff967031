import type { CommandContext } from './command.ts';
import { isDumb } from './output.ts';

/** Modules of light around it: a reader takes it for no code without them. */
const border = 2;

/**
 * A text as a QR code in lines of block characters, light on dark; undefined where nobody could point a camera at it: no terminal, one
 * that is too narrow, or one that is read aloud.
 */
export async function qrCodeLines(
  { host, settings }: CommandContext,
  text: string,
): Promise<readonly string[] | undefined> {
  const { stderr, env } = host;
  if (!stderr.isTerminal || settings.screenReader || isDumb(env)) return undefined;
  const { renderUnicodeCompact } = await import('uqr');
  const lines = renderUnicodeCompact(text, { border }).split('\n');
  const width = Math.max(...lines.map((line) => line.length));
  return stderr.columns !== undefined && stderr.columns < width ? undefined : lines;
}
