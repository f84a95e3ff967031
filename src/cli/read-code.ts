import type { CommandContext } from './command.ts';
import { canPrompt } from './host.ts';
import { usageError } from './options.ts';

/** Answers a one-time code as it was given, or asks for it at a terminal; throws `invalid` (exit 2) in a script. */
export async function readCode(context: CommandContext, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  if (!canPrompt(context.host)) throw usageError('CODE is missing');
  return (await context.host.prompts.text('Code')).trim();
}
