import { isIP, isIPv6 } from 'node:net';
import { isAbsolute, join, resolve } from 'node:path';
import { ChatError } from '../core/errors.ts';
import { defaultPolicy, type Policy } from '../core/policy.ts';
import type { DoorLimits } from './doors/door.ts';
import { isLimit, type Setting, type SettingName, settings } from './settings.ts';

/** Everything that one server goes by, settled at its start and frozen. */
export interface ServerConfig {
  /** A host name or IP address, IPv6 without brackets. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly clearText: 'never' | 'loopback' | 'everywhere';
  readonly logFormat: 'text' | 'json';
  readonly policy: Policy;
  readonly limits: DoorLimits;
  /** How long calls under way may take when the server is asked to end, in milliseconds. */
  readonly drainMs: number;
}

/** Where settings come from: flags as typed, by their long names; then the environment. */
export interface ConfigSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly homeDirectory: string;
}

/** Settles the configuration: flag, environment, default. Throws `invalid` naming the flag or variable and what it takes. */
export function readConfig(sources: ConfigSources): ServerConfig {
  const number = (name: SettingName): number => Number(read(sources, settings[name]).value);
  const ms = (name: SettingName): number => number(name) * 1_000;
  const isOn = (name: SettingName): boolean => read(sources, settings[name]).value === 'true';

  const { host, port } = parseAddress(read(sources, settings.listen));
  const policy: Policy = Object.freeze({
    ...defaultPolicy,
    bcryptCost: number('bcryptCost'),
    sessionIdleMs: ms('sessionIdle'),
    sessionAbsoluteMs: ms('sessionAbsolute'),
    refreshMs: ms('refresh'),
    maxSessionsPerAccount: number('maxSessions'),
    messagesPerSecond: number('messagesPerSecond'),
    registrationsPerHour: number('registrationsPerHour'),
    loginsPerMinute: number('loginsPerMinute'),
  });
  const limits: DoorLimits = Object.freeze({
    maxConnections: number('maxConnections'),
    maxConnectionsPerAddress: number('maxConnectionsPerAddress'),
    maxHandshakes: number('maxHandshakes'),
    firstByteMs: ms('firstByteWait'),
    handshakeMs: ms('handshakeWait'),
    startedLineMs: ms('lineWait'),
    startedLineAfterLoginMs: ms('lineWaitLoggedIn'),
    idleBeforeLoginMs: ms('loginWait'),
    maxLineBytes: number('maxLine'),
    maxPipelined: number('maxPipelined'),
    maxQueuedBytes: number('maxQueued'),
  });
  if (isOn('tlsOnly') && isOn('insecureClearText')) {
    throw invalid(
      '--tls-only and --insecure-clear-text contradict each other: give one of them',
      '--tls-only',
    );
  }
  return Object.freeze({
    host,
    port,
    dataDirectory: dataDirectory(sources),
    clearText: isOn('tlsOnly') ? 'never' : isOn('insecureClearText') ? 'everywhere' : 'loopback',
    logFormat: read(sources, settings.logFormat).value === 'json' ? 'json' : 'text',
    policy,
    limits,
    drainMs: ms('drainWait'),
  });
}

/** A checked value and what to call it in an error. */
interface Given {
  readonly label: string;
  readonly value: string;
  readonly isDefault: boolean;
}

function read({ flags, env }: ConfigSources, setting: Setting): Given {
  const flag = flags[setting.flag];
  // A command line spells a bare flag that was not given as `false`.
  const fromFlag = flag === undefined || flag === false ? undefined : String(flag);
  const given = fromFlag ?? env[setting.variable];
  if (given === undefined)
    return { label: `--${setting.flag}`, value: String(setting.fallback), isDefault: true };
  const label = fromFlag === undefined ? setting.variable : `--${setting.flag}`;
  return { label, value: check(setting, label, given), isDefault: false };
}

function check(setting: Setting, label: string, given: string): string {
  switch (setting.kind) {
    case 'switch': {
      if (given === '1' || given === 'true') return 'true';
      if (given === '0' || given === 'false') return 'false';
      throw refused(label, '1 or 0', given);
    }
    case 'integer':
    case 'seconds': {
      const number = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
      if (number >= setting.min && number <= setting.max) return String(number);
      const unit = setting.kind === 'seconds' ? 'whole seconds' : 'a whole number';
      const off = isLimit(setting) ? ' (0 is off)' : '';
      throw refused(label, `${unit} from ${setting.min} to ${setting.max}${off}`, given);
    }
    case 'choice': {
      if (setting.choices.includes(given)) return given;
      throw refused(label, setting.choices.join(' or '), given);
    }
    case 'path': {
      if (given !== '' && !given.includes('\0')) return given;
      throw refused(label, 'the path of a directory', given);
    }
    case 'address':
      return given;
  }
}

/** A host name as resolvers take it (RFC 1123), so that a slip of the pen is no lookup. */
const hostShape = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/i;

function parseAddress({ label, value }: Given): { host: string; port: number } {
  const [, bracketed, named, portText = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(value) ?? [];
  const host = bracketed ?? named ?? '';
  const isHost = bracketed === undefined ? isNameOrIPv4(host) : isIPv6(bracketed);
  if (!isHost || Number(portText) > 65_535) {
    throw refused(label, 'HOST:PORT, like 127.0.0.1:8080 or [::1]:8080', value);
  }
  return { host, port: Number(portText) };
}

function isNameOrIPv4(host: string): boolean {
  // What ends in a number is read as an address by resolvers, so it must be a whole one.
  return isIP(host) === 4 || (hostShape.test(host) && !/(?:^|\.)\d+$/.test(host));
}

function dataDirectory(sources: ConfigSources): string {
  const { value, isDefault } = read(sources, settings.dataDirectory);
  return isDefault ? defaultDataDirectory(sources) : resolve(value);
}

/** Where each platform keeps a program's data of one user (XDG Base Directory; Apple's and Microsoft's conventions). */
function defaultDataDirectory({ env, platform, homeDirectory }: ConfigSources): string {
  if (platform === 'darwin') return join(homeDirectory, 'Library', 'Application Support', 'chat', 'data');
  if (platform === 'win32') {
    return join(env.LOCALAPPDATA ?? join(homeDirectory, 'AppData', 'Local'), 'chat', 'data');
  }
  // A relative XDG variable is to be ignored.
  const xdg = env.XDG_DATA_HOME ?? '';
  return join(isAbsolute(xdg) ? xdg : join(homeDirectory, '.local', 'share'), 'chat');
}

function refused(label: string, takes: string, given: string): ChatError {
  return invalid(`${label} takes ${takes}, not ${JSON.stringify(given)}`, label);
}

function invalid(message: string, field: string): ChatError {
  return new ChatError('invalid', message, { field });
}
