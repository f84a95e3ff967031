import type { Terms } from '../core/model/terms.ts';
import { believed } from './answers.ts';
import type { Connection } from './connection.ts';
import { BadFrame, type Fields, objectIn, textIn } from './frames.ts';
import { readPasswordPolicy } from './password-policy.ts';
import { checkServerKey, serverKeyIn } from './server-key.ts';

/** What goes with a new account, whatever its owner logs in with. */
export interface RegistrationWishes {
  readonly email?: string | undefined;
  /** A code from an administrator, where one is needed. */
  readonly invite?: string | undefined;
  /** Asked for one when the server needs it and none was given. */
  readonly askInvite?: (() => Promise<string>) | undefined;
  /** Asked whether the terms of the server are accepted, where there are any: throws when they are not. */
  readonly acceptTerms?: ((terms: Terms) => Promise<void>) | undefined;
}

/** What a server asks of who registers, its key judged; throws `untrusted` for another key than the connection's. */
export async function beginRegistration(connection: Connection) {
  const begun = await connection.call('account.begin-register', {});
  const asked = believed(connection, begun, readRegistration);
  checkServerKey(connection, asked.serverKey);
  return asked;
}

/** Asks a person for what the server asks for, and spells all that goes with the new account as the operation takes it. */
export async function settleWishes(
  { terms, needsInvite }: { readonly terms: Terms | undefined; readonly needsInvite: boolean },
  { email, invite, askInvite, acceptTerms }: RegistrationWishes,
) {
  if (terms) await acceptTerms?.(terms);
  const code = invite ?? (needsInvite ? await askInvite?.() : undefined);
  return {
    ...(email === undefined ? {} : { email }),
    ...(code === undefined ? {} : { invite: code }),
    ...(terms && acceptTerms ? { accept_terms: terms.sha256 } : {}),
  };
}

function readRegistration(value: unknown) {
  const fields = objectIn(value, 'an answer');
  if (typeof fields.cost !== 'number') throw new BadFrame('a wrong cost');
  return {
    realm: textIn(fields, 'realm'),
    cost: fields.cost,
    suite: textIn(fields, 'suite'),
    serverKey: serverKeyIn(fields),
    rules: readPasswordPolicy(fields),
    // A server that does not say lets everybody register.
    needsInvite: fields.registration === 'invite',
    terms: fields.terms === undefined ? undefined : readTerms(objectIn(fields.terms, 'terms')),
  };
}

function readTerms(fields: Fields): Terms {
  if (typeof fields.text !== 'string') throw new BadFrame('a wrong text');
  return { text: fields.text, sha256: textIn(fields, 'sha256', /^[0-9a-f]{64}$/) };
}
