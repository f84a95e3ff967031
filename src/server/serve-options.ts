import type { Setting, SwitchSetting } from './setting-kinds.ts';
import { settings } from './settings.ts';

/** A flag as a command line declares it: text is checked by `readConfig`, so that each setting has one reader. */
export type ServeOption =
  | { readonly type: 'flag'; readonly describe: string }
  | {
      readonly type: 'text';
      readonly value: string;
      readonly describe: string;
      /** True when it may be given more than once: the values come with a blank between them. */
      readonly repeats?: true;
      /** What a shell may offer for the value. */
      readonly complete?: 'file' | readonly string[];
    };

/** The flags of `serve` by their long names; what was typed goes to `readConfig` as it is. */
export const serveOptions: Readonly<Record<string, ServeOption>> = Object.fromEntries(
  Object.values<Setting>(settings).map((setting) => [setting.flag, option(setting)]),
);

function option(setting: Setting): ServeOption {
  if (setting.kind === 'switch') {
    return { type: 'flag', describe: `${setting.help} (${setting.variable})` };
  }
  const notes = [
    ...(setting.fallback === '' ? [] : [`default ${setting.fallback}`]),
    ...zeroOf(setting),
    setting.variable,
  ];
  return {
    type: 'text',
    value: placeholder(setting),
    describe: `${setting.help} (${notes.join('; ')})`,
    ...(setting.kind === 'origins' || setting.kind === 'networks' ? { repeats: true } : {}),
    ...(setting.kind === 'path' || setting.kind === 'file' ? { complete: 'file' } : {}),
    ...(setting.kind === 'choice' ? { complete: setting.choices } : {}),
  };
}

/** What 0 does, in a list of one; an empty one where there is no 0. */
export function zeroOf(setting: Setting): readonly string[] {
  return 'min' in setting && setting.min === 0 ? [setting.zero ?? '0 is off'] : [];
}

function placeholder(setting: Exclude<Setting, SwitchSetting>): string {
  switch (setting.kind) {
    case 'integer':
      return 'N';
    case 'seconds':
      return 'SECONDS';
    case 'days':
      return 'DAYS';
    case 'file':
      return 'FILE';
    case 'address':
    case 'extra-address':
      return 'HOST:PORT';
    case 'path':
      return 'DIR';
    case 'origins':
      return 'ORIGIN';
    case 'public-address':
      return 'HOST:PORT';
    case 'smtp':
    case 'store':
    case 'bus':
      return 'URL';
    case 'mailbox':
      return 'ADDRESS';
    case 'networks':
      return 'CIDR';
    case 'choice':
      return setting.choices.join('|');
  }
}
