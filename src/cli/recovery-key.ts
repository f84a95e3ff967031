import type { OneTimeCode } from '../core/one-time-code.ts';
import type { CommandContext } from './command.ts';
import { canPrompt } from './host.ts';
import { dropRecoveryKey, parseRecoveryKey, readRecoveryKey, writeRecoveryKey } from './recovery-file.ts';

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

/** What becomes of a new recovery key. */
export interface RecoveryKeeper {
  /** Shows it to a person, or writes it into the file, before anybody knows of the keys; what it throws ends their making. */
  keep(key: OneTimeCode): Promise<void>;
  /** Its keys are stored. */
  tellMade(): Promise<void>;
  /** Its keys are not: what was kept opens nothing. */
  drop(): Promise<void>;
}

/** Without which the recovery key alone brings the keys back: the password of an account that has one, or the machine itself. */
export type Losable = 'password' | 'machine';

/** Keeps a recovery key in `file`, or shows it this once to a person; a script without a file is told how to make one. */
export function recoveryKeeper(
  { host, output }: CommandContext,
  file: string | undefined,
  losable: Losable,
): RecoveryKeeper {
  let isKept = false;
  return {
    async keep(key) {
      if (file !== undefined) await writeRecoveryKey(file, key);
      else if (canPrompt(host)) {
        await output.log(`Recovery key of your private messages, shown this once: ${key}`);
        await output.log(
          `Write it down: if the ${losable} is lost, nobody can read them any more without it.`,
        );
      }
      isKept = true;
    },
    async tellMade() {
      if (file !== undefined) {
        await output.note(
          `the recovery key of your private messages is in ${file}: without it a lost ${losable} loses them`,
        );
      } else if (!canPrompt(host)) {
        await output.note(
          'private messages are encrypted from now on; no recovery key was kept (--recovery-file), without which a lost ' +
            `${losable} loses them: chat keys backup makes one`,
        );
      }
    },
    async drop() {
      if (!isKept) return;
      if (file !== undefined) await dropRecoveryKey(file);
      else if (canPrompt(host))
        await output.log('The recovery key above opens nothing: its keys were not stored.');
    },
  };
}
