import type { CommandContext } from './command.ts';
import { type PasswordValues, readPassword, readProofPassword } from './secret.ts';
import { callTimeoutMs, type LoggedIn } from './session.ts';

/** What a person proves himself with who has the backup of the keys sealed anew, and what is to open it. */
export interface BackupPassword {
  /** Undefined for a certificate. */
  readonly proof: string | undefined;
  /** Undefined where no password may open it: the server has seen it, or there is none. */
  readonly wrap: string | undefined;
}

/**
 * Reads the password for a backup that is sealed anew. A private account's opens it, so that one is asked for it who is logged in by
 * certificate, and proven with, so that a mistyped one is not what opens it.
 */
export async function readBackupPassword(
  context: CommandContext,
  { connection }: Pick<LoggedIn, 'connection'>,
  values: PasswordValues,
): Promise<BackupPassword> {
  const given = await readProofPassword(context, values);
  const { privacy } = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
  if (privacy !== 'private') return { proof: given, wrap: undefined };
  const password = given ?? (await readPassword(context, values, false));
  return { proof: password, wrap: password };
}
