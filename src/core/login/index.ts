import { certificate } from './certificate.ts';
import { challengeResponse } from './challenge-response.ts';
import { hashedPassword } from './hashed-password.ts';
import { password } from './password.ts';
import { secondStep } from './second-step.ts';
import { token } from './token.ts';

/** Every way to log in, one line each: its operations are in the registry by standing here. */
export const mechanisms = [
  challengeResponse,
  password,
  hashedPassword,
  certificate,
  secondStep,
  token,
] as const;

const mechanismNames: ReadonlyMap<string, string> = new Map(
  mechanisms.flatMap(({ name, operations }) => operations.map((one) => [one.name, name] as const)),
);

/** The mechanism that an operation belongs to; undefined for one that proves nobody. */
export function mechanismOf(operation: string): string | undefined {
  return mechanismNames.get(operation);
}

/** The operations of all mechanisms. */
export const loginOperations = mechanisms.flatMap(
  (one): (typeof mechanisms)[number]['operations'][number][] => [...one.operations],
);
