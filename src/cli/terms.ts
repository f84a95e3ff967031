import { ChatError } from '../core/errors.ts';
import type { Terms } from '../core/model/terms.ts';
import type { CommandContext } from './command.ts';
import { canPrompt } from './host.ts';

/** Shows the terms of the server, on stderr. */
export async function showTerms({ output }: CommandContext, { text }: Terms): Promise<void> {
  await output.log('The terms of this server:');
  for (const line of text.replace(/\r?\n$/, '').split(/\r?\n/)) await output.log(line);
}

/**
 * Shows the terms of the server and asks a person whether they accept them, unless they said so before. Answers when they do; throws
 * `forbidden` when they do not, and with the text `unasked` where nobody can be asked: then the terms stand on stderr, for who runs
 * the script.
 */
export async function acceptTerms(
  context: CommandContext,
  terms: Terms,
  isAccepted: boolean,
  unasked = 'only who accepts the terms of this server may have an account here: --accept-terms does',
): Promise<void> {
  if (isAccepted) return;
  await showTerms(context, terms);
  if (!canPrompt(context.host)) throw new ChatError('forbidden', unasked);
  if (!(await context.host.prompts.confirm('Do you accept them?'))) {
    throw new ChatError('forbidden', 'the terms were not accepted; nothing was done');
  }
}
