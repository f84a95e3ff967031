/** Says what has become of the other sessions of an account, of which `count` were ended. */
export function endedSessionsText(count: number): string {
  if (count === 0) return 'there was no other session';
  return count === 1 ? 'ended 1 other session' : `ended ${count} other sessions`;
}
