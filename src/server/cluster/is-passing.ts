/** Of the system, and of PostgreSQL while it starts or ends, or has no room for one more (its appendix A). */
const passing: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN'],
  // Names of services that are still starting; and the socket of a database that is.
  ...['ENOTFOUND', 'EAI_AGAIN', 'ENOENT'],
  ...['57P01', '57P02', '57P03', '53300', '08000', '08001', '08003', '08004', '08006'],
]);

/** True for the failure of a start that another try may not have: by the first code in the row of its causes. */
export function isPassing(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    const own = codeOf(one);
    if (own !== undefined) return passing.has(own);
    // Several addresses, of which each has failed in its own way.
    if (one instanceof AggregateError) return one.errors.some((each: unknown) => isPassing(each));
    if (/timeout|terminated unexpectedly/i.test(one.message)) return true;
  }
  return false;
}

/** Codes are in capitals; a `ChatError` has others. */
function codeOf(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && /^[A-Z0-9_]+$/.test(code) ? code : undefined;
}
