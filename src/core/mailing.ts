import { issueCode } from './codes.ts';
import type { Digests } from './crypto/digests.ts';
import { ChatError } from './errors.ts';
import type { Limits } from './limits.ts';
import {
  emailChangedMail,
  factorTakenMail,
  type MailFacts,
  passwordChangedMail,
  passwordResetMail,
  resetMail,
  verificationMail,
} from './mail-texts.ts';
import type { Account } from './model/account.ts';
import type { Username } from './model/username.ts';
import type { Mailer } from './ports/mailer.ts';
import type { Store } from './ports/store.ts';

/** The mails of a server that can send any, and whom it sends them to. */
export interface Mailing {
  /** Sends a code that confirms the account's address; throws `rate-limited` when that address or this account has had enough. */
  verification(account: Account, now: number): Promise<void>;
  /**
   * Sends a code that sets a new password to the confirmed address of the account that is named, if there is such an account and it
   * has one. Returns at once and tells nothing: everything that could show whom it found comes after the answer (ASVS 6.3.8).
   */
  reset(named: NamedAccount, now: number): void;
  /** Tells `email`, which was the account's confirmed address, that it is no more. */
  emailChanged(account: Account, email: string, now: number): void;
  /** Tells the confirmed address of an account, if it has one, that a code has set its password. */
  passwordReset(account: Account, now: number): void;
  /** The same of a change by who proved the old password. */
  passwordChanged(account: Account, now: number): void;
  /** The same of a second factor that an administrator took away. */
  factorTaken(account: Account, now: number): void;
}

/** An account by its name or by its address. */
export interface NamedAccount {
  readonly username?: Username | undefined;
  readonly email?: string | undefined;
}

/** What mailing needs from its surroundings. */
export interface MailingParts {
  readonly store: Pick<Store, 'account' | 'usernameByEmail' | 'putCode'>;
  readonly mailer: Mailer;
  readonly limits: Limits;
  readonly digests: Digests;
  /** `HOST:PORT` under which people reach this server, if anybody has said. */
  readonly server: string | undefined;
  readonly onFailure: (error: unknown) => void;
}

/** Builds the mails of one node. */
export function createMailing(parts: MailingParts): Mailing {
  const { store, mailer, limits, server, onFailure } = parts;

  const factsOf = (account: Account, to: string): MailFacts => ({ to, username: account.username, server });

  /** An address gets a few codes an hour, whoever asks for them; notices, which tell of what its owner must know, are not counted. */
  async function limit(email: string): Promise<void> {
    await limits.take('mail', `to ${email.toLowerCase()}`);
  }

  async function sendReset({ username, email }: NamedAccount, now: number): Promise<void> {
    const name = email === undefined ? username : await store.usernameByEmail(email);
    const account = name && (await store.account(name));
    // An address that anybody may have given must not open the account (ASVS 6.4).
    if (!account || account.email === null || account.emailVerifiedAt === null) return;
    await limit(account.email);
    const issued = await issueCode(parts, { kind: 'reset-by-mail', account, now });
    if (issued) mailer.send(resetMail(factsOf(account, account.email), issued));
  }

  /** Only an address that was confirmed is told of what happens to the account. */
  function notify(account: Account, text: typeof passwordResetMail, now: number): void {
    if (account.email === null || account.emailVerifiedAt === null) return;
    mailer.send(text(factsOf(account, account.email), now));
  }

  return {
    async verification(account, now) {
      if (account.email === null) return;
      // An account that gives one stranger's address after the other is stopped too.
      await limits.take('mail', `for ${account.id}`);
      await limit(account.email);
      const issued = await issueCode(parts, { kind: 'verify-email', account, now });
      if (issued) mailer.send(verificationMail(factsOf(account, account.email), issued));
    },
    reset(named, now) {
      sendReset(named, now).catch((error: unknown) => {
        // That an address has had enough is told to nobody: it would show that it is somebody's.
        if (!(error instanceof ChatError && error.code === 'rate-limited')) onFailure(error);
      });
    },
    emailChanged(account, email, now) {
      mailer.send(emailChangedMail(factsOf(account, email), now));
    },
    passwordReset: (account, now) => notify(account, passwordResetMail, now),
    passwordChanged: (account, now) => notify(account, passwordChangedMail, now),
    factorTaken: (account, now) => notify(account, factorTakenMail, now),
  };
}

/** A server that has no way to send mail says so, whoever asks. */
export function noMail(instead: string): ChatError {
  return new ChatError('unsupported', `this server sends no mail: ${instead}`);
}
