import type { Figure, Spread } from './figure.ts';

/** A number as it is read: three digits that count, thousands apart. */
export function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const rounded = Number(value.toPrecision(3));
  if (Math.abs(rounded) >= 100) return Math.round(value).toLocaleString('en');
  return String(rounded);
}

/** The middle and how far the rounds spread, as in `3.2 (3.1–3.4)`; of one round, its value alone. */
export function spelledSpread({ median, least, most, values }: Spread): string {
  if (values.length < 2) return shortNumber(median);
  return `${shortNumber(median)} (${shortNumber(least)}–${shortNumber(most)})`;
}

/** `met` or `missed`, and what was to be reached; empty without a target. */
export function verdict({ target }: Figure): string {
  return target ? `${target.isMet ? 'met' : 'MISSED'}: ${target.sentence}` : '';
}

/** The table of a workload, a line for each figure. */
export function tableRows(figures: readonly Figure[]): string[] {
  const cells = figures.map((figure) => [figure.name, `${spelledSpread(figure)} ${figure.unit}`] as const);
  const nameWidth = Math.max(...cells.map(([name]) => name.length));
  const valueWidth = Math.max(...cells.map(([, value]) => value.length));
  return figures.map((figure, row) => {
    const [name = '', value = ''] = cells[row] ?? [];
    const { floor, ratio, note } = figure;
    const beside = floor && ratio ? `${spelledSpread(ratio)} × ${floor.name}, ${spelledSpread(floor)}` : '';
    const more = [beside, verdict(figure), note ?? ''].filter((part) => part !== '').join('; ');
    return `${name.padEnd(nameWidth)}  ${value.padStart(valueWidth)}  ${more}`.trimEnd();
  });
}
