import { escapeForTerminal } from './escape.ts';
import type { TextSink } from './host.ts';

/** Rows as lines: aligned on a terminal, separated by one tab for `cut`, and escaped. */
export function tableLines(rows: readonly (readonly string[])[], sink: TextSink): string[] {
  const safe = rows.map((row) => row.map(escapeForTerminal));
  if (!sink.isTerminal) return safe.map((row) => row.join('\t'));
  const widths: number[] = [];
  for (const row of safe) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return safe.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
