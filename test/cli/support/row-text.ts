import type { Row } from '../../../src/cli/interactive/text-layout.ts';

/** The text of a row without its looks. */
export function rowText(row: Row): string {
  return row.map(({ text }) => text).join('');
}
