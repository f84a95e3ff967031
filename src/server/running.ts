import { availableParallelism } from 'node:os';
import manifest from '../../package.json' with { type: 'json' };
import { auditChain } from '../core/audit-chain.ts';
import { createChat } from '../core/chat.ts';
import { offerClaim } from '../core/offer-claim.ts';
import type { Store } from '../core/ports/store.ts';
import { randomBytes } from '../core/random.ts';
import { createTurn } from '../core/turn.ts';
import { localBus } from './bus/local.ts';
import type { Certificates } from './certificates/certificates.ts';
import type { ServerConfig } from './config.ts';
import { localCounter } from './counter/local.ts';
import { platformDigests } from './digests.ts';
import { type Listener, listen } from './doors/listener.ts';
import { trustedProxies } from './doors/trusted-proxies.ts';
import type { Log } from './log.ts';
import type { OpenMailer } from './mailer/mail-queue.ts';
import { localSessionCache } from './session-cache/local.ts';
import { readTerms } from './terms.ts';
import { passwordPool, passwordWorkers } from './workers/password-pool.ts';

/** Sessions kept in memory: about a kilobyte each. */
const cachedSessions = 20_000;

/** Of what the server does by itself. */
const nobody = { user: undefined, door: undefined, address: undefined };

/** What a server runs on; both are opened and closed by the caller. */
export interface ServerParts {
  readonly config: ServerConfig;
  readonly store: Store;
  readonly certificates: Certificates;
  readonly log: Log;
}

/** A server that listens. */
export interface OpenServer {
  readonly listener: Listener;
  /** Makes an account the first administrator; undefined when there is one. */
  readonly claimCode: string | undefined;
  /** Stops accepting, lets calls under way be answered, closes every connection and stops the clocks. */
  drain(): Promise<void>;
  /** Drops everything at once. */
  destroy(): void;
}

/** Builds chat over its ports and opens the port; throws what {@link listen} throws. */
export async function openServer({ config, store, certificates, log }: ServerParts): Promise<OpenServer> {
  const turn = createTurn(setImmediate);
  const onFailure = (error: unknown, errorId?: string): string => log.failure('failure', error, errorId);
  const terms = config.consentFile === undefined ? undefined : readTerms(config.consentFile);
  const settings = await store.settings({
    realm: Buffer.from(randomBytes(16)).toString('hex'),
    serverSecret: randomBytes(32),
  });
  const claimCode = await offerClaim(store, platformDigests);
  /** The server's own life, which stands in the log in other words; a start that no end came before followed a crash. */
  const keepOnRecord = (operation: string) =>
    store.appendAudit({
      entries: [
        { at: Date.now(), operation, ...nobody, outcome: 'ok', details: { version: manifest.version } },
      ],
      chain: auditChain(settings, platformDigests),
    });
  await keepOnRecord('server.started');
  const mailer = await openMailer(config, log);
  const passwords = passwordPool({ workers: passwordWorkers(availableParallelism()) });
  const chat = createChat(
    {
      store,
      caches: [localSessionCache({ maxEntries: cachedSessions })],
      bus: localBus(onFailure),
      counter: localCounter(),
      audit: ({ at: _at, details, ...entry }) => log.record('audit', { ...entry, ...details, ...entry }),
      onAuditHead: ({ seq, hash }) => log.record('audit-head', { seq, hash: hash.toHex() }),
      turn,
      mail: mailer && { mailer, server: config.publicAddress },
      stretcher: passwords,
      onFailure,
      digests: platformDigests,
      terms,
    },
    config.policy,
    settings,
  );
  const listener = await listen({
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
    onFailure,
  }).catch((error: unknown) => {
    chat.stop();
    void passwords.close();
    void mailer?.close(0);
    throw error;
  });
  return {
    listener,
    claimCode,
    async drain() {
      await listener.drain('shutting-down', config.drainMs);
      chat.stop();
      await chat.closeTrail();
      await keepOnRecord('server.stopped');
      await mailer?.close(config.drainMs);
      await passwords.close();
    },
    destroy() {
      listener.destroy();
      chat.stop();
      void passwords.close();
      void mailer?.close(0);
    },
  };
}

/** Loads what sends mail only where there is mail to send. */
async function openMailer({ mail }: ServerConfig, log: Log): Promise<OpenMailer | undefined> {
  if (!mail) return undefined;
  const { smtpMailer } = await import('./mailer/smtp.ts');
  return smtpMailer({
    ...mail,
    onGivenUp: (failure) => log.warn('a mail was not sent', { ...failure }),
  });
}
