import type * as z from 'zod';

/** Adds an issue about a field to the check of a whole input. */
export type Refuse = (field: string, message: string) => void;

/** Builds it for zod's `superRefine`. */
export function refuseIn(context: z.RefinementCtx): Refuse {
  return (field, message) => context.addIssue({ code: 'custom', path: [field], message });
}

/** Refuses input in which not exactly one of the fields `names` is given, which are the ways to say what an account is to log in with. */
export function checkOneSecret<Given extends object>(
  given: Given,
  names: readonly (keyof Given & string)[],
  refuse: Refuse,
): void {
  if (names.filter((name) => given[name] !== undefined).length === 1) return;
  refuse('password', `give one of ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`);
}
