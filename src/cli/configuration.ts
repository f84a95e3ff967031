import { parseServerAddress } from '../client/address.ts';
import { ChatError } from '../core/errors.ts';
import { type Contexts, contextsPath, defaultContext, loadContexts, noContexts } from './contexts.ts';
import { configDirectory, type Place, pathsOf, systemDirectory } from './directories.ts';
import { checkValue, readSwitch, usageError } from './options.ts';
import {
  checkSetting,
  clientKeys,
  globalOptions,
  type SettingKey,
  type Settings,
  settingKeys,
  type TrustMode,
} from './settings.ts';
import { readSettingsFile, type SettingsFile } from './settings-file.ts';

/** Where a value comes from. */
export type Origin =
  | { readonly kind: 'flag'; readonly name: string }
  | { readonly kind: 'environment'; readonly name: string }
  /** A server that belongs to a context. */
  | { readonly kind: 'context'; readonly name: string }
  /** A context that `chat context select` chose. */
  | { readonly kind: 'selected'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  | { readonly kind: 'default' };

/** One setting as it holds for this run. */
export interface SettledValue {
  readonly key: SettingKey;
  /** Undefined for one that nobody set and that has no one default. */
  readonly value: string | boolean | undefined;
  readonly origin: Origin;
}

/** Everything that one run goes by, and where it comes from. */
export interface Configuration {
  readonly settings: Settings;
  /** One for each key. */
  readonly values: readonly SettledValue[];
  /** The settings files that were looked for, the person's own first; none for a command that takes none. */
  readonly files: readonly SettingsFile[];
  readonly contexts: Contexts;
  /** What does not fit, in the order of the sources; a value that is a problem counts as not given. */
  readonly problems: readonly ChatError[];
}

/** The settings files of the client: the person's own, then the machine's; `named` is the flag or variable that chose another. */
export function clientFiles(
  place: Place,
  named: { readonly path: string; readonly label: string } | undefined,
): { path: string; namedBy: string | undefined }[] {
  const { join, resolve } = pathsOf(place.platform);
  const system = place.env.CHAT_SYSTEM_CONFIG;
  return [
    {
      path: named ? resolve(named.path) : join(configDirectory(place), 'config.yaml'),
      namedBy: named?.label,
    },
    {
      path: system ? resolve(system) : join(systemDirectory(place), 'config.yaml'),
      namedBy: system ? 'CHAT_SYSTEM_CONFIG' : undefined,
    },
  ];
}

/** Which source goes before which: a smaller number wins. A context that a flag names brings its server with it. */
const rank = { flag: 0, flaggedContext: 1, environment: 2, context: 3, userFile: 4, systemFile: 5 } as const;

interface Candidate {
  readonly value: string | boolean;
  readonly rank: number;
  readonly origin: Origin;
  /** What an error about it begins with. */
  readonly label: string;
}

type Raw = Readonly<Record<string, unknown>>;

/** What a flag says; undefined when it is absent, and a bare one that is there is true. */
function fromFlag(raw: Raw, key: keyof typeof globalOptions): Candidate | undefined {
  const given = raw[key];
  const label = `--${key}`;
  if (given === undefined || given === false) return undefined;
  if (Array.isArray(given) && globalOptions[key].type !== 'flag')
    throw usageError(`${label} is given more than once; give it once`, label);
  const value = globalOptions[key].type === 'flag' ? true : String(given);
  return { value, rank: rank.flag, origin: { kind: 'flag', name: label }, label };
}

function fromEnvironment(env: Place['env'], key: keyof typeof globalOptions): Candidate | undefined {
  const option = globalOptions[key];
  const name = option.env;
  const given = env[name];
  const source = { rank: rank.environment, origin: { kind: 'environment', name }, label: name } as const;
  if (given !== undefined)
    return { ...source, value: option.type === 'flag' ? readSwitch(name, given) : given };
  // Every program's, and no switch of ours: it counts when it is not empty (no-color.org).
  if (key !== 'no-color' || (env.NO_COLOR ?? '') === '') return undefined;
  return { ...source, value: true, origin: { kind: 'environment', name: 'NO_COLOR' }, label: 'NO_COLOR' };
}

function fromFile(file: SettingsFile, place: number, key: SettingKey): Candidate | undefined {
  const found = file.values.get(key);
  return (
    found && {
      value: found.value,
      rank: place,
      origin: { kind: 'file', path: file.path, line: found.line },
      label: found.label,
    }
  );
}

/** Collects what does not fit instead of stopping at it. */
class Problems {
  readonly found: ChatError[] = [];

  /** Answers what `work` does, or undefined when it does not fit. */
  during<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.found.push(error);
      return undefined;
    }
  }
}

/**
 * Settles everything that is not a command's own: flag, environment, selected context, the person's file, the machine's
 * file, default, the first that says something. Of two that contradict each other the one from the earlier source holds;
 * both from one source is a problem. With `withFiles` false only flags and environment are read.
 */
export async function settleConfiguration(
  raw: Raw,
  place: Place,
  withFiles: boolean,
): Promise<Configuration> {
  const problems = new Problems();
  const files = withFiles ? await readFiles(raw, place, problems) : [];
  const contexts = withFiles ? await readContexts(place, problems) : none(place);

  /** The first that fits of all who say something, `between` standing where its rank puts it. */
  function first(key: SettingKey, between?: Candidate): Candidate | undefined {
    const candidates = [
      problems.during(() => fromFlag(raw, key)),
      problems.during(() => fromEnvironment(place.env, key)),
      between,
      ...files.map((file, index) => fromFile(file, rank.userFile + index, key)),
    ].filter((candidate) => candidate !== undefined);
    for (const candidate of candidates.toSorted((one, other) => one.rank - other.rank)) {
      const value = problems.during(() => checkSetting(key, candidate.label, candidate.value));
      if (value !== undefined) return { ...candidate, value };
    }
    return undefined;
  }

  const context = first('context', selectedContext(contexts));
  const given: Partial<Record<SettingKey, Candidate | undefined>> = {
    server: first('server', serverOf(contexts, context)),
    context,
    output: first('output'),
    quiet: first('quiet'),
    verbose: first('verbose'),
    'no-color': first('no-color'),
    'screen-reader': first('screen-reader'),
    trust: first('trust'),
    fingerprint: first('fingerprint'),
  };
  problems.during(() => setAside(given, 'quiet', 'verbose', 'they ask for opposite things'));
  problems.during(() => settleTrust(given));
  const values = settingKeys.map((key): SettledValue => {
    const found = given[key];
    return { key, value: found?.value ?? defaults[key], origin: found?.origin ?? { kind: 'default' } };
  });
  return { settings: settingsOf(values), values, files, contexts, problems: problems.found };
}

const defaults: Readonly<Record<SettingKey, string | boolean | undefined>> = {
  server: 'chat://127.0.0.1:8080',
  context: defaultContext,
  output: 'text',
  quiet: false,
  verbose: false,
  'no-color': false,
  'screen-reader': false,
  // It depends on where the server is (security 2).
  trust: undefined,
  fingerprint: undefined,
};

async function readFiles(raw: Raw, place: Place, problems: Problems): Promise<SettingsFile[]> {
  const named = problems.during(() => {
    const candidate = fromFlag(raw, 'config') ?? fromEnvironment(place.env, 'config');
    if (candidate !== undefined) checkValue(candidate.label, globalOptions.config, String(candidate.value));
    return candidate && { path: String(candidate.value), label: candidate.label };
  });
  const files = await Promise.all(
    clientFiles(place, named).map(({ path, namedBy }) => readSettingsFile(path, clientKeys, namedBy)),
  );
  problems.found.push(...files.flatMap((file) => file.problems));
  return files;
}

async function readContexts(place: Place, problems: Problems): Promise<Contexts> {
  try {
    return await loadContexts(place);
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    problems.found.push(error);
    return { ...none(place), exists: true };
  }
}

const none = (place: Place): Contexts => ({ path: contextsPath(place), exists: false, ...noContexts });

function selectedContext({ selected, path }: Contexts): Candidate | undefined {
  if (selected === undefined) return undefined;
  return { value: selected, rank: rank.context, origin: { kind: 'selected', path }, label: path };
}

/** The server that comes with the context, when it is one that was saved. */
function serverOf(contexts: Contexts, context: Candidate | undefined): Candidate | undefined {
  const name = String(context?.value ?? defaultContext);
  const saved = contexts.saved.get(name);
  if (saved === undefined) return undefined;
  return {
    value: saved.server,
    rank: context?.rank === rank.flag ? rank.flaggedContext : rank.context,
    origin: { kind: 'context', name },
    label: contexts.path,
  };
}

/** Lets the earlier source of two contradicting settings hold; throws when one source has both. */
function setAside(
  given: Partial<Record<SettingKey, Candidate | undefined>>,
  one: SettingKey,
  other: SettingKey,
  why: string,
): void {
  const [first, second] = [given[one], given[other]];
  if (!first?.value || !second?.value) return;
  if (first.rank === second.rank) {
    delete given[one];
    delete given[other];
    throw usageError(`${first.label} and ${second.label} cannot be given together: ${why}`, second.label);
  }
  delete given[first.rank < second.rank ? other : one];
}

function settleTrust(given: Partial<Record<SettingKey, Candidate | undefined>>): void {
  const { trust, fingerprint, server } = given;
  // A file's fingerprint is that of the server it knows of: another one has another key.
  if (fingerprint?.origin.kind === 'file' && server !== undefined && server.rank < fingerprint.rank) {
    delete given.fingerprint;
    return;
  }
  // In the environment both may stand, since the one is often set for good.
  if (trust?.rank === fingerprint?.rank && trust?.rank !== rank.flag) return;
  setAside(given, 'trust', 'fingerprint', 'a fingerprint names the one key to trust');
}

function settingsOf(values: readonly SettledValue[]): Settings {
  const of = new Map(values.map(({ key, value }) => [key, value]));
  const text = (key: SettingKey): string | undefined => {
    const value = of.get(key);
    return typeof value === 'string' ? value : undefined;
  };
  return {
    format: text('output') === 'json' ? 'json' : 'text',
    quiet: of.get('quiet') === true,
    verbose: of.get('verbose') === true,
    color: of.get('no-color') !== true,
    screenReader: of.get('screen-reader') === true,
    server: parseServerAddress(text('server') ?? ''),
    context: text('context') ?? defaultContext,
    // Checked to be one of them when it was read.
    trust: text('trust') as TrustMode | undefined,
    fingerprint: text('fingerprint'),
  };
}
