import type { Stats } from 'node:fs';

/** Says whose a file is when it is not this user's, for the end of an error: the usual reason why it cannot be used. */
export function whose(found: Pick<Stats, 'uid'> | undefined): string {
  const own = process.getuid?.();
  if (found === undefined || own === undefined || found.uid === own) return '';
  return `: it belongs to user ${found.uid}, and this is user ${own}`;
}
