import { parseServerAddress, type ServerAddress } from '../client/address.ts';
import { ChatError } from '../core/errors.ts';
import type { Host } from './host.ts';
import { type OptionTable, type OptionValues, readOptions, usageError } from './options.ts';
import type { OutputSettings } from './output.ts';

/** The flags that every command takes. */
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
    env: 'CHAT_CONTEXT',
    describe: 'which of several saved logins to use; default "default"',
  },
  output: {
    type: 'choice',
    choices: ['text', 'json'],
    alias: 'o',
    describe: 'how results are printed; json is one object a line',
  },
  quiet: { type: 'flag', alias: 'q', describe: 'no talk on stderr, only errors' },
  verbose: { type: 'flag', describe: 'more talk on stderr; an error comes with its stack' },
  'no-color': { type: 'flag', describe: 'no colour (also NO_COLOR, and when stdout is no terminal)' },
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

const contextShape = /^[a-z0-9][a-z0-9._-]{0,31}$/;
const fingerprintShape = /^SHA256:[A-Za-z0-9+/]{43}$/;

function parseFingerprint(given: string): string {
  const fingerprint = given.replace(/=$/, '');
  if (!fingerprintShape.test(fingerprint)) {
    throw usageError(
      '--fingerprint takes SHA256: and 43 characters, as `chat serve` prints it',
      '--fingerprint',
    );
  }
  return fingerprint;
}

function parseContext(given: string): string {
  if (!contextShape.test(given)) {
    throw usageError("--context takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-'", '--context');
  }
  return given;
}

function parseServer(given: string): ServerAddress {
  try {
    return parseServerAddress(given);
  } catch (error) {
    if (error instanceof ChatError && error.code === 'invalid')
      throw usageError(`--server: ${error.message.replace(/^server: /, '')}`, '--server');
    throw error;
  }
}

/** How the output is spelled, from the flags and NO_COLOR. */
export function outputSettings(values: OptionValues<typeof globalOptions>, env: Host['env']): OutputSettings {
  if (values.quiet && values.verbose) {
    throw usageError(
      '--quiet and --verbose cannot be given together: they ask for opposite things',
      '--verbose',
    );
  }
  return {
    format: values.output ?? 'text',
    quiet: values.quiet,
    verbose: values.verbose,
    color: !values['no-color'] && (env.NO_COLOR ?? '') === '',
  };
}

/**
 * Settles everything that is not a command's own: flag, environment, default, the first that says something.
 * A flag for the one of `--trust` and `--fingerprint` sets the environment's other aside.
 */
export function resolveSettings(raw: Readonly<Record<string, unknown>>, env: Host['env']): Settings {
  const values = readOptions(globalOptions, raw, env);
  if (raw.trust !== undefined && raw.fingerprint !== undefined) {
    throw usageError(
      '--trust and --fingerprint cannot be given together: a fingerprint names the one key to trust',
      '--trust',
    );
  }
  const fingerprint = raw.trust === undefined ? values.fingerprint : undefined;
  return {
    ...outputSettings(values, env),
    server: parseServer(values.server ?? '127.0.0.1:8080'),
    context: parseContext(values.context ?? 'default'),
    trust: raw.fingerprint === undefined ? values.trust : undefined,
    fingerprint: fingerprint === undefined ? undefined : parseFingerprint(fingerprint),
  };
}
