/**
 * Declares a mechanism, which is one way to show who one is: its name, what the server gets to see of the secret (`shows`, in plain
 * words), and the operations that it is made of.
 */
export function mechanism<const M extends { name: string; shows: string; operations: readonly unknown[] }>(
  definition: M,
): M {
  return definition;
}
