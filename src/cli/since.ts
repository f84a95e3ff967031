import { parseDuration } from './duration.ts';
import { usageError } from './options.ts';

/** Where `chat tail` begins. */
export type Since =
  | { readonly kind: 'all' }
  | { readonly kind: 'message'; readonly id: string }
  | { readonly kind: 'time'; readonly at: string };

const idShape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const timeShape = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/;
/** Reads a date or time; one without a zone is UTC, as everything `chat` prints. NaN for a day or hour that does not exist. */
function parseTime(text: string): number {
  const match = timeShape.exec(text);
  if (match === null) return Number.NaN;
  const iso = text.replace(' ', 'T');
  const hasTime = iso.includes('T');
  const at = Date.parse(hasTime && match[1] === undefined ? `${iso}Z` : iso);
  const written = Date.parse(`${iso.slice(0, 10)}T00:00:00Z`);
  const dayExists = !Number.isNaN(written) && new Date(written).toISOString().startsWith(iso.slice(0, 10));
  return dayExists ? at : Number.NaN;
}

/** Reads `--since`: `all`, a message's id, a duration (`90s`, `10m`, `2h`, `1d`, `1w`) or a time (UTC unless it has a zone). */
export function parseSince(given: string, now: number): Since {
  if (idShape.test(given)) return { kind: 'message', id: given.toLowerCase() };
  return parseSinceTime(given, now, 'a message id, ');
}

/** Reads a `--since` that no message can be named by; `others` is what else it takes, for the error. */
export function parseSinceTime(
  given: string,
  now: number,
  others = '',
): Exclude<Since, { readonly kind: 'message' }> {
  if (given === 'all') return { kind: 'all' };
  const duration = parseDuration(given);
  const at = duration === undefined ? parseTime(given) : now - duration;
  if (Number.isNaN(at) || Math.abs(at) > 8.64e15) {
    throw usageError(
      `--since takes ${others}a time (2019-11-01 09:30:00, UTC), a duration (90s, 10m, 2h, 1d) or all, not ${JSON.stringify(given)}`,
      '--since',
    );
  }
  return { kind: 'time', at: new Date(Math.max(at, 0)).toISOString() };
}
