import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseClientFirst, scramReasons } from '../../../src/core/crypto/scram-messages.ts';
import { verifyClientFinal } from '../../../src/core/crypto/scram-server.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { accepted, challenge, expectations, golden, goldenLogin, goldenPin, tryChallenge } from './golden.ts';

/** A message with some of its text cut out and something else put there, or any text at all. */
function mutated(message: string): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom(
      ',',
      '=',
      'm=1,',
      ',r=',
      ',i=4',
      '=2C',
      '==',
      '\0',
      '\r\n',
      'p=',
      'v=',
      'e=invalid-proof',
    ),
    fc.string({ maxLength: 2_000 }),
  );
  const edit = fc.record({ at: fc.nat(message.length), cut: fc.nat(message.length), piece });
  const edited = fc
    .array(edit, { minLength: 1, maxLength: 3 })
    .map((edits) =>
      edits.reduce((text, { at, cut, piece }) => text.slice(0, at) + piece + text.slice(at + cut), message),
    );
  return fc.oneof({ weight: 4, arbitrary: edited }, fc.string({ unit: 'binary' }));
}

const runs = { numRuns: 2_000 };
const exchange = challenge(golden.clientFirst);

/** The code of what a step throws; anything that is not ours is thrown on. */
function codeOf(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (error instanceof ChatError) return error.code;
    throw error;
  }
}

test('a mutated client-first is never answered with anything but a challenge or a reason', () => {
  fc.assert(
    fc.property(mutated(golden.clientFirst), (text) => {
      const parsed = parseClientFirst(text);
      const result = parsed.ok ? tryChallenge(text) : parsed;
      if (!result.ok) expect(scramReasons).toContain(result.reason);
    }),
    runs,
  );
});

test('a mutated client-final never verifies and is never answered with anything but a reason', () => {
  fc.assert(
    fc.property(mutated(golden.clientFinal), (text) => {
      fc.pre(text !== golden.clientFinal);
      const result = verifyClientFinal(exchange, text, golden.bindingBytes);
      expect(scramReasons).toContain(result.ok ? 'it was accepted' : result.reason);
    }),
    runs,
  );
});

test('a mutated server-first is refused as untrusted, or leads to a proof that the server refuses', () => {
  fc.assert(
    fc.property(mutated(golden.serverFirst), (text) => {
      fc.pre(text !== golden.serverFirst);
      const step = (): void => {
        const read = goldenLogin().readChallenge(text, { ...expectations, pin: goldenPin });
        const proof = read.finish(golden.authSecret).message;
        expect(verifyClientFinal(exchange, proof, golden.bindingBytes).ok).toBe(false);
      };
      expect(['none', 'untrusted']).toContain(codeOf(step));
    }),
    runs,
  );
});

test('a mutated server-final never passes, and is refused as unauthenticated or untrusted', () => {
  const finished = goldenLogin().readChallenge(golden.serverFirst, expectations).finish(golden.authSecret);
  expect(finished.message).toBe(golden.clientFinal);
  fc.assert(
    fc.property(mutated(golden.serverFinal), (text) => {
      fc.pre(text !== golden.serverFinal);
      expect(['unauthenticated', 'untrusted']).toContain(codeOf(() => finished.verifyServer(text)));
    }),
    runs,
  );
});

test('the message that was mutated is a good one', () => {
  expect(accepted(verifyClientFinal(exchange, golden.clientFinal, golden.bindingBytes))).toBe(
    golden.serverFinal,
  );
});
