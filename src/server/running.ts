import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { createChat } from '../core/chat.ts';
import { toHex } from '../core/crypto/bytes.ts';
import { offerClaim } from '../core/offer-claim.ts';
import type { Bus } from '../core/ports/bus.ts';
import type { ServerSettings } from '../core/ports/store/settings.ts';
import { createTurn } from '../core/turn.ts';
import { openBackups } from './backups/backups.ts';
import { noBackups } from './backups/no-backups.ts';
import { localBus } from './bus/local.ts';
import { certificateAuthority } from './certificates/authority.ts';
import type { Certificates } from './certificates/certificates.ts';
import type { OpenNode } from './cluster/open-node.ts';
import type { ServerConfig } from './config/server-config.ts';
import { localCounter } from './counter/local.ts';
import { platformDigests } from './digests.ts';
import { type Listener, listen } from './doors/listener.ts';
import { trustedProxies } from './doors/trusted-proxies.ts';
import type { Log } from './log.ts';
import type { OpenMailer } from './mailer/mail-queue.ts';
import { createCounts, figureReader, type ServerCounts } from './metrics/figures.ts';
import type { MetricsServer, MetricsServerOptions } from './metrics/metrics-server.ts';
import { diskFigures, machineOperator } from './operator.ts';
import { localSessionCache } from './session-cache/local.ts';
import type { ServerStore } from './store/server-store.ts';
import { databaseName } from './store/sqlite/database-name.ts';
import { readTerms } from './terms.ts';
import { passwordPool, passwordWorkers } from './workers/password-pool.ts';

/** Sessions kept in memory: about a kilobyte each. */
const cachedSessions = 20_000;

/** Of what the server does by itself. */
const nobody = { user: undefined, door: undefined, address: undefined };

/** What a server runs on; store and node are opened and closed by the caller. */
export interface ServerParts {
  readonly config: ServerConfig;
  readonly store: ServerStore;
  readonly settings: ServerSettings;
  /** Undefined for a server that keeps everything in its data directory. */
  readonly node: OpenNode | undefined;
  /** The data directory, which is locked. */
  readonly directory: string;
  readonly certificates: Certificates;
  readonly log: Log;
}

/** A server that listens. */
export interface OpenServer {
  readonly listener: Listener;
  /** Undefined where metrics are not served. */
  readonly metrics: MetricsServer | undefined;
  /** Makes an account the first administrator; undefined when there is one. */
  readonly claimCode: string | undefined;
  /** Shows other certificates from now on, and signs with their authority. */
  replaceCertificates(certificates: Certificates): void;
  /** Tells probes that the server is about to end; everybody is served on. */
  announceEnd(): void;
  /** Stops accepting, lets calls under way be answered, closes every connection and stops the clocks. */
  drain(): Promise<void>;
  /** Drops everything at once. */
  destroy(): void;
}

/** Builds chat over its ports and opens the port; throws what {@link listen} throws. */
export async function openServer({
  config,
  store,
  settings,
  node,
  directory,
  certificates,
  log,
}: ServerParts): Promise<OpenServer> {
  const turn = createTurn(setImmediate);
  const onFailure = (error: unknown, errorId?: string): string => log.failure('failure', error, errorId);
  const terms = config.consentFile === undefined ? undefined : readTerms(config.consentFile);
  const claimCode = await offerClaim(store, platformDigests).catch((error: unknown) => {
    // A full disk keeps nobody from reading: the next start makes another one.
    log.failure('no-claim-code', error, undefined, {
      note: 'no code for the first administrator could be kept: start again to get one',
    });
    return undefined;
  });
  const mailer = await openMailer(config, log);
  const startedAt = Date.now();
  const database = join(directory, databaseName);
  const { whileStill } = store;
  const backups = whileStill
    ? await openBackups({ directory: config.backupDirectory, database, whileStill })
    : noBackups();
  let current = certificates;
  let isDraining = false;
  const passwords = passwordPool({ workers: passwordWorkers(availableParallelism()) });
  const counts = createCounts(
    config.logLevel === 'debug'
      ? (operation = 'unknown', outcome, ms, { id, door }) =>
          log.debug('call', { connection: id, door, operation, outcome, ms: Math.round(ms * 100) / 100 })
      : undefined,
  );
  const joined = await node?.join(onFailure);
  const bus = counting(joined?.bus ?? localBus(onFailure), counts);
  const figures = figureReader(counts, {
    version: manifest.version,
    startedAt,
    maxConnections: config.limits.maxConnections,
    isDraining: () => isDraining,
    traffic: () => opened.figures(),
    chat: () => chat.figures(),
    store: () => store.figures(),
    passwords: () => passwords.figures(),
    mail: () => mailer?.figures(),
    backups: () => backups.figures(),
    disk: () => diskFigures(database),
    identity: () => current,
    node: () => node && { id: node.id, bus: joined?.figures(), known: joined?.presence.nodes ?? 0 },
  });
  const chat = createChat(
    {
      store,
      caches: [localSessionCache({ maxEntries: cachedSessions }), ...(joined ? [joined.cache] : [])],
      bus,
      counter: joined?.counter ?? localCounter(),
      presence: joined?.presence,
      audit: ({ at: _at, details, ...entry }) => log.record('audit', { ...entry, ...details, ...entry }),
      onAuditHead: ({ seq, hash }) => log.record('audit-head', { seq, hash: toHex(hash) }),
      turn,
      mail: mailer && { mailer, server: config.publicAddress },
      stretcher: passwords,
      operator: machineOperator({ backups, figures: () => figures.read() }),
      meter: counts.meter,
      authority: certificateAuthority(() => current.authority),
      onFailure,
      digests: platformDigests,
      terms,
    },
    config.policy,
    settings,
  );
  const stopWatching = joined?.watchMemberships((notes) => chat.noteMemberships(notes));
  /** Leaves the other nodes; what is told afterwards stays here. */
  async function leave(): Promise<void> {
    stopWatching?.();
    await joined?.close();
  }
  /** The server's own life, which stands in the log in other words; a start that no end came before followed a crash. */
  const keepOnRecord = (operation: string) =>
    chat.keepOnRecord({
      at: Date.now(),
      operation,
      ...nobody,
      outcome: 'ok',
      details: { version: manifest.version },
    });
  /** Lets go of what holds the process, without waiting for any of it. */
  function letGo(): void {
    chat.stop();
    figures.stop();
    void passwords.close();
    void mailer?.close(0);
    void leave();
  }

  /** Settled when the port is open: until then nothing can be told of it. */
  const begun = Promise.withResolvers<void>();
  let metrics: MetricsServer | undefined;
  const opened = await listen({
    host: config.host,
    port: config.port,
    identity: certificates,
    clearText: config.clearText,
    calls: chat,
    turn,
    limits: config.limits,
    version: manifest.version,
    allowedOrigins: config.allowedOrigins,
    proxies: trustedProxies(config.trustedProxies),
    readsProxyHeader: config.readsProxyHeader,
    onFailure,
    async beforeServing() {
      metrics = await openMetrics(config, {
        read: () => begun.promise.then(() => figures.read()),
        ready: () => begun.promise.then(() => chat.ready()),
        isDraining: () => isDraining,
        onFailure,
      });
      // Only now: a start that a taken address has kept from being one is none, and no crash has followed it.
      await keepOnRecord('server.started');
    },
  }).catch((error: unknown) => {
    metrics?.close();
    letGo();
    throw error;
  });
  begun.resolve();
  return {
    listener: opened,
    metrics,
    claimCode,
    replaceCertificates(next) {
      current = next;
      opened.replaceIdentity(next);
    },
    announceEnd() {
      isDraining = true;
    },
    async drain() {
      isDraining = true;
      try {
        const copying = backups.stop();
        await opened.drain('shutting-down', config.drainMs);
        chat.stop();
        await keepOnRecord('server.stopped');
        await chat.closeTrail();
        await leave();
        await mailer?.close(config.drainMs);
        await copying;
        await passwords.close();
      } finally {
        // To the end, so that a probe hears of it.
        figures.stop();
        metrics?.close();
      }
    },
    destroy() {
      isDraining = true;
      opened.destroy();
      void backups.stop();
      metrics?.close();
      letGo();
    },
  };
}

/** Counts the messages that were stored by this server's own calls, and by no other node's. */
function counting(bus: Bus, counts: ServerCounts): Bus {
  return {
    ...bus,
    publish(notice) {
      if (notice.type === 'message') counts.stored();
      bus.publish(notice);
    },
  };
}

/** Loads what speaks to Prometheus only where somebody listens. */
async function openMetrics(
  { metrics }: ServerConfig,
  parts: Omit<MetricsServerOptions, 'host' | 'port'>,
): Promise<MetricsServer | undefined> {
  if (!metrics) return undefined;
  const { serveMetrics } = await import('./metrics/metrics-server.ts');
  return await serveMetrics({ ...metrics, ...parts });
}

/** Loads what sends mail only where there is mail to send. */
async function openMailer({ mail }: ServerConfig, log: Log): Promise<OpenMailer | undefined> {
  if (!mail) return undefined;
  const { smtpMailer } = await import('./mailer/smtp.ts');
  return smtpMailer({
    ...mail,
    onGivenUp: (failure) => log.warn('mail-given-up', { note: 'a mail was not sent', ...failure }),
  });
}
