import { describe, expect, it } from 'vitest';
import { withCode } from '../../src/client/second-factor.ts';
import { ChatError } from '../../src/core/errors.ts';
import { refusal } from './support/connected.ts';

const required = new ChatError('second-factor-required', 'a second factor is required');
const wrong = new ChatError('unauthenticated', 'the one-time code is wrong');

/** A server that takes one code; what it was called with. */
function server(good: string, otherwise = wrong) {
  const calls: (string | undefined)[] = [];
  return {
    calls,
    async call({ otp }: { readonly otp?: string }) {
      calls.push(otp);
      if (otp === undefined) throw required;
      if (otp !== good) throw otherwise;
      return 'in';
    },
  };
}

/** Types one code after the other; what was said before each. */
function person(...codes: string[]) {
  const told: (string | undefined)[] = [];
  return {
    told,
    async askOtp(refused?: ChatError) {
      told.push(refused?.message);
      return codes.shift() ?? 'nothing left to type';
    },
  };
}

describe('a login that needs a second factor', () => {
  it('asks a person, again after a wrong code and with what was wrong', async () => {
    const { calls, call } = server('3');
    const { told, askOtp } = person('1', '2', '3');
    expect(await withCode({ askOtp }, call)).toBe('in');
    expect(calls).toEqual([undefined, '1', '2', '3']);
    expect(told).toEqual([undefined, wrong.message, wrong.message]);
  });

  it('is refused after the third wrong code', async () => {
    const { calls, call } = server('4');
    expect(await refusal(withCode(person('1', '2', '3', '4'), call))).toBe(wrong);
    expect(calls).toEqual([undefined, '1', '2', '3']);
  });

  it('does not ask again when it is refused for something else', async () => {
    const { calls, call } = server('2', new ChatError('rate-limited', 'too often'));
    expect((await refusal(withCode(person('1', '2'), call))).code).toBe('rate-limited');
    expect(calls).toEqual([undefined, '1']);
  });

  it('asks nobody when a code was given, or nobody is there', async () => {
    const { calls, call } = server('2');
    const { told, askOtp } = person('2');
    expect(await refusal(withCode({ otp: '1', askOtp }, call))).toBe(wrong);
    expect(await refusal(withCode({}, call))).toBe(required);
    expect({ calls, told }).toEqual({ calls: ['1', undefined], told: [] });
  });
});
