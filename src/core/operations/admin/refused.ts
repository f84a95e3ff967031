import { ChatError } from '../../errors.ts';
import type { Username } from '../../model/username.ts';

/** For an administrator, who may know which accounts there are. */
export function noSuchAccount(name: Username): ChatError {
  return new ChatError('not-found', `there is no user @${name}`, { field: 'username' });
}

/** Somebody must be left who can undo it. */
export function lastAdministrator(): ChatError {
  return new ChatError('conflict', 'this is the last administrator who can log in: make another one first', {
    field: 'username',
  });
}

/** There is nothing to take away. */
export function noFactor(): ChatError {
  return new ChatError('conflict', 'this account has no second factor', { field: 'username' });
}
