import type { SessionId } from '../../../core/model/ids.ts';
import type { CredentialChange } from '../../../core/ports/store/accounts.ts';
import { type Query, rows } from '../statement.ts';
import { replaceVerifier, setPrivacy } from './accounts.ts';
import { dropResetCodes } from './codes.ts';
import { endSessions } from './end-sessions.ts';
import { dropPasswordWrap, keyBackup, putKeyBackup } from './keys.ts';

/** Store.changeCredential */
export function* changeCredential(change: CredentialChange): Query<SessionId[] | undefined> {
  const { userId, replaces, verifier, privacy, except, keys } = change;
  if (keys && keys.version !== (yield* keyBackup({ userId }))?.version) return undefined;
  if (!(yield* replaceVerifier({ userId, replaces, verifier }))) return undefined;
  if (keys) yield* putKeyBackup({ userId, version: keys.version, backup: { password_wrap: null, ...keys } });
  else yield* dropPasswordWrap(userId);
  yield* rows(setPrivacy, { userId, privacy });
  yield* dropResetCodes(userId);
  return yield* endSessions({ userId, except });
}
