import * as z from 'zod';
import { toBase64 } from '../crypto/bytes.ts';
import { parseClientFirst } from '../crypto/scram-messages.ts';
import { loginRefusal, serverFirst, verifyClientFinal } from '../crypto/scram-server.ts';
import { verifierOrFake } from '../crypto/verifier.ts';
import { badCredentials, ChatError, loggedInAlready } from '../errors.ts';
import { operation } from '../operation.ts';
import { deviceClaim, openedSession, optionalOtp, scramMessage } from '../operations/shapes.ts';
import { uuidV7 } from '../random.ts';
import { keepForCode, takeExchange } from './keep-for-code.ts';
import { mechanism } from './mechanism.ts';
import { loginOffer } from './offer.ts';
import { openProven } from './open-session.ts';
import { askToRaise } from './raise-verifier.ts';

/**
 * The first half of a challenge–response login: takes client-first, answers server-first (security 1.4). A name that does
 * not exist gets a challenge of the same shape, the same salt each time, in the same way (security 1.8).
 */
const begin = operation({
  name: 'login.begin',
  access: 'anyone',
  cost: 'login',
  audited: false,
  overlaps: false,
  input: z.strictObject({ message: scramMessage }),
  output: z.object({
    exchange: z.string(),
    message: z.string(),
    server_key: z.string(),
    suites: z.array(z.string()),
    bindings: z.array(z.string()),
  }),
  async handle({ message }, { services, peer, now }) {
    const { store, settings, policy, digests, exchanges } = services;
    const clientFirst = parseClientFirst(message);
    if (!clientFirst.ok) throw loginRefusal(clientFirst.reason);
    const { username } = clientFirst.value;
    const found = await store.credential(username);
    const offer = loginOffer(peer.channel);
    const challenge = serverFirst(
      {
        clientFirst: clientFirst.value,
        verifier: verifierOrFake(
          found?.verifier,
          settings.serverSecret,
          username,
          policy.bcryptCost,
          digests,
        ),
        realm: settings.realm,
        offer,
        serverPublicKey: peer.channel.serverKey,
      },
      digests,
    );
    if (!challenge.ok) throw loginRefusal(challenge.reason);
    const exchange = uuidV7();
    exchanges.open(exchange, peer, { ...challenge.value, found }, now);
    return {
      exchange,
      message: challenge.value.message,
      server_key: toBase64(peer.channel.serverKey),
      suites: [...offer.suites],
      bindings: [...offer.bindings],
    };
  },
});

/**
 * The second half: judges the client's proof and answers the server's own, together with a new session (security 1.4).
 * One try per challenge; when the proof was right and the answer is `second-factor-required`, the same call is made again with `otp`, a
 * few times within two minutes. `unauthenticated` has one text for an unknown user and a wrong password. `raise` is there when the
 * account's verifier is older than the server's cost: the client is asked for a new one (security 1.8).
 */
const finish = operation({
  name: 'login.finish',
  access: 'anyone',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    exchange: z.string().max(64),
    message: scramMessage,
    device: deviceClaim.optional(),
    otp: optionalOtp,
  }),
  output: openedSession.extend({
    message: z.string(),
    raise: z.object({ salt: z.string(), cost: z.number() }).optional(),
  }),
  async handle({ exchange: id, message, device, otp }, context) {
    const { services, peer, concerns } = context;
    if (peer.session) throw loggedInAlready();
    const exchange = takeExchange(context, id);
    if (!exchange) throw new ChatError('unauthenticated', 'this login has ended: begin again');
    concerns(exchange.username);
    const { username, found } = exchange;
    let isProven = exchange.code !== undefined;
    const finishing = services.failures.guard(username, peer, async () => {
      const proof = verifyClientFinal(exchange, message, peer.channel.tlsExporter?.(), services.digests);
      isProven = proof.ok;
      if (!proof.ok) throw loginRefusal(proof.reason);
      // What a name without an account is challenged with has no secret that fits.
      if (!found) throw badCredentials();
      const proven = { ...found, refusal: badCredentials };
      const { answer, verifier } = await openProven(context, proven, { device, otp });
      const raise = askToRaise(context, verifier);
      return { ...answer, message: proof.value, ...(raise && { raise }) };
    });
    return await finishing.catch((error: unknown) => {
      if (isProven) keepForCode(context, id, exchange, error);
      throw error;
    });
  },
});

/** SCRAM's messages over bcrypt on the client (document 3, security 1). */
export const challengeResponse = mechanism({
  name: 'challenge-response',
  shows: 'a proof over both challenges; neither the password nor what is made of it',
  operations: [begin, finish],
});
