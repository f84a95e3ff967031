import type { AccountStore } from './store/accounts.ts';
import type { AdministrationStore } from './store/administration.ts';
import type { AuditStore } from './store/audit.ts';
import type { CertificateStore } from './store/certificates.ts';
import type { CodeStore } from './store/codes.ts';
import type { ConversationStore } from './store/conversations.ts';
import type { ErasureStore } from './store/erasure.ts';
import type { InviteStore } from './store/invites.ts';
import type { KeyStore } from './store/keys.ts';
import type { MessageStore } from './store/messages.ts';
import type { OwnDataStore } from './store/own-data.ts';
import type { RoomStore } from './store/rooms.ts';
import type { SearchStore } from './store/search.ts';
import type { SecondFactorStore } from './store/second-factor.ts';
import type { SessionStore } from './store/sessions.ts';
import type { SettingsStore } from './store/settings.ts';

/**
 * The truth; each part stands in a file of its own under `store/`. Every method of every part is one transaction: it answers
 * after its commit is on disk, and what it refuses leaves nothing behind. Time comes with the call (UTC milliseconds), never
 * from the store's own clock. What is expected to happen (taken, missing, stale) is a return value; a throw is a `ChatError`
 * `unavailable` when the store cannot serve now, anything else is a bug.
 */
export interface Store
  extends SettingsStore,
    AccountStore,
    AdministrationStore,
    InviteStore,
    CodeStore,
    SecondFactorStore,
    CertificateStore,
    SessionStore,
    RoomStore,
    ConversationStore,
    MessageStore,
    SearchStore,
    AuditStore,
    ErasureStore,
    OwnDataStore,
    KeyStore {
  /** Waits for what is under way and closes the files. */
  close(): Promise<void>;
}
