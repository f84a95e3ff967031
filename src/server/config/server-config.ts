import { isLoopback } from '../../core/model/address.ts';
import { defaultPolicy, type Policy } from '../../core/policy.ts';
import type { OperatorFiles } from '../certificates/operator-certificate.ts';
import { parseAddress } from '../check-setting.ts';
import type { DoorLimits } from '../doors/door.ts';
import type { LogLevel } from '../log-levels.ts';
import { parseSmtpUrl, type SmtpServer } from '../mailer/smtp-url.ts';
import type { SettingName } from '../settings.ts';
import type { Settled, SettledSetting } from './settle-setting.ts';

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
  /** How long everybody is served on, and `/readyz` says no, when the server is asked to end, in milliseconds. */
  readonly shutdownDelayMs: number;
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

const dayMs = 86_400_000;

/** Puts a server's configuration together from settings that fit. */
export function serverConfig(settled: Settled): ServerConfig {
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
    shutdownDelayMs: ms('shutdownDelay'),
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
