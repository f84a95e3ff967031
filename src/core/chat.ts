import { createAccountNotices } from './account-notices.ts';
import type { AuditEntry, AuditTrail } from './audit.ts';
import { type AuditLink, auditChain } from './audit-chain.ts';
import { createAuditWriter } from './audit-writer.ts';
import { type Digests, nobleDigests } from './crypto/digests.ts';
import { createSealer } from './crypto/seal.ts';
import { parseSessionToken, tokenDigest } from './crypto/tokens.ts';
import { createErasing } from './erasing.ts';
import { createExports } from './exports.ts';
import { createFeed } from './feed/feed.ts';
import type { MembershipNote } from './feed/membership-notes.ts';
import { createLimits } from './limits.ts';
import { createAwaitedCodes } from './login/awaited-codes.ts';
import { createExchanges } from './login/exchanges.ts';
import { createFactorFailures } from './login/factor-failures.ts';
import { createLoginFailures } from './login/failures.ts';
import { createFreshLogins } from './login/fresh-logins.ts';
import { createKnownPlaces } from './login/known-places.ts';
import { createRaises } from './login/raises.ts';
import { createMailing } from './mailing.ts';
import type { Terms } from './model/terms.ts';
import type { Operation } from './operation.ts';
import { operations } from './operations/index.ts';
import type { Peer } from './peer.ts';
import { serveCall, toChatError } from './pipeline.ts';
import { exchangeMs, exchangeWithFactorMs, type Policy } from './policy.ts';
import type { Bus } from './ports/bus.ts';
import type { CertificateAuthority } from './ports/certificate-authority.ts';
import type { Counter } from './ports/counter.ts';
import type { Mailer } from './ports/mailer.ts';
import type { ChatFigures, Meter } from './ports/meter.ts';
import type { Operator } from './ports/operator.ts';
import type { PasswordStretcher } from './ports/password-stretcher.ts';
import type { PresenceBoard } from './ports/presence-board.ts';
import type { SessionCache } from './ports/session-cache.ts';
import type { ServerSettings } from './ports/store/settings.ts';
import type { Store } from './ports/store.ts';
import { createPresence } from './presence.ts';
import { createRefusals } from './refusals.ts';
import type { Services } from './services.ts';
import { createSessions } from './sessions.ts';
import type { Turn } from './turn.ts';

/** What chat is built on: everything outside of the rules. */
export interface Ports {
  readonly store: Store;
  /** Where sessions are looked for before the store is asked, the nearest first. */
  readonly caches: readonly SessionCache[];
  readonly bus: Bus;
  /** Who is online on other nodes; left out: there are none. */
  readonly presence?: PresenceBoard | undefined;
  /** Counts what has failed. */
  readonly counter: Counter;
  /** Told of each entry of the audit trail at once, besides that it is stored. */
  readonly audit: AuditTrail;
  /** Told now and then where the stored trail ends. */
  readonly onAuditHead?: (head: AuditLink) => void;
  readonly turn: Turn;
  /** Where passwords are stretched that a door has shown the server. */
  readonly stretcher: PasswordStretcher;
  /** Takes errors that are nobody's answer, under the id that the caller was given. */
  readonly onFailure: (error: unknown, errorId?: string) => void;
  /** Sends mail, where the server can; `server` is the `HOST:PORT` that mails name, if it is known. */
  readonly mail?: { readonly mailer: Mailer; readonly server: string | undefined } | undefined;
  /** What everybody accepts who registers; left out: nothing. */
  readonly terms?: Terms | undefined;
  /** Signs the certificates with which people log in; left out: this server signs none. */
  readonly authority?: CertificateAuthority | undefined;
  /** For administrators: what the machine knows and can do. */
  readonly operator?: Operator | undefined;
  /** Counts what is served; left out: nobody does. */
  readonly meter?: Meter | undefined;
  /** Faster primitives than core's own, where the platform has them. */
  readonly digests?: Digests;
}

/** The whole of chat as one object: every door asks it, none knows its rules. */
export interface Chat {
  /** Serves one call of one connection; throws nothing but `ChatError`. The result is ready for JSON. */
  call(peer: Peer, name: string, params: unknown): Promise<unknown>;
  /**
   * Says whose calls a peer's are, for a peer that lives for one request: binds it to the session behind a live token until it
   * is gone. Counts as use and is no login: neither limited, nor in the audit trail, nor seen as presence. `unauthenticated`,
   * with one text, for every other token; throws nothing but `ChatError`.
   */
  identify(peer: Peer, token: string): Promise<void>;
  /** True when calls of this name on one connection may overlap with each other. */
  overlaps(name: string): boolean;
  /** Resolves when calls can be served; throws what keeps them from it (`unavailable`). */
  ready(): Promise<void>;
  /** Resolves when a connection has been given what was stored before now in what it follows. */
  told(peer: Peer): Promise<void>;
  /**
   * Takes what a store that several nodes share has noted of who entered and left, since a notice of it may be lost: each note once,
   * those of one member in their order, whether a notice has told it or not; `anything` when notes may be missing. Never throws.
   */
  noteMemberships(notes: readonly MembershipNote[] | 'anything'): void;
  /** What is open and what was done, at this moment. */
  figures(): ChatFigures;
  /** Ends every logged-in connection and stops the clocks. */
  stop(): void;
  /** Puts into the audit trail alone what the log says in other words; resolves when it is stored, or cannot be now; never throws. */
  keepOnRecord(entry: AuditEntry): Promise<void>;
  /** Stores what the audit trail has not stored yet, once nothing is called any more; never throws. */
  closeTrail(): Promise<void>;
}

const registry: ReadonlyMap<string, Operation> = new Map(
  operations.map((operation) => [operation.name, operation as unknown as Operation]),
);

/** Builds chat over its ports; `settings` are the ones that `store.settings` answered. */
export function createChat(ports: Ports, policy: Policy, settings: ServerSettings): Chat {
  const { store, caches, bus, turn, stretcher, onFailure, mail, digests = nobleDigests } = ports;
  const chain = auditChain(settings, digests);
  const trail = createAuditWriter({
    store,
    chain,
    told: ports.audit,
    onHead: ports.onAuditHead ?? (() => {}),
    onFailure,
  });
  const presence = createPresence(turn, ports.presence);
  const notices = createAccountNotices(bus);
  const feed = createFeed({ store, bus, turn, onFailure });
  const sessions = createSessions({
    store,
    caches,
    bus,
    policy,
    digest: (text) => {
      const token = parseSessionToken(text);
      return token && tokenDigest(token, digests);
    },
    onAttached: (peer, session) => {
      notices.arrived(peer, session);
      if (peer.events) presence.arrived(session.username);
    },
    onDetached: (peer, session) => {
      notices.left(peer, session);
      feed.unfollow(peer);
      presence.unwatch(peer);
      if (peer.events) presence.left(session.username);
    },
    onEnded(id, reason, of) {
      const user = typeof of === 'object' ? of.username : of;
      const where = typeof of === 'object' ? { door: of.door, address: of.address } : nowhere;
      const details = { session: id, reason };
      trail.append({ at: Date.now(), operation: 'session.ended', user, ...where, outcome: 'ok', details });
    },
    onFailure,
  });
  let isStopped = false;
  async function sweepAll(): Promise<void> {
    const now = Date.now();
    // One call takes a bounded number, so that nobody waits long; together they take all there are.
    while (!isStopped && (await store.sweepSessions({ now })) > 0);
    // A device that nobody has come back on for so long may as well be a new one.
    while (!isStopped && (await store.sweepDevices({ madeUntil: now - policy.refreshMs })) > 0);
    const { auditRetentionMs } = policy;
    if (auditRetentionMs > 0) {
      while (!isStopped && (await store.cutAudit({ before: now - auditRetentionMs, now, chain })) > 0);
    }
    while (!isStopped && (await store.sweepCodes({ now })) > 0);
    while (!isStopped && (await store.sweepCertificates({ now })) > 0);
  }
  const sweep = setInterval(() => {
    sweepAll().catch(onFailure);
  }, sweepIntervalMs);
  const limits = createLimits({ policy, counter: ports.counter, bus, meter: ports.meter });
  const refusals = createRefusals(trail.append);
  const services: Services = {
    store,
    bus,
    audit: trail.append,
    refusals,
    trail,
    chain,
    onFailure,
    digests,
    stretcher,
    policy,
    settings,
    operator: ports.operator,
    meter: ports.meter,
    authority: ports.authority,
    sessions,
    limits,
    presence,
    notices,
    feed,
    exchanges: createExchanges(exchangeMs, ports.meter),
    provenExchanges: createExchanges(exchangeWithFactorMs, ports.meter),
    awaitedCodes: createAwaitedCodes(),
    freshLogins: createFreshLogins(),
    raises: createRaises(),
    mailing: mail && createMailing({ store, limits, digests, onFailure, ...mail }),
    failures: createLoginFailures(ports.counter, policy.freeFailedLogins, notices, ports.meter),
    factorFailures: createFactorFailures(ports.counter, ports.meter),
    knownPlaces: createKnownPlaces(),
    totpSealer: createSealer(settings.serverSecret, 'totp secret'),
    erasing: createErasing({ store, sessions, policy, chain, told: ports.audit, onFailure }),
    exports: createExports(),
    terms: ports.terms,
  };

  return {
    call: (peer, name, params) => serveCall(services, registry, peer, name, params),
    async identify(peer, token) {
      try {
        await sessions.resume(peer, token, Date.now());
      } catch (error) {
        throw toChatError(services, error);
      }
    },
    overlaps: (name) => registry.get(name)?.overlaps ?? true,
    async ready() {
      await store.existingSessions([]);
    },
    told: (peer) => feed.told(peer),
    noteMemberships: (notes) => feed.noted(notes),
    figures: () => ({
      loggedIn: sessions.attached,
      online: presence.count,
      ...feed.figures(),
      ...trail.figures(),
    }),
    stop() {
      isStopped = true;
      clearInterval(sweep);
      sessions.stop();
      feed.stop();
      presence.stop();
      notices.stop();
      services.exchanges.stop();
      services.provenExchanges.stop();
      services.erasing.stop();
      refusals.stop();
      limits.stop();
    },
    async keepOnRecord(entry) {
      trail.keep(entry);
      await trail.written();
    },
    closeTrail: () => trail.close(),
  };
}

/** Of a session that nobody here has used lately. */
const nowhere = { door: undefined, address: undefined };

/** How often dead sessions, and devices without any, are swept out of the store: they are refused anyway, this only frees their rows. */
const sweepIntervalMs = 3_600_000;
