import type { SessionId } from '../../../core/model/ids.ts';
import type { CredentialChange } from '../../../core/ports/store/accounts.ts';
import { type Query, rows } from '../statement.ts';
import { replaceVerifier, setPrivacy } from './accounts.ts';
import { dropResetCodes } from './codes.ts';
import { keyBackup, rewrapKeyBackup } from './keys.ts';
import { endSessions } from './sessions.ts';

/** Store.changeCredential */
export function* changeCredential(change: CredentialChange): Query<SessionId[] | undefined> {
  const { userId, replaces, verifier, privacy, except, keys } = change;
  if (keys && keys.version !== (yield* keyBackup({ userId }))?.version) return undefined;
  if (!(yield* replaceVerifier({ userId, replaces, verifier }))) return undefined;
  yield* rewrapKeyBackup(userId, keys?.passwordWrap);
  yield* rows(setPrivacy, { userId, privacy });
  yield* dropResetCodes(userId);
  return yield* endSessions({ userId, except });
}
