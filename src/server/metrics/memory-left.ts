/** What the system says of memory, in bytes. */
export interface MemoryState {
  /** What the machine can give, with what its caches would give up. */
  readonly freeBytes: number;
  /** What the process and its group may take; 0 where the system says none. */
  readonly limitBytes: number;
  readonly residentBytes: number;
}

/**
 * What the process may still take. Of a group's limit not what the group has taken is subtracted, as Node does, but what the process
 * has: the group's number holds pages of files too, which the system gives up by itself, and a database fills every limit with them.
 */
export function memoryLeft({ freeBytes, limitBytes, residentBytes }: MemoryState): number {
  if (limitBytes === 0) return freeBytes;
  return Math.min(freeBytes, Math.max(0, limitBytes - residentBytes));
}
