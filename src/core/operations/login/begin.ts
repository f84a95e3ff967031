import { z } from 'zod';
import { toBase64 } from '../../crypto/bytes.ts';
import { parseClientFirst } from '../../crypto/scram-messages.ts';
import { loginRefusal, serverFirst } from '../../crypto/scram-server.ts';
import { verifierOrFake } from '../../crypto/verifier.ts';
import { loginOffer } from '../../login/offer.ts';
import { operation } from '../../operation.ts';
import { uuidV7 } from '../../random.ts';
import { scramMessage } from '../shapes.ts';

/**
 * The first half of a challenge–response login: takes client-first, answers server-first (security 1.4). A name that does
 * not exist gets a challenge of the same shape, the same salt each time, in the same way (security 1.8).
 */
export const begin = operation({
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
    exchanges.open(exchange, peer, challenge.value, now);
    return {
      exchange,
      message: challenge.value.message,
      server_key: toBase64(peer.channel.serverKey),
      suites: [...offer.suites],
      bindings: [...offer.bindings],
    };
  },
});
