import type { OutputOf } from '../core/operations/index.ts';
import { lineTime } from './message-text.ts';

/** What a person is told of the second factor. */
export function factorText({
  on: isOn,
  recovery_codes_left: left,
  taken_at: takenAt,
}: OutputOf<'account.me'>['second_factor']): string {
  if (isOn) return `on, ${left} recovery ${left === 1 ? 'code' : 'codes'} left`;
  return takenAt === undefined ? 'off' : `off; an administrator took it away at ${lineTime(takenAt)}`;
}
