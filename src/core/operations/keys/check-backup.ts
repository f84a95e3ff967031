import type { KeyBackupChange } from '../../e2ee/key-backup.ts';
import { badToken, ChatError } from '../../errors.ts';
import type { CallContext } from '../../operation.ts';

/** Refuses a first backup that is not whole, and a wrap by a password that the server has seen. */
export async function checkBackup(
  { services, session }: CallContext<'session'>,
  change: KeyBackupChange,
  version: number,
): Promise<void> {
  for (const field of ['contents', 'recovery_wrap'] as const) {
    if (version === 0 && change[field] === undefined)
      throw new ChatError('invalid', `backup.${field}: a first backup has it`, { field: `backup.${field}` });
  }
  const account = await services.store.account(session.username);
  if (!account) throw badToken();
  if (typeof change.password_wrap === 'string' && account.privacy === 'open') {
    throw new ChatError(
      'forbidden',
      'the server has seen the password of an open account: nothing is sealed with it',
      { field: 'backup.password_wrap' },
    );
  }
}

/** For a backup that was made over another one than there is. */
export function backupConflict(): ChatError {
  return new ChatError('conflict', 'the backup has been changed meanwhile: read it again', {
    field: 'version',
  });
}
