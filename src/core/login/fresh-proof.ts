import type * as z from 'zod';
import { equalDigests } from '../crypto/bytes.ts';
import { loginRefusal, verifyClientFinal } from '../crypto/scram-server.ts';
import { fitsVerifier } from '../crypto/verifier.ts';
import { badCertificate, badToken, ChatError } from '../errors.ts';
import type { Account, Verifier } from '../model/account.ts';
import type { CallContext } from '../operation.ts';
import type { freshProof } from '../operations/shapes.ts';
import type { OpenExchange } from './exchanges.ts';
import { judgeCertificate } from './judge-certificate.ts';
import { keepForCode, takeExchange } from './keep-for-code.ts';
import { changedMeanwhile } from './open-session.ts';
import { demandCode, passSecondFactor } from './second-factor.ts';
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
 * `conflict` when the verifier was changed since the challenge. The second factor is asked as at a login, and the same exchange may
 * come again with its code. The session stays as it was in each case. `prepare` makes what may be refused, for want of room or because
 * it does not fit: after the password was right, and before a code is used up, which is good once.
 */
export async function proveAgain<Prepared = undefined>(
  context: CallContext<'session' | 'admin'>,
  proof: FreshProof,
  prepare?: (proven: ProvenAgain) => Promise<Prepared>,
): Promise<ProvenAgain & { readonly prepared: Prepared }> {
  const { services, session, peer } = context;
  const { username } = session;
  const exchange = 'exchange' in proof ? takeExchange(context, proof.exchange) : undefined;
  let isRight = exchange?.code !== undefined;
  const judging = services.failures.guard(username, peer, async () => {
    const found = await services.store.credential(username);
    if (!found) throw badToken();
    isRight = false;
    await judge(context, proof, { ...found, exchange });
    isRight = true;
    if (found.account.hasSecondFactor) demandCode(proof.otp);
    const prepared = (await prepare?.(found)) as Prepared;
    await passSecondFactor(context, found.account, proof.otp);
    return { ...found, prepared };
  });
  return await judging.catch((error: unknown) => {
    if (isRight && exchange && 'exchange' in proof) keepForCode(context, proof.exchange, exchange, error);
    throw error;
  });
}

async function judge(
  context: CallContext<'session' | 'admin'>,
  proof: FreshProof,
  { account, verifier, exchange }: ProvenAgain & { readonly exchange: OpenExchange | undefined },
): Promise<void> {
  const { digests } = context.services;
  const { username } = account;
  if ('exchange' in proof) {
    judgeExchange(context, exchange, proof.message, verifier);
  } else if ('hashed_password' in proof) {
    if (!fitsVerifier(proof.hashed_password, verifier, digests)) throw wrongProof();
  } else if ('certificate' in proof) {
    const judged = await judgeCertificate(context, username);
    if (judged.kind === 'bad') throw badCertificate();
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
  { services, session, peer }: CallContext<'session' | 'admin'>,
  exchange: OpenExchange | undefined,
  message: string,
  verifier: Verifier,
): void {
  if (!exchange) throw new ChatError('conflict', 'this proof has ended: begin again with login.begin');
  if (exchange.username !== session.username) throw wrongProof();
  const proof = verifyClientFinal(exchange, message, peer.channel.tlsExporter?.(), services.digests);
  // Whose account this is need not be hidden from who is logged in to it.
  if (!proof.ok) throw proof.reason === 'invalid-proof' ? wrongProof() : loginRefusal(proof.reason);
  if (!equalDigests(exchange.storedKey, verifier.storedKey)) throw changedMeanwhile();
}

function wrongProof(): ChatError {
  return new ChatError('unauthenticated', 'the password is wrong; nothing was changed');
}
