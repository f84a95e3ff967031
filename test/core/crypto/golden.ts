import { utf8 } from '../../../src/core/crypto/bytes.ts';
import { beginLogin } from '../../../src/core/crypto/scram-client.ts';
import {
  type ClientFirst,
  type Offer,
  parseClientFirst,
  type ScramResult,
} from '../../../src/core/crypto/scram-messages.ts';
import { type ServerExchange, serverFirst } from '../../../src/core/crypto/scram-server.ts';
import { verifierFrom } from '../../../src/core/crypto/verifier.ts';
import { parsePassword } from '../../../src/core/model/password.ts';
import { parseUsername } from '../../../src/core/model/username.ts';

/** The golden vector of security.md section 1, which every end must reproduce. */
export const golden = {
  realm: 'chat.example',
  username: parseUsername('alice'),
  password: parsePassword('correct horse battery staple'),
  salt: Uint8Array.from({ length: 16 }, (_, index) => index),
  cost: 10,
  boundPassword: 'xBcIwe9F1FUUkXMIVy/+J8tz2u+RcLMy/EPkLhWZsak=',
  bcrypted: 'f4c71d466524f80865c8c3c0daf7c0eeb453f992a86db5',
  authSecret: Uint8Array.fromHex('74658e067f5de79c1b3325447b23f9b31bd770556f6010c999df802a790cab03'),
  storedKey: Uint8Array.fromHex('b54b9c5e594d6640272cc27f453396a17066058e1c4ec96d2ef14d5fc888a1d4'),
  serverKey: Uint8Array.fromHex('fd1c81a236b6de62d1c86d9078c5b910abbcf7cffb9e4a026512c51166fbb6bd'),
  bindingBytes: Uint8Array.from({ length: 32 }, (_, index) => index),
  serverPublicKey: utf8('server public key'),
  offer: { suites: ['CHAT-SCRAM-BCRYPT-1'], bindings: ['tls-exporter'] } satisfies Offer,
  clientNonce: 'fyko+d2lbbFgONRv9qkxdawL',
  serverNonce: '3rfcNHYJY1ZVvWVs7jHq8Wc2',
  offerDigest: 'icXI+bWD0kVgK4w1Af1KQcEqVn8/ja0hUk43D0KOnck=',
  keyDigest: 'TRhowlb5C4pYYv7SqdtIDvNFI+OhPZ2G0NfaPjlI/fg=',
  clientFirst: 'p=tls-exporter,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL',
  serverFirst:
    'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7jHq8Wc2,s=AAECAwQFBgcICQoLDA0ODw==,i=10,k=CHAT-SCRAM-BCRYPT-1,d=chat.example,o=icXI+bWD0kVgK4w1Af1KQcEqVn8/ja0hUk43D0KOnck=,q=TRhowlb5C4pYYv7SqdtIDvNFI+OhPZ2G0NfaPjlI/fg=',
  clientFinal:
    'c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7jHq8Wc2,p=uD7j7yXvMSs6qlwY8kIdCeX0ypxzMt+Gpaaet/lfcc4=',
  serverFinal: 'v=l2xbcFGMVHIwYyrYaJ73FTcY0iqvwsCZAIDI8ppe8kM=',
} as const;

/** What a client that sees the golden server expects of it. */
export const expectations = { serverPublicKey: golden.serverPublicKey, offer: golden.offer };

/** What a client pins after the golden login. */
export const goldenPin = {
  suite: 'CHAT-SCRAM-BCRYPT-1',
  bound: true,
  cost: 10,
  realm: 'chat.example',
  serverKey: golden.keyDigest,
} as const;

/** The golden account as the server keeps it. */
export const goldenVerifier = verifierFrom(golden.authSecret, golden.salt, golden.cost);

/** The golden client, ready to send its first message. */
export function goldenLogin() {
  return beginLogin({
    username: golden.username,
    binding: { kind: 'tls-exporter', bytes: golden.bindingBytes },
    clientNonce: golden.clientNonce,
  });
}

/** The value of a result that must be good. */
export function accepted<T>(result: ScramResult<T>): T {
  if (!result.ok) throw new Error(`refused: ${result.reason}`);
  return result.value;
}

/** The golden server's challenge to a first message. */
export function challenge(clientFirst: string, changed: Partial<ChallengeChange> = {}): ServerExchange {
  return accepted(tryChallenge(clientFirst, changed));
}

interface ChallengeChange {
  readonly offer: Offer;
  readonly serverNonce: string;
}

/** As {@link challenge}, but the server may refuse. */
export function tryChallenge(clientFirst: string, changed: Partial<ChallengeChange> = {}) {
  const { realm, serverPublicKey, offer, serverNonce } = golden;
  return serverFirst({
    clientFirst: accepted<ClientFirst>(parseClientFirst(clientFirst)),
    verifier: goldenVerifier,
    realm,
    serverPublicKey,
    offer,
    serverNonce,
    ...changed,
  });
}
