/**
 * A text as PostgreSQL can keep it: its texts may have every character but U+0000, which clients may send. It stands as U+0001 and `0`,
 * and U+0001 itself as U+0001 and `1`: two texts stay as different as they were, and in their order.
 */
export function keptText(text: string): string {
  if (!text.includes('\u0000') && !text.includes('\u0001')) return text;
  return text.replaceAll('\u0001', '\u00011').replaceAll('\u0000', '\u00010');
}

/** What {@link keptText} was made of. */
export function readText(kept: string): string {
  if (!kept.includes('\u0001')) return kept;
  return kept.replaceAll('\u00010', '\u0000').replaceAll('\u00011', '\u0001');
}
