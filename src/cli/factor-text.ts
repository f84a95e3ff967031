import type { OutputOf } from '../core/operations/index.ts';

/** What a person is told of the second factor. */
export function factorText({
  on: isOn,
  recovery_codes_left: left,
}: OutputOf<'account.me'>['second_factor']): string {
  return isOn ? `on, ${left} recovery ${left === 1 ? 'code' : 'codes'} left` : 'off';
}
