import type { Setting } from './setting-kinds.ts';
import { doorSettings } from './settings/door-settings.ts';
import { placeSettings } from './settings/place-settings.ts';
import { ruleSettings } from './settings/rule-settings.ts';

/**
 * Everything that an operator can set, by its name in the program, in the order in which help shows it. The command line declares its
 * flags from this table.
 */
export const settings = {
  ...placeSettings,
  ...ruleSettings,
  ...doorSettings,
} as const satisfies Record<string, Setting>;

/** The name of a setting in the program. */
export type SettingName = keyof typeof settings;
