import type { AccountNotices } from './account-notices.ts';
import type { AuditTrail } from './audit.ts';
import type { AuditChain } from './audit-chain.ts';
import type { AuditWriter } from './audit-writer.ts';
import type { Digests } from './crypto/digests.ts';
import type { Sealer } from './crypto/seal.ts';
import type { Erasing } from './erasing.ts';
import type { Exports } from './exports.ts';
import type { Feed } from './feed/feed.ts';
import type { Limits } from './limits.ts';
import type { AwaitedCodes } from './login/awaited-codes.ts';
import type { Exchanges } from './login/exchanges.ts';
import type { FactorFailures } from './login/factor-failures.ts';
import type { LoginFailures } from './login/failures.ts';
import type { FreshLogins } from './login/fresh-logins.ts';
import type { KnownPlaces } from './login/known-places.ts';
import type { Raises } from './login/raises.ts';
import type { Mailing } from './mailing.ts';
import type { Terms } from './model/terms.ts';
import type { Policy } from './policy.ts';
import type { Bus } from './ports/bus.ts';
import type { CertificateAuthority } from './ports/certificate-authority.ts';
import type { Meter } from './ports/meter.ts';
import type { Operator } from './ports/operator.ts';
import type { PasswordStretcher } from './ports/password-stretcher.ts';
import type { ServerSettings } from './ports/store/settings.ts';
import type { Store } from './ports/store.ts';
import type { Presence } from './presence.ts';
import type { Refusals } from './refusals.ts';
import type { Sessions } from './sessions.ts';

/** The parts of the rules that operations share. */
export interface Services {
  readonly store: Store;
  readonly bus: Bus;
  readonly audit: AuditTrail;
  readonly refusals: Refusals;
  readonly trail: Pick<AuditWriter, 'written'>;
  readonly chain: AuditChain;
  readonly onFailure: (error: unknown, errorId?: string) => void;
  readonly digests: Digests;
  readonly stretcher: PasswordStretcher;
  readonly policy: Policy;
  readonly settings: ServerSettings;
  readonly operator: Operator | undefined;
  /** Undefined where nobody counts. */
  readonly meter: Meter | undefined;
  /** Undefined where the server signs no certificates. */
  readonly authority: CertificateAuthority | undefined;
  readonly sessions: Sessions;
  readonly limits: Limits;
  readonly presence: Presence;
  readonly notices: AccountNotices;
  readonly feed: Feed;
  readonly exchanges: Exchanges;
  /** Logins whose proof was right and whose second factor is asked. */
  readonly provenExchanges: Exchanges;
  readonly awaitedCodes: AwaitedCodes;
  /** Logins that were made a moment ago. */
  readonly freshLogins: FreshLogins;
  readonly raises: Raises;
  readonly failures: LoginFailures;
  readonly knownPlaces: KnownPlaces;
  /** Undefined where the server has no way to send mail. */
  readonly mailing: Mailing | undefined;
  readonly factorFailures: FactorFailures;
  /** Seals the secrets of second factors, each for its account's id. */
  readonly totpSealer: Sealer;
  readonly erasing: Erasing;
  readonly exports: Exports;
  readonly terms: Terms | undefined;
}
