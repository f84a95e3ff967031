const durationShape = /^(\d+(?:\.\d+)?)(s|m|h|d|w)$/;
const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Reads `90s`, `10m`, `2h`, `1d` or `1w` as milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit = ''] = durationShape.exec(text) ?? [];
  const ms = unitMs[unit];
  return ms === undefined ? undefined : Number(count) * ms;
}
