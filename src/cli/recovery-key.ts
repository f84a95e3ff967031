import { passes } from '../client/backoff.ts';
import type { RecoverableKeys, RecoveryKeeper } from '../client/keys/recovery-keeper.ts';
import { ChatError } from '../core/errors.ts';
import type { OneTimeCode } from '../core/one-time-code.ts';
import type { CommandContext } from './command.ts';
import { canPrompt } from './host.ts';
import { dropRecoveryKey, parseRecoveryKey, readRecoveryKey, writeRecoveryKey } from './recovery-file.ts';

/** So often may a person type a recovery key. */
const tries = 3;

/**
 * Where the recovery key is to come from when the password opens nothing; undefined when nobody can be asked. Asked once more with what was
 * wrong about the one before, it asks a person again, three times in all, and throws that where nobody can type another.
 */
export function recoverySource(
  { host, output }: CommandContext,
  file: string | undefined,
): ((refused?: ChatError) => Promise<OneTimeCode | undefined>) | undefined {
  if (file !== undefined) {
    return async (refused) => {
      if (refused) throw refused;
      return await readRecoveryKey(file);
    };
  }
  if (!canPrompt(host)) return undefined;
  let left = tries;
  return async function ask(refused) {
    if (refused) {
      if (left === 0) throw refused;
      await output.log(refused.message);
    }
    left -= 1;
    const question = 'Recovery key of your private messages (empty: go on without them)';
    const typed = (await host.prompts.text(question, { optional: true })).trim();
    if (typed === '') return undefined;
    try {
      return parseRecoveryKey(typed);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      return await ask(error);
    }
  };
}

/** A recovery key of keys that a login makes. */
export interface LoginRecovery extends RecoveryKeeper {
  /** Its keys are stored. */
  tellMade(): Promise<void>;
  /**
   * Where the recovery key of keys that are there already comes from; not from the file that was written for keys that another device has made
   * first.
   */
  readonly source: ReturnType<typeof recoverySource>;
}

/**
 * Keeps the recovery key of keys that a login makes in `file`, or shows it this once to a person; a script without a file is told how
 * to make one.
 */
export function recoveryAtLogin(context: CommandContext, file: string | undefined): LoginRecovery {
  const { host, output } = context;
  const given = recoverySource(context, file);
  // Without which the recovery key alone brings the keys back: the password where it opens them, or else the machine itself.
  let losable = 'machine';
  let isKept = false;
  return {
    source: given && (async (refused) => (file !== undefined && isKept ? undefined : await given(refused))),
    async keep(key, { opensByPassword }) {
      if (opensByPassword) losable = 'password';
      if (file !== undefined) await writeRecoveryKey(file, key);
      else if (canPrompt(host)) {
        await output.log('Recovery key of your private messages, shown this once:');
        // A line of its own fits on every screen.
        await output.log(key);
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

/** What a command that was asked for a new recovery key does with it. */
export interface NewRecoveryKey {
  /** A new file for it; on stdout without one. */
  readonly file: string | undefined;
  /** What `-o json` says besides it. */
  readonly result: (keys: RecoverableKeys) => object;
}

/** Does `work` with a keeper that has put the recovery key where it was asked for before anything changes, and says what counts when it fails. */
export async function withNewRecoveryKey(
  context: CommandContext,
  { file, result }: NewRecoveryKey,
  work: (recovery: RecoveryKeeper) => Promise<void>,
): Promise<void> {
  const { output } = context;
  let kept: object | undefined;
  const recovery: RecoveryKeeper = {
    async keep(key, keys) {
      if (file === undefined) await printKey(context, { ...result(keys), recovery_key: key }, key);
      else await writeRecoveryKey(file, key);
      kept = result(keys);
    },
    async drop() {
      kept = undefined;
      if (file === undefined) await output.log('The recovery key above opens nothing: it was not stored.');
      else await dropRecoveryKey(file);
    },
  };
  try {
    await work(recovery);
  } catch (error) {
    if (kept === undefined || !passes(error)) throw error;
    throw new ChatError(
      error.code,
      `${error.message}; it is not known which recovery key counts now: keep both until chat keys backup has made another`,
      { cause: error },
    );
  }
  if (file === undefined) return;
  if (kept !== undefined) await output.result({ ...kept, recovery_file: file }, []);
}

/** A recovery key is data, and is shown this once: an output that did not take it ends all, also one that nobody reads. */
async function printKey({ output, host }: CommandContext, record: object, key: OneTimeCode): Promise<void> {
  try {
    await output.result(record, key);
    await host.stdout.flush();
  } catch (error) {
    const why = error instanceof ChatError ? error.message : 'nobody reads the output';
    throw new ChatError('invalid', `${why}; nothing was changed: the recovery key from before still counts`);
  }
}
