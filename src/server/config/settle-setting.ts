import { dirname, posix, win32 } from 'node:path';
import type { ChatError } from '../../core/errors.ts';
import { checkSetting, checkShown } from '../check-setting.ts';
import type { Setting } from '../setting-kinds.ts';
import { type SettingName, settings } from '../settings.ts';

/** A settings file that was read: values by the flags' long names, of the right types, with where each stands. */
export interface ConfigFile {
  /** Absolute: what is relative in the file is taken from its directory. */
  readonly path: string;
  readonly values: ReadonlyMap<
    string,
    { readonly value: string | boolean; readonly line: number; readonly label: string }
  >;
  /** What does not fit in it, whichever flags and variables are given. */
  readonly problems: readonly ChatError[];
}

/** Where settings come from: flags as typed, by their long names; then the environment; then a file. */
export interface ConfigSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: ConfigFile | undefined;
  readonly platform: NodeJS.Platform;
  readonly homeDirectory: string;
}

/** Which of the sources a value comes from. */
export type ConfigOrigin =
  | { readonly kind: 'flag'; readonly name: string }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  | { readonly kind: 'default' };

/** A checked value, as text, and where it comes from. */
export interface SettledSetting {
  readonly name: SettingName;
  /** Its key in a file and its flag without the dashes. */
  readonly key: string;
  readonly value: string;
  readonly origin: ConfigOrigin;
  /** What an error about it begins with. */
  readonly label: string;
}

/** Every setting, checked. */
export type Settled = Readonly<Record<SettingName, SettledSetting>>;

/** Settles one setting: flag, environment, file, default; throws `invalid` naming where it is given, and what it takes. */
export function settleSetting(sources: ConfigSources, name: SettingName): SettledSetting {
  const { flags, env, file } = sources;
  const setting: Setting = settings[name];
  const key = setting.flag;
  const flag = flags[key];
  // A command line spells a bare flag that was not given as `false`.
  if (flag !== undefined && flag !== false) {
    const label = `--${key}`;
    const value = checkShown(setting, label, String(flag));
    return { name, key, value, origin: { kind: 'flag', name: label }, label };
  }
  const variable = env[setting.variable];
  if (variable !== undefined) {
    const label = setting.variable;
    const value = checkSetting(setting, label, variable);
    return { name, key, value, origin: { kind: 'environment', name: label }, label };
  }
  const found = file?.values.get(key);
  if (file !== undefined && found !== undefined) {
    const { label, line } = found;
    const value = checkShown(setting, label, String(found.value), dirname(file.path));
    return { name, key, value, origin: { kind: 'file', path: file.path, line }, label };
  }
  return defaultSetting(sources, name);
}

/** A setting as it is when nobody gives it. */
export function defaultSetting(sources: ConfigSources, name: SettingName): SettledSetting {
  const setting: Setting = settings[name];
  const value = name === 'dataDirectory' ? defaultDataDirectory(sources) : String(setting.fallback);
  return { name, key: setting.flag, value, origin: { kind: 'default' }, label: `--${setting.flag}` };
}

/** Where each platform keeps a program's data of one user (XDG Base Directory; Apple's and Microsoft's conventions). */
function defaultDataDirectory({ env, platform, homeDirectory }: ConfigSources): string {
  const { isAbsolute, join } = platform === 'win32' ? win32 : posix;
  // A relative variable is to be ignored.
  const named = (variable: string | undefined): string | undefined =>
    variable !== undefined && isAbsolute(variable) ? variable : undefined;
  const xdg = named(env.XDG_DATA_HOME);
  if (xdg !== undefined) return join(xdg, 'chat');
  if (platform === 'darwin') return join(homeDirectory, 'Library', 'Application Support', 'chat', 'data');
  if (platform === 'win32') {
    return join(named(env.LOCALAPPDATA) ?? join(homeDirectory, 'AppData', 'Local'), 'chat', 'data');
  }
  return join(homeDirectory, '.local', 'share', 'chat');
}
