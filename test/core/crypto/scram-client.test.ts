import { describe, expect, test } from 'vitest';
import { toBase64, utf8 } from '../../../src/core/crypto/bytes.ts';
import { nobleDigests } from '../../../src/core/crypto/digests.ts';
import { beginLogin, type ChannelBinding, type LoginPin } from '../../../src/core/crypto/scram-client.ts';
import { type Offer, offerDigest } from '../../../src/core/crypto/scram-messages.ts';
import { verifyClientFinal } from '../../../src/core/crypto/scram-server.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { accepted, challenge, expectations, golden, goldenLogin, goldenPin } from './golden.ts';

const bound: ChannelBinding = { kind: 'tls-exporter', bytes: golden.bindingBytes };
const none: ChannelBinding = { kind: 'none' };
const { username, clientNonce } = golden;

/** Code and text of what a step throws. */
function refusal(step: () => unknown): string {
  try {
    step();
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    return `${error.code}: ${error.message}`;
  }
  throw new Error('nothing was refused');
}

const untrusted = (why: string): string => `untrusted: the server cannot be trusted with a login: ${why}`;
const unproven = 'unauthenticated: the server could not prove that it knows this account';

describe('the first message', () => {
  test.each([
    ['p=tls-exporter', 'the client can bind and knows nothing of the server', bound, undefined],
    ['p=tls-exporter', 'the client can bind and the server offers it', bound, ['tls-exporter']],
    ['y', 'the client could bind but was offered nothing', bound, []],
    ['n', 'the client cannot bind', none, ['tls-exporter']],
    ['n', 'neither can', none, []],
  ] as const)('says %s when %s', (flag, _, binding, offeredBindings) => {
    const options = { username, binding, clientNonce, ...(offeredBindings && { offeredBindings }) };
    expect(beginLogin(options).message).toBe(`${flag},,n=alice,r=${clientNonce}`);
  });

  test.each([0, 31, 33])('is never made with a binding of %i bytes', (length) => {
    const binding: ChannelBinding = { kind: 'tls-exporter', bytes: new Uint8Array(length) };
    expect(() => beginLogin({ username, binding })).toThrow(RangeError);
  });
});

describe('a challenge', () => {
  /** Reads a golden challenge in which one piece of text was changed. */
  const read = (from: string, to: string, pin?: LoginPin) =>
    goldenLogin().readChallenge(golden.serverFirst.replace(from, to), { ...expectations, pin });

  test('that is good gives salt, cost, realm and suite for the password', () => {
    const { finish: _, ...given } = read('', '', goldenPin);
    expect(given).toEqual({
      salt: golden.salt,
      cost: 10,
      realm: 'chat.example',
      suite: 'CHAT-SCRAM-BCRYPT-1',
    });
  });

  test.each(['abc', '1e1', '010', '', '0', '10.0', '-10'])('with the cost %j is refused', (cost) => {
    expect(refusal(() => read('i=10', `i=${cost}`))).toBe(untrusted('its challenge is malformed'));
  });

  test.each([1, 4, 9, 15, 31, 999_999])('with the cost %i is refused', (cost) => {
    expect(refusal(() => read('i=10', `i=${cost}`))).toBe(
      untrusted(`it asks for cost ${cost}, which is not within 10 to 14`),
    );
  });

  test('with the cost 14 is accepted, and with more than was pinned', () => {
    expect(read('i=10', 'i=14').cost).toBe(14);
    expect(read('i=10', 'i=12', { ...goldenPin, cost: 11 }).cost).toBe(12);
    expect(read('i=10', 'i=11', { ...goldenPin, cost: 11 }).cost).toBe(11);
  });

  test('with a lower cost than was pinned is refused', () => {
    expect(refusal(() => read('', '', { ...goldenPin, cost: 11 }))).toBe(
      untrusted('it asks for cost 10, but asked for 11 before'),
    );
  });

  test.each([
    ['15 bytes', 'AAECAwQFBgcICQoLDA0O'],
    ['17 bytes', 'AAECAwQFBgcICQoLDA0ODxA='],
  ])('with a salt of %s is refused', (_, salt) => {
    expect(refusal(() => read('AAECAwQFBgcICQoLDA0ODw==', salt))).toBe(
      untrusted('its challenge is malformed'),
    );
  });

  const whole = clientNonce + golden.serverNonce;
  test.each([
    ['is another', golden.serverNonce + clientNonce],
    ['is ours with its first character changed', `g${whole.slice(1)}`],
    ['stops with ours', clientNonce],
    ['lacks one character of 24 after ours', whole.slice(0, -1)],
    ['is one character of ours short', clientNonce.slice(0, -1) + golden.serverNonce],
  ])('whose nonce %s is refused', (_, nonce) => {
    expect(refusal(() => read(whole, nonce))).toBe(untrusted('its challenge does not answer ours'));
  });

  test('for another suite is refused, also when that one was pinned', () => {
    const text = untrusted('it asks for a login suite that this client does not accept from it');
    expect(refusal(() => read('BCRYPT-1', 'BCRYPT-0'))).toBe(text);
    expect(refusal(() => read('BCRYPT-1', 'BCRYPT-2', { ...goldenPin, suite: 'CHAT-SCRAM-BCRYPT-2' }))).toBe(
      text,
    );
    expect(refusal(() => read('', '', { ...goldenPin, suite: 'CHAT-SCRAM-BCRYPT-2' }))).toBe(text);
  });

  test('from another realm than was pinned is refused', () => {
    expect(read('chat.example', 'chat.other').realm).toBe('chat.other');
    expect(refusal(() => read('chat.example', 'chat.other', goldenPin))).toBe(
      untrusted('its realm has changed'),
    );
  });

  test('made for another server key than the one on the connection is refused', () => {
    const other = toBase64(nobleDigests.sha256(utf8('another public key')));
    expect(refusal(() => read(golden.keyDigest, other))).toBe(
      untrusted('its challenge was made for another server key'),
    );
  });

  test('from a server whose key is not the pinned one is refused, although it shows that key', () => {
    const serverPublicKey = utf8('another public key');
    const other = toBase64(nobleDigests.sha256(serverPublicKey));
    const text = golden.serverFirst.replace(golden.keyDigest, other);
    const reading = (pin?: LoginPin) =>
      goldenLogin().readChallenge(text, { ...expectations, serverPublicKey, pin });
    expect(reading().cost).toBe(10);
    expect(refusal(() => reading(goldenPin))).toBe(untrusted('its key has changed'));
  });

  const changedOffer = untrusted('what it offers was changed on the way');
  test.each<[string, Offer]>([
    ['a binding stripped', { ...golden.offer, bindings: [] }],
    ['a binding added', { ...golden.offer, bindings: ['tls-exporter', 'tls-unique'] }],
    ['a suite stripped', { ...golden.offer, suites: [] }],
    ['a suite added', { ...golden.offer, suites: ['CHAT-OPAQUE-1', 'CHAT-SCRAM-BCRYPT-1'] }],
  ])('is refused when the client saw the offer with %s', (_, offer) => {
    expect(refusal(() => goldenLogin().readChallenge(golden.serverFirst, { ...expectations, offer }))).toBe(
      changedOffer,
    );
  });

  test('is refused when it offers the binding of which the client had heard nothing', () => {
    const started = beginLogin({ username, binding: bound, offeredBindings: [], clientNonce });
    expect(refusal(() => started.readChallenge(golden.serverFirst, expectations))).toBe(changedOffer);
  });

  describe('on an unbound connection', () => {
    const offer: Offer = { ...golden.offer, bindings: [] };
    const text = golden.serverFirst.replace(golden.offerDigest, offerDigest(offer, nobleDigests));
    const reading = (pin: LoginPin, binding: ChannelBinding = none) =>
      beginLogin({ username, binding, clientNonce, offeredBindings: [] }).readChallenge(text, {
        ...expectations,
        offer,
        pin,
      });

    test('is accepted when none was bound before', () => {
      expect(reading({ ...goldenPin, bound: false }).cost).toBe(10);
    });

    test('is refused when logins were bound before, whatever the client can do', () => {
      const weaker = untrusted('logins were bound to the TLS connection before, and this one is not');
      expect(refusal(() => reading(goldenPin))).toBe(weaker);
      expect(refusal(() => reading(goldenPin, bound))).toBe(weaker);
    });
  });
});

describe("the server's proof", () => {
  const finished = () =>
    goldenLogin().readChallenge(golden.serverFirst, expectations).finish(golden.authSecret);

  test('that is right gives what to pin', () => {
    expect(finished().verifyServer(golden.serverFinal)).toEqual(goldenPin);
  });

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['no signature', 'v='],
    ['of the wrong length', 'v=AAEC'],
    ['wrong in one bit', golden.serverFinal.replace('v=l', 'v=m')],
    ["the client's own proof", `v=${golden.clientFinal.slice(-44)}`],
    ['all zero', `v=${toBase64(new Uint8Array(32))}`],
    ['right, with something after it', `${golden.serverFinal},x=1`],
    ['right, with a line end', `${golden.serverFinal}\r\n`],
  ])('is refused when it is %s', (_, serverFinal) => {
    expect(refusal(() => finished().verifyServer(serverFinal))).toBe(unproven);
  });

  test('is refused when it was made for another exchange of the same account', () => {
    const other = beginLogin({ username, binding: bound, clientNonce: 'x'.repeat(24) });
    const exchange = challenge(other.message);
    const proof = other.readChallenge(exchange.message, expectations).finish(golden.authSecret);
    const replayed = accepted(verifyClientFinal(exchange, proof.message, golden.bindingBytes));
    expect(proof.verifyServer(replayed)).toEqual(goldenPin);
    expect(refusal(() => finished().verifyServer(replayed))).toBe(unproven);
  });

  test.each([
    ['invalid-proof', 'unauthenticated: unknown user or wrong secret'],
    ['channel-bindings-dont-match', untrusted('it sees another connection than ours')],
    ['server-does-support-channel-binding', untrusted('it sees another connection than ours')],
    ['invalid-encoding', 'unauthenticated: the server refused the login: invalid-encoding'],
    ['made-up', 'unauthenticated: the server refused the login: other-error'],
  ])('may be the refusal %s instead', (reason, text) => {
    expect(refusal(() => finished().verifyServer(`e=${reason}`))).toBe(text);
  });
});
