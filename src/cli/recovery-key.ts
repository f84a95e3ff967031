import type { OneTimeCode } from '../core/one-time-code.ts';
import type { CommandContext } from './command.ts';
import { canPrompt } from './host.ts';
import { parseRecoveryKey, readRecoveryKey } from './recovery-file.ts';

/** Where the recovery key is to come from when the password opens nothing; undefined when nobody can be asked. */
export function recoverySource(
  { host }: CommandContext,
  file: string | undefined,
): (() => Promise<OneTimeCode | undefined>) | undefined {
  if (file !== undefined) return () => readRecoveryKey(file);
  if (!canPrompt(host)) return undefined;
  return async () => {
    const question = 'Recovery key of your private messages (empty: go on without them)';
    const typed = (await host.prompts.text(question)).trim();
    return typed === '' ? undefined : parseRecoveryKey(typed);
  };
}

/** Shows a recovery key this once to a person, or says in which file it is. */
export async function tellRecoveryKey(
  { host, output }: CommandContext,
  key: OneTimeCode,
  { recoveryFile, isDrawnOver }: { readonly recoveryFile: string | undefined; readonly isDrawnOver: boolean },
): Promise<void> {
  if (recoveryFile !== undefined) {
    await output.note(
      `the recovery key of your private messages is in ${recoveryFile}: without it a lost password loses them`,
    );
  } else if (canPrompt(host)) {
    await output.log(`Recovery key of your private messages, shown this once: ${key}`);
    await output.log('Write it down: if the password is lost, nobody can read them any more without it.');
    if (isDrawnOver) await host.prompts.text('Press Enter when you have it');
  } else {
    await output.note(
      'private messages are encrypted from now on; no recovery key was kept (--recovery-file), without which a lost ' +
        'password loses them: chat keys backup makes one',
    );
  }
}
