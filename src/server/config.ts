import { isIPv6 } from 'node:net';
import { dirname, posix, win32 } from 'node:path';
import ipaddr from 'ipaddr.js';
import { ChatError } from '../core/errors.ts';
import { isLoopback } from '../core/model/address.ts';
import { defaultPolicy, type Policy } from '../core/policy.ts';
import type { OperatorFiles } from './certificates/operator-certificate.ts';
import { checkSetting, checkShown, invalid, isNumeric, parseAddress } from './check-setting.ts';
import type { DoorLimits } from './doors/door.ts';
import type { LogLevel } from './log-levels.ts';
import { parseSmtpUrl, type SmtpServer } from './mailer/smtp-url.ts';
import type { Setting } from './setting-kinds.ts';
import { type SettingName, settings } from './settings.ts';

/** Everything that one server goes by, settled at its start and frozen. */
export interface ServerConfig {
  /** A host name or IP address, IPv6 without brackets. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Absolute. */
  readonly dataDirectory: string;
  /** Absolute. */
  readonly backupDirectory: string;
  readonly clearText: 'never' | 'loopback' | 'everywhere';
  /** Origins of pages that may connect besides the server's own. */
  readonly allowedOrigins: readonly string[];
  /** Networks of proxies that may say where a request came from. */
  readonly trustedProxies: readonly string[];
  /** Each of their connections begins with the header of the PROXY protocol. */
  readonly readsProxyHeader: boolean;
  readonly logFormat: 'text' | 'json';
  readonly logLevel: LogLevel;
  /** Where metrics are served, port 0 for any free one; undefined for nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  /** `HOST:PORT` by which people reach this server, if the operator has said. */
  readonly publicAddress: string | undefined;
  /** How mail is sent; undefined for a server that sends none. */
  readonly mail: { readonly server: SmtpServer; readonly from: string } | undefined;
  readonly policy: Policy;
  readonly limits: DoorLimits;
  /** How long calls under way may take when the server is asked to end, in milliseconds. */
  readonly drainMs: number;
  /** Absolute; undefined when nothing has to be accepted. */
  readonly consentFile: string | undefined;
  /** What is shared with other servers; undefined for a server that keeps everything in its data directory. */
  readonly cluster: ClusterConfig | undefined;
  /** The operator's own certificate for TLS, absolute; undefined for one that the server makes. */
  readonly tls: OperatorFiles | undefined;
}

/** Where servers meet that are nodes of one. */
export interface ClusterConfig {
  /** PostgreSQL's URL. */
  readonly store: string;
  /** Redis's URL; undefined for a server that is the only one over its store. */
  readonly bus: string | undefined;
  /** The file with the cluster's secret, absolute. */
  readonly secretFile: string;
}

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
      return read(sources, name);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      problems.push(error);
      unfit.add(name);
      return fallback(sources, name);
    }
  });
  const all = withBackupDirectory(each, sources.platform);
  const settled = Object.fromEntries(all.map((one) => [one.name, one])) as Record<
    SettingName,
    SettledSetting
  >;
  const { tlsOnly, insecureClearText } = settled;
  if (tlsOnly.value === 'true' && insecureClearText.value === 'true') {
    problems.push(
      invalid(
        `${tlsOnly.label} and ${insecureClearText.label} contradict each other: give one of them`,
        tlsOnly.label,
      ),
    );
  }
  const { listen, metricsListen } = settled;
  if (areSameAddress(listen, metricsListen)) {
    problems.push(
      invalid(
        `${metricsListen.label} names the address of ${listen.label}: give metrics a port of their own`,
        metricsListen.label,
      ),
    );
    unfit.add('metricsListen');
  }
  const { proxyProtocol, trustedProxy } = settled;
  if (proxyProtocol.value === 'true' && trustedProxy.value === '' && !unfit.has('trustedProxy')) {
    problems.push(
      invalid(
        `${proxyProtocol.label} needs to know whose header is believed: give --trusted-proxy with the balancer's address`,
        trustedProxy.label,
      ),
    );
  }
  const { smtpUrl, mailFrom } = settled;
  if (smtpUrl.value !== '' && mailFrom.value === '' && !unfit.has('mailFrom')) {
    problems.push(
      invalid(`${smtpUrl.label} needs an address that mails come from: give --mail-from`, mailFrom.label),
    );
  }
  const { tlsCert, tlsKey } = settled;
  const isHalf = (tlsCert.value === '') !== (tlsKey.value === '');
  if (isHalf && !unfit.has('tlsCert') && !unfit.has('tlsKey')) {
    const [given, missing] = tlsCert.value === '' ? [tlsKey, tlsCert] : [tlsCert, tlsKey];
    problems.push(invalid(`${given.label} needs its other half: give ${missing.label} too`, missing.label));
  }
  problems.push(...clusterProblems(settled, unfit));
  return { config: build(settled), settings: all, problems, unfit };
}

/** What each of the three settings needs besides itself. */
function clusterProblems(
  { store, bus, clusterSecret }: Settled,
  unfit: ReadonlySet<SettingName>,
): ChatError[] {
  const lacks = ({ name, value }: SettledSetting): boolean => value === '' && !unfit.has(name);
  const needs = (one: SettledSetting, missing: SettledSetting, why: string): ChatError =>
    invalid(`${one.label} needs ${missing.label} too: ${why}`, missing.label);
  if (lacks(store)) {
    return [bus, clusterSecret]
      .filter(({ value }) => value !== '')
      .map((one) => needs(one, store, 'servers that belong together keep everything in one PostgreSQL'));
  }
  return store.value !== '' && lacks(clusterSecret)
    ? [needs(store, clusterSecret, "the file under whose contents the server's keys are sealed there")]
    : [];
}

/** True when one address would be listened on twice; what a name stands for is found out at the start. */
function areSameAddress(one: SettledSetting, other: SettledSetting): boolean {
  if (one.value === '' || other.value === '') return false;
  const a = parseAddress(one.label, one.value);
  const b = parseAddress(other.label, other.value);
  if (a.port !== b.port || a.port === 0) return false;
  return (
    canonicalHost(a.host) === canonicalHost(b.host) || includes(a.host, b.host) || includes(b.host, a.host)
  );
}

function canonicalHost(host: string): string {
  return ipaddr.isValid(host) ? ipaddr.process(host).toString() : host.toLowerCase();
}

/** True when listening on `host` takes `other` too: `0.0.0.0` is every IPv4 address of the machine, `::` every one. */
function includes(host: string, other: string): boolean {
  const canonical = canonicalHost(host);
  return canonical === '::' || (canonical === '0.0.0.0' && !isIPv6(canonicalHost(other)));
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

const dayMs = 86_400_000;

/** Every setting, checked. */
type Settled = Readonly<Record<SettingName, SettledSetting>>;

function build(settled: Settled): ServerConfig {
  const number = (name: SettingName): number => Number(settled[name].value);
  const ms = (name: SettingName): number => number(name) * 1_000;
  const isOn = (name: SettingName): boolean => settled[name].value === 'true';

  const { host, port } = parseAddress(settled.listen.label, settled.listen.value);
  const policy: Policy = Object.freeze({
    ...defaultPolicy,
    bcryptCost: number('bcryptCost'),
    minPasswordCodePoints: number('minPasswordLength'),
    commonPasswords: isForThisMachine(host, settled) ? 'warn' : 'refuse',
    sessionIdleMs: ms('sessionIdle'),
    sessionAbsoluteMs: ms('sessionAbsolute'),
    refreshMs: ms('refresh'),
    maxSessionsPerAccount: number('maxSessions'),
    registration: settled.registration.value as Policy['registration'],
    messagesPerSecond: number('messagesPerSecond'),
    joinsPerMinute: number('joinsPerMinute'),
    searchesPerMinute: number('searchesPerMinute'),
    exportsPerHour: number('exportsPerHour'),
    registrationsPerHour: number('registrationsPerHour'),
    loginsPerMinute: number('loginsPerMinute'),
    freeFailedLogins: number('freeFailedLogins'),
    auditRetentionMs: number('auditRetention') * dayMs,
    requiresSecondFactor: isOn('requireSecondFactor'),
    eraseAfterMs: ms('eraseAfter'),
    messageRetentionMs: number('messageRetention') * dayMs,
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
    pingMs: ms('pingInterval'),
    maxLineBytes: number('maxLine'),
    maxPipelined: number('maxPipelined'),
    maxQueuedBytes: number('maxQueued'),
  });
  return Object.freeze({
    host,
    port,
    dataDirectory: settled.dataDirectory.value,
    backupDirectory: settled.backupDirectory.value,
    clearText: isOn('tlsOnly') ? 'never' : isOn('insecureClearText') ? 'everywhere' : 'loopback',
    allowedOrigins: listOf(settled.allowOrigin),
    trustedProxies: listOf(settled.trustedProxy),
    readsProxyHeader: isOn('proxyProtocol'),
    logFormat: settled.logFormat.value === 'json' ? 'json' : 'text',
    logLevel: settled.logLevel.value as LogLevel,
    metrics: metricsOf(settled.metricsListen),
    publicAddress: settled.publicAddress.value === '' ? undefined : settled.publicAddress.value,
    mail: mailOf(settled.smtpUrl.value, settled.mailFrom.value),
    policy,
    limits,
    drainMs: ms('drainWait'),
    consentFile: settled.consentFile.value === '' ? undefined : settled.consentFile.value,
    cluster: clusterOf(settled),
    tls: tlsOf(settled.tlsCert.value, settled.tlsKey.value),
  });
}

/** True for a server that nobody elsewhere can reach, not by a proxy either. */
function isForThisMachine(host: string, { publicAddress, trustedProxy }: Settled): boolean {
  if (!isLoopback(host) || trustedProxy.value !== '') return false;
  const { label, value: reachedAt } = publicAddress;
  return reachedAt === '' || isLoopback(parseAddress(label, reachedAt).host);
}

function mailOf(url: string, from: string): ServerConfig['mail'] {
  const server = url === '' ? undefined : parseSmtpUrl(url);
  return server && from !== '' ? Object.freeze({ server: Object.freeze(server), from }) : undefined;
}

function metricsOf({ label, value }: SettledSetting): ServerConfig['metrics'] {
  return value === '' ? undefined : Object.freeze(parseAddress(label, value));
}

function clusterOf({ store, bus, clusterSecret }: Settled): ServerConfig['cluster'] {
  if (store.value === '' || clusterSecret.value === '') return undefined;
  const named = bus.value === '' ? undefined : bus.value;
  return Object.freeze({ store: store.value, bus: named, secretFile: clusterSecret.value });
}

function tlsOf(certificate: string, key: string): ServerConfig['tls'] {
  return certificate === '' || key === '' ? undefined : Object.freeze({ certificate, key });
}

/** What stands in a setting that takes several values. */
function listOf({ value }: SettledSetting): readonly string[] {
  return Object.freeze(value.split(' ').filter((one) => one !== ''));
}

function read(sources: ConfigSources, name: SettingName): SettledSetting {
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
  return fallback(sources, name);
}

function fallback(sources: ConfigSources, name: SettingName): SettledSetting {
  const setting: Setting = settings[name];
  const value = name === 'dataDirectory' ? defaultDataDirectory(sources) : String(setting.fallback);
  return { name, key: setting.flag, value, origin: { kind: 'default' }, label: `--${setting.flag}` };
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
