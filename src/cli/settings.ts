import { formatServerAddress, parseServerAddress, type ServerAddress } from '../client/address.ts';
import { ChatError } from '../core/errors.ts';
import { checkValue, type OptionTable, usageError } from './options.ts';
import type { OutputSettings } from './output.ts';
import type { FileKey, FileKeys } from './settings-keys.ts';

/**
 * The flags that every command takes. Each but `--config` is a key of the settings file too, by its long name, and has an
 * environment variable.
 */
export const globalOptions = {
  server: {
    type: 'text',
    value: 'SERVER',
    env: 'CHAT_SERVER',
    describe: 'HOST:PORT or chat://HOST:PORT (TLS), or plain://127.0.0.1:PORT; default 127.0.0.1:8080',
  },
  context: {
    type: 'text',
    value: 'NAME',
    complete: 'context',
    env: 'CHAT_CONTEXT',
    describe: 'which saved server and login to use (see chat context); default "default"',
  },
  output: {
    type: 'choice',
    choices: ['text', 'json'],
    alias: 'o',
    env: 'CHAT_OUTPUT',
    describe: 'how results are printed; json is one object a line',
  },
  quiet: { type: 'flag', alias: 'q', env: 'CHAT_QUIET', describe: 'no talk on stderr, only errors' },
  verbose: {
    type: 'flag',
    env: 'CHAT_VERBOSE',
    describe: 'more talk on stderr; an error comes with its stack',
  },
  'no-color': {
    type: 'flag',
    env: 'CHAT_NO_COLOR',
    describe: 'no colour (also NO_COLOR, and when stdout is no terminal)',
  },
  'screen-reader': {
    type: 'flag',
    env: 'CHAT_SCREEN_READER',
    describe: 'lines below one another only: nothing that is drawn is drawn over',
  },
  trust: {
    type: 'choice',
    choices: ['on-first-use', 'always', 'never'],
    env: 'CHAT_TRUST',
    describe: "what to do about a server's unknown key",
  },
  fingerprint: {
    type: 'text',
    value: 'SHA256:…',
    env: 'CHAT_FINGERPRINT',
    describe: "the server's key, as `chat serve` prints it",
  },
  config: {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    env: 'CHAT_CONFIG',
    describe: 'the settings file to read instead of your own (see chat config)',
  },
} as const satisfies OptionTable;

/** How far a server's key is trusted that was not seen before (security 2). */
export type TrustMode = 'on-first-use' | 'always' | 'never';

/** What holds for one run of a command, whichever it is. */
export interface Settings extends OutputSettings {
  readonly server: ServerAddress;
  /** Names one of several saved logins. */
  readonly context: string;
  /** Undefined when nobody said: then it depends on where the server is. */
  readonly trust: TrustMode | undefined;
  readonly fingerprint: string | undefined;
}

/** The settings, each a flag, a variable and a key of the file by the same name. */
export type SettingKey = Exclude<keyof typeof globalOptions, 'config'>;

/** In the order in which they are shown. */
export const settingKeys = Object.keys(globalOptions).filter((key) => key !== 'config') as SettingKey[];

const contextShape = /^[a-z0-9][a-z0-9._-]{0,31}$/;
const fingerprintShape = /^SHA256:[A-Za-z0-9+/]{43}$/;

/** Checks a context's name; `label` is what an error begins with. */
export function parseContextName(label: string, given: string): string {
  if (!contextShape.test(given)) {
    throw usageError(`${label} takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-'`, label);
  }
  return given;
}

function parseServer(label: string, given: string): string {
  try {
    return formatServerAddress(parseServerAddress(given));
  } catch (error) {
    if (error instanceof ChatError && error.code === 'invalid')
      throw usageError(`${label}: ${error.message.replace(/^server: /, '')}`, label);
    throw error;
  }
}

function parseFingerprint(label: string, given: string): string {
  const fingerprint = given.replace(/=$/, '');
  if (!fingerprintShape.test(fingerprint)) {
    throw usageError(`${label} takes SHA256: and 43 characters, as \`chat serve\` prints it`, label);
  }
  return fingerprint;
}

/**
 * Checks one setting, wherever it comes from, and answers its one spelling. Throws `invalid` (exit 2) beginning with
 * `label`: the flag, the variable, or the place in a file.
 */
export function checkSetting(key: SettingKey, label: string, given: string | boolean): string | boolean {
  const option = globalOptions[key];
  if (option.type === 'flag' || typeof given === 'boolean') return given;
  checkValue(label, option, given);
  if (key === 'server') return parseServer(label, given);
  if (key === 'context') return parseContextName(label, given);
  return key === 'fingerprint' ? parseFingerprint(label, given) : given;
}

function fileKey(key: SettingKey): FileKey {
  const type = globalOptions[key].type === 'flag' ? 'switch' : 'text';
  return { type, check: (label, value) => void checkSetting(key, label, value) };
}

/** What a client's settings file may hold. */
export const clientKeys: FileKeys = {
  known: Object.fromEntries(settingKeys.map((key) => [key, fileKey(key)])),
  secretHint:
    'a settings file is no place for a secret; use --password-file, --password-stdin or CHAT_PASSWORD, or CHAT_TOKEN for a token',
};
