import { ChatError } from '../core/errors.ts';
import type { Terms } from '../core/model/terms.ts';
import type { CommandContext } from './command.ts';
import { canPrompt } from './host.ts';

/**
 * Asks a person whether he accepts the terms of the server, unless he said so before. Answers when he does; throws `forbidden`
 * when he does not, and where nobody can be asked: then the terms stand on stderr, for who runs the script.
 */
export async function acceptTerms(
  { host, output }: CommandContext,
  { text }: Terms,
  isAccepted: boolean,
): Promise<void> {
  if (isAccepted) return;
  await output.log('The terms of this server:');
  for (const line of text.replace(/\r?\n$/, '').split(/\r?\n/)) await output.log(line);
  if (!canPrompt(host)) {
    throw new ChatError(
      'forbidden',
      'only who accepts the terms of this server may have an account here: --accept-terms does',
    );
  }
  if (!(await host.prompts.confirm('Do you accept them?'))) {
    throw new ChatError('forbidden', 'the terms were not accepted; nothing was done');
  }
}
