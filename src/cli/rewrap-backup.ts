import type { KeyStore } from '../client/keys/key-file.ts';
import { ChatError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';
import { freshProof, type ProvingSession } from './fresh-proof.ts';
import { callTimeoutMs } from './session.ts';

/**
 * Has a password that was set anew open the backup of the keys again, which took the recovery key just now and keeps it. An open
 * account's opens none. What goes wrong is said, and is no reason to fail: the keys are here.
 */
export async function rewrapBackup(
  context: CommandContext,
  session: ProvingSession,
  { store, password }: { readonly store: KeyStore; readonly password: string },
): Promise<void> {
  const { connection } = session;
  try {
    const { second_factor: factor, privacy } = await connection.call(
      'account.me',
      {},
      { timeoutMs: callTimeoutMs },
    );
    if (privacy === 'open') return;
    if (factor.on) throw new ChatError('second-factor-required', 'it takes a code');
    const [{ sealAnew }, { stretchForBackup }] = await Promise.all([
      import('../client/keys/change-keys.ts'),
      import('../client/keys/stretch-password.ts'),
    ]);
    const prove = () => freshProof(context, session, password);
    await sealAnew(connection, { store, prove, password, stretch: stretchForBackup, recovery: undefined });
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    await context.output.note(
      `other machines still ask for the recovery key (${error.message}): chat keys backup lets the password open them again, with a new one`,
    );
  }
}
