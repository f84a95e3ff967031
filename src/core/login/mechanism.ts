import type { Operation } from '../operation.ts';

/** One way to show who one is, as data: its name, what it shows the server, and the operations it is made of. */
export interface Mechanism<O extends Operation = Operation> {
  readonly name: string;
  /** What the server gets to see of the secret, in plain words. */
  readonly shows: string;
  readonly operations: readonly O[];
}

/** Declares a mechanism. */
export function mechanism<const M extends { name: string; shows: string; operations: readonly unknown[] }>(
  definition: M,
): M {
  return definition;
}
