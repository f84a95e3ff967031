import { expect } from 'vitest';
import { stepMs, totpCode, totpStep } from '../../../src/core/crypto/totp.ts';
import { secretOf } from '../../core/support/second-factor.ts';
import type { Person } from './server.ts';

/** The code that an authenticator with this secret shows now, or some steps from now. */
export function codeOf(secret: string, steps = 0): string {
  return totpCode(secretOf(secret), totpStep(Date.now() + steps * stepMs));
}

/** Turns a factor on; the code of the step before this one is used up by it. */
export async function turnOn(person: Person): Promise<{ secret: string; recoveryCodes: string[] }> {
  const [begun] = await person.json<{ secret: string; uri: string }>(['totp', 'on']);
  const { secret = '', uri = '' } = begun ?? {};
  expect(uri).toContain(`secret=${secret}`);
  const confirm = () =>
    person.json<{ recovery_codes: string[] }>(['totp', 'on', '--otp', codeOf(secret, -1)]);
  // Another step may have begun on the way, and the code be two steps old then.
  const [on] = await confirm().catch(confirm);
  return { secret, recoveryCodes: on?.recovery_codes ?? [] };
}
