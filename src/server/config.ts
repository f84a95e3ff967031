import { posix, win32 } from 'node:path';
import { ChatError } from '../core/errors.ts';
import { checkShown, isNumeric } from './check-setting.ts';
import { contradictions } from './config/contradictions.ts';
import { type ServerConfig, serverConfig } from './config/server-config.ts';
import {
  type ConfigSources,
  defaultSetting,
  type Settled,
  type SettledSetting,
  settleSetting,
} from './config/settle-setting.ts';
import type { Setting } from './setting-kinds.ts';
import { type SettingName, settings } from './settings.ts';

/** A configuration with all that is wrong with it. */
export interface SettledConfig {
  /** What does not fit stands at its default. */
  readonly config: ServerConfig;
  readonly settings: readonly SettledSetting[];
  /** `invalid`, each naming the flag, the variable or the place in the file; none when the server can start with it. */
  readonly problems: readonly ChatError[];
  /** The settings that do not fit. */
  readonly unfit: ReadonlySet<SettingName>;
}

/**
 * Settles the configuration: flag, environment, file, default. Throws `invalid` naming the flag, the variable or the place
 * in the file, and what it takes.
 */
export function readConfig(sources: ConfigSources): ServerConfig {
  const { config, problems } = settleConfig(sources);
  const [problem] = problems;
  if (problem !== undefined) throw problem;
  return config;
}

/** Settles the configuration as {@link readConfig} does, and collects what does not fit instead of stopping at it. */
export function settleConfig(sources: ConfigSources): SettledConfig {
  const problems: ChatError[] = [...(sources.file?.problems ?? [])];
  const unfit = new Set<SettingName>();
  const each = (Object.keys(settings) as SettingName[]).map((name): SettledSetting => {
    try {
      return settleSetting(sources, name);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      problems.push(error);
      unfit.add(name);
      return defaultSetting(sources, name);
    }
  });
  const all = withBackupDirectory(each, sources.platform);
  const settled = Object.fromEntries(all.map((one) => [one.name, one])) as Settled;
  for (const { problem, unfit: name } of contradictions(settled, unfit)) {
    problems.push(problem);
    if (name !== undefined) unfit.add(name);
  }
  return { config: serverConfig(settled), settings: all, problems, unfit };
}

/** Backups are in the data directory, wherever that is, unless another place is named. */
function withBackupDirectory(all: readonly SettledSetting[], platform: NodeJS.Platform): SettledSetting[] {
  const { join } = platform === 'win32' ? win32 : posix;
  const data = all.find(({ name }) => name === 'dataDirectory')?.value ?? '';
  return all.map((one) =>
    one.name === 'backupDirectory' && one.origin.kind === 'default'
      ? { ...one, value: join(data, 'backups') }
      : one,
  );
}

/** A key of a settings file: what it takes, and how it is checked by itself, whatever flags and environment say. */
export interface ConfigKey {
  readonly type: 'switch' | 'number' | 'text';
  check(label: string, value: string | boolean): void;
}

/** The keys of a server's settings file: the flags' long names. */
export const configKeys: Readonly<Record<string, ConfigKey>> = Object.fromEntries(
  Object.values<Setting>(settings).map((setting) => [setting.flag, configKey(setting)]),
);

function configKey(setting: Setting): ConfigKey {
  const isNumber = isNumeric(setting);
  return {
    type: setting.kind === 'switch' ? 'switch' : isNumber ? 'number' : 'text',
    check: (label, value) => void checkShown(setting, label, String(value)),
  };
}
