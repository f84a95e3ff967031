import { ChatError } from '../../errors.ts';

/** For an administrator, who may know which accounts there are. */
export function noSuchAccount(): ChatError {
  return new ChatError('not-found', 'there is no such account', { field: 'username' });
}

/** Somebody must be left who can undo it. */
export function lastAdministrator(): ChatError {
  return new ChatError('conflict', 'this is the last administrator who can log in: make another one first', {
    field: 'username',
  });
}
