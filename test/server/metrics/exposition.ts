/** One line of numbers in the text format of Prometheus. */
export interface Row {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with its rows. */
export interface Parsed {
  readonly type: string;
  readonly help: string;
  readonly rows: readonly Row[];
}

const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?(?:[0-9.]+(?:e[+-]?[0-9]+)?)|[+-]Inf|[Nn]a[Nn])$/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

/**
 * Reads the text format of Prometheus (Exposition formats, "Text-based format") and of OpenMetrics, strictly: throws for a line that
 * is none, for a row before its TYPE, of another metric, or that stands twice, and for a metric that stands twice or without a HELP.
 */
export function parseExposition(text: string): Map<string, Parsed> {
  const metrics = new Map<string, { type: string; help: string; rows: Row[] }>();
  const seen = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let current: { name: string; type: string; rows: Row[] } | undefined;
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '' || line === '# EOF') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') help = { name, text: rest };
    else if (keyword === 'TYPE') {
      if (help?.name !== name || help.text === '') throw new Error(`no HELP before: ${line}`);
      if (metrics.has(name)) throw new Error(`twice: ${line}`);
      if (!/^(?:counter|gauge|histogram|summary)$/.test(rest)) throw new Error(`no type: ${line}`);
      current = { name, type: rest, rows: [] };
      metrics.set(name, { ...current, help: help.text });
    } else {
      const [, of = '', labels = '', value = ''] = sample.exec(line) ?? [];
      if (of === '' || !current) throw new Error(`no row: ${line}`);
      const suffixes = current.type === 'histogram' ? '_(?:bucket|sum|count)' : '(?:_(?:total|sum|count))?';
      if (!new RegExp(`^${current.name}${suffixes}$`).test(of)) throw new Error(`of another metric: ${line}`);
      const key = line.slice(0, line.lastIndexOf(' '));
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      seen.add(key);
      current.rows.push({
        name: of,
        labels: labelsOf(labels, line),
        value: Number(value.replace('Inf', 'Infinity')),
      });
    }
  }
  return metrics;
}

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  label.lastIndex = 0;
  for (let at = 0; at < text.length; at = label.lastIndex) {
    const [, name, value] = label.exec(text) ?? [];
    if (name === undefined || value === undefined || name in labels) throw new Error(`labels: ${line}`);
    labels[name] = value;
  }
  return labels;
}
