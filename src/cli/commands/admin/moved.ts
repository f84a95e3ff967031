import type { MoveProgress, MoveReport } from '../../../server/moving/move-report.ts';
import type { TextSink } from '../../host.ts';
import { tableLines } from '../../table.ts';

const steps: Readonly<Record<MoveProgress['step'], string>> = {
  export: '',
  import: '',
  verify: 'comparing ',
};

/** How far it is, and how long it will take at the rate until now. */
export function progressText(
  { step, table, done, total, doneNow, left }: MoveProgress,
  elapsedMs: number,
): string {
  const perSecond = doneNow / (elapsedMs / 1_000);
  const text = `${steps[step]}${table}: ${done} of ${total} rows`;
  if (doneNow === 0 || !Number.isFinite(perSecond)) return text;
  return `${text}, ${Math.round(perSecond)} rows/s, ${Math.ceil(left / perSecond)} s left`;
}

/** A line for each table: its name, how many rows it has, and the SHA-256 over them. */
export function movedLines({ tables }: MoveReport, stdout: TextSink): string[] {
  return tableLines(
    tables.map(({ table, rows, sha256 }) => [table, String(rows), sha256]),
    stdout,
  );
}
