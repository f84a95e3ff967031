import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { afterEach, describe, expect, test } from 'vitest';
import { toBase64, utf8 } from '../../../src/core/crypto/bytes.ts';
import { nobleDigests } from '../../../src/core/crypto/digests.ts';
import { beginLogin } from '../../../src/core/crypto/scram-client.ts';
import { parseClientFirst, type ScramProfile } from '../../../src/core/crypto/scram-messages.ts';
import { serverFirst, verifyClientFinal } from '../../../src/core/crypto/scram-server.ts';
import { stretch } from '../../../src/core/crypto/stretch.ts';
import { scramKeys, verifierFrom } from '../../../src/core/crypto/verifier.ts';
import { parsePassword } from '../../../src/core/model/password.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { scriptRandomness } from '../../../src/core/random.ts';
import { accepted, challenge, expectations, golden, goldenLogin, goldenPin } from './golden.ts';

let restore = (): void => {};
afterEach(() => restore());

test('the golden exchange is reproduced, message by message, by both ends', () => {
  const started = goldenLogin();
  expect(started.message).toBe(golden.clientFirst);
  const exchange = challenge(started.message);
  expect(exchange.message).toBe(golden.serverFirst);
  const finished = started.readChallenge(exchange.message, expectations).finish(golden.authSecret);
  expect(finished.message).toBe(golden.clientFinal);
  const signature = verifyClientFinal(exchange, finished.message, golden.bindingBytes);
  expect(signature).toEqual({ ok: true, value: golden.serverFinal });
  expect(finished.verifyServer(golden.serverFinal)).toEqual(goldenPin);
});

test("RFC 7677's example is reproduced by the same code with PBKDF2 in bcrypt's place", () => {
  const rfc: ScramProfile = { extended: false, cost: { min: 4_096, max: 4_096 }, minNonceCharacters: 20 };
  const salt = Uint8Array.fromBase64('W22ZaJ0SNY7soEsUEjb6gQ==');
  const saltedPassword = pbkdf2(sha256, utf8('pencil'), salt, { c: 4_096, dkLen: 32 });
  const started = beginLogin(
    { username: parseUsername('user'), binding: { kind: 'none' }, clientNonce: 'rOprNGfwEbeRWgbNEkqO' },
    rfc,
  );
  expect(started.message).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO');

  const exchange = accepted(
    serverFirst(
      {
        clientFirst: accepted(parseClientFirst(started.message, rfc)),
        verifier: verifierFrom(saltedPassword, salt, 4_096),
        realm: '',
        offer: { suites: [], bindings: [] },
        serverPublicKey: new Uint8Array(),
        serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
      },
      nobleDigests,
      rfc,
    ),
  );
  expect(exchange.message).toBe(
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  );

  const read = started.readChallenge(exchange.message, expectations);
  expect([read.salt, read.cost]).toEqual([salt, 4_096]);
  const finished = read.finish(saltedPassword);
  expect(finished.message).toBe(
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  );
  expect(verifyClientFinal(exchange, finished.message, undefined)).toEqual({
    ok: true,
    value: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  });
  finished.verifyServer('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
});

describe('a whole login', () => {
  /** Registers with one password, logs in with another, and answers what the server and the client say. */
  async function login(registered: string, shown: string, binding: Uint8Array | undefined) {
    let call = 0;
    restore = scriptRandomness((length) => {
      call += 1;
      return new Uint8Array(length).fill(call);
    });
    const account = { ...golden, password: parsePassword(registered) };
    const verifier = verifierFrom(await stretch(account), golden.salt, golden.cost);
    const offer = { suites: golden.offer.suites, bindings: binding === undefined ? [] : ['tls-exporter'] };
    const { realm, serverPublicKey, username } = golden;
    const started = beginLogin({
      username,
      binding: binding === undefined ? { kind: 'none' } : { kind: 'tls-exporter', bytes: binding },
    });
    const clientFirst = accepted(parseClientFirst(started.message));
    const exchange = accepted(serverFirst({ clientFirst, verifier, realm, offer, serverPublicKey }));
    const read = started.readChallenge(exchange.message, { serverPublicKey, offer });
    const secret = await stretch({ ...read, username, password: parsePassword(shown) });
    const finished = read.finish(secret);
    return { exchange, finished, judged: verifyClientFinal(exchange, finished.message, binding) };
  }

  test('bound to its connection succeeds on both ends, with nonces from both', async () => {
    const { exchange, finished, judged } = await login('pass word', 'pass word', golden.bindingBytes);
    expect(exchange.nonce).toBe('AQEB'.repeat(6) + 'AgIC'.repeat(6));
    expect(finished.verifyServer(accepted(judged))).toEqual(goldenPin);
  });

  test('without a binding succeeds, and is pinned as unbound', async () => {
    const { finished, judged } = await login('pass word', 'pass word', undefined);
    expect(finished.verifyServer(accepted(judged))).toEqual({ ...goldenPin, bound: false });
  });

  test('with a wrong password fails, with one reason and no signature', async () => {
    const { judged } = await login('pass word', 'pass worD', golden.bindingBytes);
    expect(judged).toEqual({ ok: false, reason: 'invalid-proof' });
  });

  test.each([
    ['case', 'password', 'Password'],
    ['a trailing space', 'password', 'password '],
    ['byte 73', `${'x'.repeat(72)}a`, `${'x'.repeat(72)}b`],
    ['the end of 1,000 bytes', `${'x'.repeat(999)}a`, `${'x'.repeat(999)}b`],
  ])('fails for a password that differs in %s (ASVS 6.2.8)', async (_, registered, shown) => {
    expect((await login(registered, shown, undefined)).judged).toEqual({
      ok: false,
      reason: 'invalid-proof',
    });
  });

  test.each([64, 128, 1_000])('succeeds with a password of %i bytes (ASVS 6.2.9)', async (length) => {
    const password = 'é'.repeat(length / 2);
    expect((await login(password, password, undefined)).judged.ok).toBe(true);
  });

  test('succeeds with emoji, digits and spaces (ASVS 6.2.5)', async () => {
    expect((await login('🐎 battery 1234', '🐎 battery 1234', undefined)).judged.ok).toBe(true);
  });
});

test('what the server keeps does not log in: neither stored key nor server key makes a proof', () => {
  for (const stolen of [golden.storedKey, golden.serverKey]) {
    const finished = goldenLogin().readChallenge(golden.serverFirst, expectations).finish(stolen);
    expect(verifyClientFinal(challenge(golden.clientFirst), finished.message, golden.bindingBytes)).toEqual({
      ok: false,
      reason: 'invalid-proof',
    });
  }
});

test('the messages show neither the password nor anything derived from it that would log in', () => {
  const said = [golden.clientFirst, golden.serverFirst, golden.clientFinal, golden.serverFinal].join('\n');
  const { clientKey, storedKey, serverKey } = scramKeys(golden.authSecret);
  const secrets = [golden.authSecret, clientKey, storedKey, serverKey].map(toBase64);
  for (const secret of [golden.password, golden.boundPassword, ...secrets])
    expect(said).not.toContain(secret);
});
