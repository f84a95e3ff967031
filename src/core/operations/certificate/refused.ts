import { ChatError } from '../../errors.ts';

/** For an id that is nobody's, another account's, or of a certificate that is revoked already. */
export function noSuchCertificate(): ChatError {
  return new ChatError('not-found', 'there is no such certificate that is good', { field: 'id' });
}
