/** Hands on at most one error in `quietMs` and drops the others: what fails at every try, for want of file descriptors say, is told of once. */
export function rarely(tell: (error: unknown) => void, quietMs = 1_000): (error: unknown) => void {
  let lastAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    const now = performance.now();
    if (now - lastAt < quietMs) return;
    lastAt = now;
    tell(error);
  };
}
