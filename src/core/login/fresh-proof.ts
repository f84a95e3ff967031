import type { z } from 'zod';
import { equalDigests } from '../crypto/bytes.ts';
import { loginRefusal, verifyClientFinal } from '../crypto/scram-server.ts';
import { fitsVerifier } from '../crypto/verifier.ts';
import { badToken, ChatError } from '../errors.ts';
import type { Account, Verifier } from '../model/account.ts';
import type { CallContext } from '../operation.ts';
import type { freshProof } from '../operations/shapes.ts';
import { changedMeanwhile } from './open-session.ts';
import { stretchFor } from './stretch-for.ts';

/** A proof as its shape has read it. */
export type FreshProof = z.output<typeof freshProof>;

/** The account of a session whose secret was proven once more, and the verifier that it was proven against. */
export interface ProvenAgain {
  readonly account: Account;
  readonly verifier: Verifier;
}

/**
 * Asks for what a stolen session does not have, before something is done that cannot be undone by its owner (ASVS 7.5.1). A wrong
 * proof counts as a failed login; `unauthenticated` for one, `rate-limited` when the account or the address has to wait,
 * `conflict` when the verifier was changed since the challenge. The session stays as it was in each case.
 */
export async function proveAgain(context: CallContext<'session'>, proof: FreshProof): Promise<ProvenAgain> {
  const { services, session, peer } = context;
  const { username } = session;
  return await services.failures.guard(username, peer, async () => {
    const found = await services.store.credential(username);
    if (!found) throw badToken();
    await judge(context, proof, found);
    return found;
  });
}

async function judge(
  context: CallContext<'session'>,
  proof: FreshProof,
  { account, verifier }: ProvenAgain,
): Promise<void> {
  const { digests } = context.services;
  const { username } = account;
  if ('exchange' in proof) {
    judgeExchange(context, proof, verifier);
  } else if ('hashed_password' in proof) {
    if (!fitsVerifier(proof.hashed_password, verifier, digests)) throw wrongProof();
  } else {
    const { salt, cost } = verifier;
    const authSecret = await stretchFor(context, { username, password: proof.password, salt, cost });
    if (!fitsVerifier(authSecret, verifier, digests)) throw wrongProof();
    // The owner is told, who has just proven the password, and has shown it.
    if (account.privacy !== 'open') {
      throw new ChatError(
        'forbidden',
        'the password of a private account is not shown: use chat, or a hashed password',
      );
    }
  }
}

function judgeExchange(
  { services, session, peer, now }: CallContext<'session'>,
  { exchange: id, message }: Extract<FreshProof, { exchange: string }>,
  verifier: Verifier,
): void {
  const exchange = services.exchanges.take(id, peer, now);
  if (!exchange) throw new ChatError('conflict', 'this proof has ended: begin again with login.begin');
  if (exchange.username !== session.username) throw wrongProof();
  const proof = verifyClientFinal(exchange, message, peer.channel.tlsExporter?.(), services.digests);
  if (!proof.ok) throw loginRefusal(proof.reason);
  if (!equalDigests(exchange.storedKey, verifier.storedKey)) throw changedMeanwhile();
}

function wrongProof(): ChatError {
  return new ChatError('unauthenticated', 'this is not the secret of this account; nothing was changed');
}
