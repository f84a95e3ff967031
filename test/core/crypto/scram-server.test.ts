import { createHash, createHmac } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { concat, fromBase64, toBase64, utf8 } from '../../../src/core/crypto/bytes.ts';
import type { Digests } from '../../../src/core/crypto/digests.ts';
import { beginLogin, type ChannelBinding } from '../../../src/core/crypto/scram-client.ts';
import { parseClientFirst, scramReasons } from '../../../src/core/crypto/scram-messages.ts';
import { loginRefusal, serverFirst, verifyClientFinal } from '../../../src/core/crypto/scram-server.ts';
import { fakeVerifier } from '../../../src/core/crypto/verifier.ts';
import { scriptRandomness } from '../../../src/core/random.ts';
import { accepted, challenge, expectations, golden, tryChallenge } from './golden.ts';

let restore = (): void => {};
afterEach(() => restore());

const failed = (reason: string) => ({ ok: false, reason });
const unbound = { ...golden.offer, bindings: [] };

describe('a challenge', () => {
  const first = (flag: string): string => `${flag},,n=alice,r=${golden.clientNonce}`;

  test('is refused to a client that was told of no binding, when one is offered', () => {
    expect(tryChallenge(first('y'))).toEqual(failed('server-does-support-channel-binding'));
    expect(tryChallenge(first('y'), { offer: unbound }).ok).toBe(true);
  });

  test('is refused to a client that binds to something else', () => {
    for (const name of ['tls-unique', 'tls-server-end-point', 'TLS-EXPORTER', 'tls-exporter2']) {
      expect(tryChallenge(first(`p=${name}`))).toEqual(failed('unsupported-channel-binding-type'));
    }
    expect(
      tryChallenge(first('p=tls-unique'), { offer: { ...golden.offer, bindings: ['tls-unique'] } }),
    ).toEqual(failed('unsupported-channel-binding-type'));
  });

  test('is refused to a client that binds where no binding is offered', () => {
    expect(tryChallenge(first('p=tls-exporter'), { offer: unbound })).toEqual(
      failed('channel-binding-not-supported'),
    );
  });

  test('is refused to a client that binds by our name where another binding is offered', () => {
    const offer = { ...golden.offer, bindings: ['tls-unique'] };
    expect(tryChallenge(first('p=tls-exporter'), { offer })).toEqual(
      failed('unsupported-channel-binding-type'),
    );
  });

  test('is given to a client that cannot bind', () => {
    expect(tryChallenge(first('n')).ok).toBe(true);
  });

  test('has a nonce of its own each time', () => {
    const { realm, serverPublicKey, offer } = golden;
    const clientFirst = accepted(parseClientFirst(golden.clientFirst));
    const verifier = fakeVerifier(utf8('secret'), golden.username, 10);
    let call = 0;
    restore = scriptRandomness((length) => {
      call += 1;
      return new Uint8Array(length).fill(call);
    });
    const nonces = Array.from(
      { length: 100 },
      () => accepted(serverFirst({ clientFirst, verifier, realm, serverPublicKey, offer })).nonce,
    );
    expect(new Set(nonces).size).toBe(100);
  });
});

describe('a proof', () => {
  const judge = (clientFinal: string, binding: Uint8Array | undefined = golden.bindingBytes) =>
    verifyClientFinal(challenge(golden.clientFirst), clientFinal, binding);

  /** A client that knows the password and proves it over a channel binding of the test's choice. */
  function proofFor(flag: string, channelBinding: Uint8Array): string {
    const digests = hostDigests;
    const bare = `n=alice,r=${golden.clientNonce}`;
    const message = challenge(`${flag},,${bare}`, flag === 'y' ? { offer: unbound } : {}).message;
    const withoutProof = `c=${toBase64(channelBinding)},r=${golden.clientNonce}${golden.serverNonce}`;
    const clientKey = digests.hmacSha256(golden.authSecret, utf8('Client Key'));
    const signature = digests.hmacSha256(golden.storedKey, utf8(`${bare},${message},${withoutProof}`));
    return `${withoutProof},p=${toBase64(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)))}`;
  }

  const judgeFlag = (flag: string, channelBinding: Uint8Array, binding?: Uint8Array) => {
    const exchange = challenge(
      `${flag},,n=alice,r=${golden.clientNonce}`,
      flag === 'y' ? { offer: unbound } : {},
    );
    return verifyClientFinal(exchange, proofFor(flag, channelBinding), binding);
  };

  test('that is right is answered with the signature', () => {
    expect(judge(golden.clientFinal)).toEqual({ ok: true, value: golden.serverFinal });
    expect(proofFor('p=tls-exporter', concat(utf8('p=tls-exporter,,'), golden.bindingBytes))).toBe(
      golden.clientFinal,
    );
  });

  test('that is wrong in one bit is refused', () => {
    expect(judge(golden.clientFinal.replace('p=uD', 'p=vD'))).toEqual(failed('invalid-proof'));
  });

  test('of zeros is refused', () => {
    expect(judge(golden.clientFinal.slice(0, -44) + toBase64(new Uint8Array(32)))).toEqual(
      failed('invalid-proof'),
    );
  });

  test('made for another nonce is refused', () => {
    const nonce = golden.clientNonce + golden.serverNonce;
    for (const other of [`${nonce}x`, nonce.slice(0, -1), golden.clientNonce, nonce.toUpperCase()]) {
      expect(judge(golden.clientFinal.replace(`r=${nonce}`, `r=${other}`))).toEqual(failed('other-error'));
    }
  });

  test('of an earlier exchange is refused, even where its nonce is written over', () => {
    const later = challenge(golden.clientFirst, { serverNonce: 'z'.repeat(24) });
    expect(verifyClientFinal(later, golden.clientFinal, golden.bindingBytes)).toEqual(failed('other-error'));
    const rewritten = golden.clientFinal.replace(golden.serverNonce, 'z'.repeat(24));
    expect(verifyClientFinal(later, rewritten, golden.bindingBytes)).toEqual(failed('invalid-proof'));
  });

  test('that came over another connection than it was bound to is refused', () => {
    expect(judge(golden.clientFinal, golden.bindingBytes.toReversed())).toEqual(
      failed('channel-bindings-dont-match'),
    );
  });

  test.each([
    ['none', undefined],
    ['an empty one', new Uint8Array()],
    ['31 bytes', golden.bindingBytes.slice(0, 31)],
    ['33 bytes', new Uint8Array(33)],
  ])('claimed as bound is refused where the server has %s, though it matches', (_, binding) => {
    const channelBinding = concat(utf8('p=tls-exporter,,'), binding ?? new Uint8Array());
    expect(judgeFlag('p=tls-exporter', channelBinding, binding)).toEqual(
      failed('channel-bindings-dont-match'),
    );
  });

  test.each([
    ['n', 'n,,'],
    ['y', 'y,,'],
  ])('begun with %s carries that header alone', (flag, header) => {
    expect(judgeFlag(flag, utf8(header)).ok).toBe(true);
    expect(judgeFlag(flag, concat(utf8(header), golden.bindingBytes), golden.bindingBytes)).toEqual(
      failed('channel-bindings-dont-match'),
    );
  });

  test('whose header is not the one it began with is refused', () => {
    expect(judgeFlag('n', utf8('y,,'))).toEqual(failed('channel-bindings-dont-match'));
    expect(judgeFlag('p=tls-exporter', utf8('n,,'), golden.bindingBytes)).toEqual(
      failed('channel-bindings-dont-match'),
    );
    expect(
      judgeFlag('n', concat(utf8('p=tls-exporter,,'), golden.bindingBytes), golden.bindingBytes),
    ).toEqual(failed('channel-bindings-dont-match'));
  });

  test('that is malformed is refused', () => {
    expect(judge(`${golden.clientFinal},x=1`)).toEqual(failed('invalid-encoding'));
    expect(judge(`${golden.clientFinal}\n`)).toEqual(failed('invalid-encoding'));
    expect(judge('')).toEqual(failed('invalid-encoding'));
  });

  test('for a name without an account fails as a wrong password does (ASVS 6.3.8)', () => {
    const { realm, serverPublicKey, offer } = golden;
    const binding: ChannelBinding = { kind: 'tls-exporter', bytes: golden.bindingBytes };
    const started = beginLogin({ username: golden.username, binding, clientNonce: golden.clientNonce });
    const exchange = accepted(
      serverFirst({
        clientFirst: accepted(parseClientFirst(started.message)),
        verifier: fakeVerifier(utf8('server secret'), golden.username, golden.cost),
        realm,
        serverPublicKey,
        offer,
      }),
    );
    expect(exchange.message).toHaveLength(golden.serverFirst.length);
    const finished = started.readChallenge(exchange.message, expectations).finish(golden.authSecret);
    expect(verifyClientFinal(exchange, finished.message, golden.bindingBytes)).toEqual(
      failed('invalid-proof'),
    );
  });
});

/** What a server may hand in in place of noble. */
const hostDigests: Digests = {
  sha256: (data) => createHash('sha256').update(data).digest(),
  hmacSha256: (key, data) => createHmac('sha256', key).update(data).digest(),
};

test("the platform's digests in noble's place change nothing", () => {
  const { realm, serverPublicKey, offer, serverNonce } = golden;
  const exchange = accepted(
    serverFirst(
      {
        clientFirst: accepted(parseClientFirst(golden.clientFirst)),
        verifier: {
          suite: 'CHAT-SCRAM-BCRYPT-1',
          salt: golden.salt,
          cost: golden.cost,
          storedKey: golden.storedKey,
          serverKey: golden.serverKey,
        },
        realm,
        serverPublicKey,
        offer,
        serverNonce,
      },
      hostDigests,
    ),
  );
  expect(exchange.message).toBe(golden.serverFirst);
  expect(verifyClientFinal(exchange, golden.clientFinal, golden.bindingBytes, hostDigests)).toEqual({
    ok: true,
    value: golden.serverFinal,
  });
  expect(fromBase64(golden.serverFinal.slice(2))).toHaveLength(32);
});

test('every reason has one answer, and a wrong secret has the text of an unknown user', () => {
  expect(
    scramReasons.map((reason) => [reason, loginRefusal(reason).code, loginRefusal(reason).message]),
  ).toEqual([
    ['invalid-encoding', 'invalid', 'message: not a login message (invalid-encoding)'],
    ['extensions-not-supported', 'invalid', 'message: not a login message (extensions-not-supported)'],
    ['invalid-proof', 'unauthenticated', 'unknown user or wrong secret'],
    [
      'channel-bindings-dont-match',
      'unauthenticated',
      'the login does not fit this connection (channel-bindings-dont-match)',
    ],
    [
      'server-does-support-channel-binding',
      'unauthenticated',
      'the login does not fit this connection (server-does-support-channel-binding)',
    ],
    [
      'channel-binding-not-supported',
      'unauthenticated',
      'the login does not fit this connection (channel-binding-not-supported)',
    ],
    [
      'unsupported-channel-binding-type',
      'unauthenticated',
      'the login does not fit this connection (unsupported-channel-binding-type)',
    ],
    ['other-error', 'unauthenticated', 'unknown user or wrong secret'],
  ]);
});
