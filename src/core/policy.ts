/**
 * Every constant of the rules of chat, each with its unit in its name and its reason beside it.
 * A server may override what `Policy` lists (flag, environment, file); the rest is fixed by the protocol.
 */

/** Who may make an account: everybody, who brings an invite, or nobody. */
export const registrationModes = ['open', 'invite', 'closed'] as const;
export type RegistrationMode = (typeof registrationModes)[number];

/** What an operator can set. A limit of 0 switches that limit off. */
export interface Policy {
  /** bcrypt's cost for every verifier of this server, real, fake or server-made: 10..14 (security 1.8). */
  readonly bcryptCost: number;
  /** Code points of a password that is being set, at least; never fewer than `passwordLimits` has. */
  readonly minPasswordCodePoints: number;
  /** What is done with a common password that is being set: where only this machine can guess, a warning is enough. */
  readonly commonPasswords: 'warn' | 'refuse';
  readonly registration: RegistrationMode;
  /** A session dies when unused for so long (security 3). */
  readonly sessionIdleMs: number;
  /** A session token dies at this age however busy it is. */
  readonly sessionAbsoluteMs: number;
  /** A family of refresh tokens dies so long after its login. */
  readonly refreshMs: number;
  /** Sessions one account may have; the longest idle one gives way. */
  readonly maxSessionsPerAccount: number;
  /** Messages one user may send per second, with bursts of ten seconds' worth. */
  readonly messagesPerSecond: number;
  /** Rooms one account may make, enter and leave per minute. */
  readonly joinsPerMinute: number;
  /** Searches of one account per minute: each reads more than any other call. */
  readonly searchesPerMinute: number;
  /** Exports of one account per hour: each reads all that it has. */
  readonly exportsPerHour: number;
  /** Registrations from one address (IPv6: one /64) per hour. */
  readonly registrationsPerHour: number;
  /** Login attempts from one address (IPv6: one /64) per minute: bounds the cost of proofs. */
  readonly loginsPerMinute: number;
  /** Failed logins of an account or an address in a day before the next ones wait (see {@link failureWaits}). */
  readonly freeFailedLogins: number;
  /** So old may an entry of the audit trail get. */
  readonly auditRetentionMs: number;
  /** True when an account without a second factor may do nothing but set one up. */
  readonly requiresSecondFactor: boolean;
  /** An account that its owner erases is kept for so long, in case he thinks better of it; 0 is at once. */
  readonly eraseAfterMs: number;
  /** Messages lose their text at this age; 0 keeps them for ever. */
  readonly messageRetentionMs: number;
}

export const defaultPolicy: Policy = {
  bcryptCost: 12,
  minPasswordCodePoints: 6,
  commonPasswords: 'refuse',
  registration: 'open',
  sessionIdleMs: 24 * 3_600_000,
  sessionAbsoluteMs: 7 * 24 * 3_600_000,
  refreshMs: 30 * 24 * 3_600_000,
  maxSessionsPerAccount: 50,
  messagesPerSecond: 100,
  joinsPerMinute: 300,
  searchesPerMinute: 60,
  exportsPerHour: 10,
  registrationsPerHour: 100,
  loginsPerMinute: 600,
  freeFailedLogins: 5,
  auditRetentionMs: 0,
  requiresSecondFactor: false,
  eraseAfterMs: 7 * 24 * 3_600_000,
  messageRetentionMs: 0,
};

/** How long an invite lives unless its maker says otherwise (ASVS 6.4.1), and at most; and how many accounts it may be for. */
export const inviteLimits = { defaultMs: 3_600_000, maxMs: 90 * 24 * 3_600_000, maxUses: 1_000 } as const;
/** The range of bcrypt costs that either side accepts: below it guessing is cheap, above it a login takes seconds (security 1.7). */
export const bcryptCostRange = { min: 10, max: 14 } as const;
/** A refresh token presented again within this time gets the same successor (security 3): a lost answer is not a theft. */
export const refreshGraceMs = 20_000;
/** A session's last use is written at most this often (security 3): one write a minute, not one per call. */
export const touchIntervalMs = 60_000;
/** How often the read markers of connections that cannot say what was read are written: a killed server repeats so much. */
export const readMarkIntervalMs = 30_000;
/**
 * Failed logins (security 4): beyond the free ones each doubles the wait, from the first to the most. Counted for a day from the
 * first, so that a patient guesser gets about a hundred tries a day.
 */
export const failureWaits = { firstMs: 1_000, mostMs: 15 * 60_000, windowMs: 24 * 3_600_000 } as const;
/**
 * So many failed logins of an account in a day from one address are not held up by the account's wait: its owner mistypes, while somebody
 * guesses elsewhere. The price: a guesser has so many tries from each new address.
 */
export const failuresPastWait = 3;
/** Logins from one address that may wait for those before them, which count as failed until they have ended: scripts that start at once. */
export const loginsWaitingPerAddress = 256;
/** At so many failed logins of an account its sessions are told, and again each time that they have doubled: a flood is few lines. */
export const failuresTold = 5;
/** A login exchange lives this long (security 1.5). */
export const exchangeMs = 60_000;
/** … and this long while a second factor is asked: a code has to be looked up. */
export const exchangeWithFactorMs = 120_000;
/** Codes that may be tried on one login that has proven its first factor, before it has to begin again. */
export const wrongCodesPerLogin = 5;
/** Wrong one-time codes of an account in a day that cost nothing; beyond them each doubles the wait (see {@link failureWaits}). */
export const freeWrongCodes = 5;
/** A second factor that was begun may be confirmed for so long: somebody installs an authenticator meanwhile. */
export const factorSetupMs = 15 * 60_000;
/** So long the owner of a second factor that an administrator took away is told of it at each login: whoever logs in first may be somebody else. */
export const factorTakenToldMs = 30 * 24 * 3_600_000;
/** bcrypt's cost for recovery codes: they have 60 random bits, so that the least there is makes each guess dear enough. */
export const recoveryCodeCost = 10;
/** So long after a login its verifier may be raised to the server's cost (security 1.8): the password is stretched once more. */
export const raiseMs = 60_000;
/** Open login exchanges per address and in all (security 1.5). */
export const maxExchanges = { perAddress: 20, total: 10_000 } as const;
/**
 * A node among others (security 3): how long it believes a cached session, after what time it asks the store whether the session of an
 * open connection still exists, and how often it looks for such. It bounds a lost notice to 5 s: a connection that began with the oldest
 * session that is believed is looked for after 4.5 s.
 */
export const sharedSessions = { believedMs: 4_000, recheckMs: 3_000, lookMs: 500 } as const;
/**
 * How often a node among others asks the store where the conversations end that somebody follows there, and who has entered and left:
 * a notice that is lost delays a message by so much and the time of two questions.
 */
export const headCheckMs = 2_000;
/** What was stored a moment ago may be on its way: so long is it waited for before it is read instead. */
export const headGraceMs = 500;
/** How long a node that is alone believes a cached session: it hears of every change, so that this only bounds what it remembers of them. */
export const sessionBelievedMs = 60_000;
/** A cache of sessions that fails is told of at most this often: every request asks it. */
export const cacheFailureToldMs = 10_000;
/** How long a certificate of this server's authority is good (security 2); its owner's client renews it when a third is left. */
export const certificateMs = 90 * 24 * 3_600_000;
/** So long before it is signed a certificate begins, for clocks that are behind. */
export const certificateBackdateMs = 3_600_000;
/** Certificates that one account may have, revoked ones too until they have expired: enough for every machine of a person. */
export const maxCertificatesPerAccount = 100;
/**
 * TLS handshakes, of which what is shown is checked on the main thread: so many of one address at a time, and bytes that a client and its
 * chain of certificates have room in; beyond it the address is asked for none for so long. And how many addresses that is remembered of.
 */
export const handshakeBounds = {
  atOncePerAddress: 8,
  maxShownBytes: 8_192,
  notAskedMs: 600_000,
  maxNotAsked: 10_000,
} as const;
/** A request for a certificate in PEM, in characters: one over an RSA key of 8,192 bits has about 4,000. */
export const maxSigningRequestCharacters = 16_384;
/** So long after a login on the same connection what it was proven with counts as proven now. */
export const freshLoginMs = 60_000;
/** A message's text, in bytes of UTF-8 (protocol, "JSON-RPC 2.0 door"). */
export const maxTextBytes = 16_384;
/** An envelope's size in bytes: twice a text and room for two wraps and a signature, in base64. */
export const maxEnvelopeBytes = 65_536;
/** One line or frame, in bytes. */
export const maxLineBytes = 131_072;
/** What may wait to be written to one reader before its live stream is cut (protocol). */
export const maxQueuedBytes = 1_048_576;
/** Messages read at once when a reader is fed from the store, or asks for a page of history. */
export const feedPageRows = 100;
/** … and what they may hold together, in characters: envelopes are larger than texts, of which a page of history takes 100. */
export const maxPageCharacters = feedPageRows * maxTextBytes;
/** What a reader is fed at once, in characters, and of how many conversations at a time: together no more than may wait for it. */
export const feedPage = { characters: 131_072, atOnce: 8 } as const;
/** Answered rows in one listing or history page. */
export const maxPageRows = 1_000;
/** A search: what one may ask, in UTF-16 units and words, and how many characters of a word count. */
export const searchBounds = { characters: 512, words: 64, wordCharacters: 64 } as const;
/** Messages that one search answers at most, and unless it says how many. */
export const searchRows = { most: 100, usual: 20 } as const;
/** A name or label that a client gives (device label, idempotency key), in characters. */
export const maxLabelLength = 128;
/** How often both ends of a line or WebSocket connection ping unless the server's is set, and how many missed ones close it. */
export const ping = { intervalMs: 30_000, missed: 2 } as const;
/** A password, in code points at least and bytes of UTF-8 at most (security 1.1). */
export const passwordLimits = { minCodePoints: 6, maxBytes: 1_024 } as const;
/** What a server may ask for at least: a password of so many code points, of four bytes each, still fits. */
export const minPasswordRange = { min: passwordLimits.minCodePoints, max: 256 } as const;
/** So long after its login a session is as good as a fresh proof for reading one's sealed keys: a new device has just proven the account. */
export const keysAfterLoginMs = 600_000;
/** Key records and backups that one account may give in an hour: each costs two signatures to judge, and a record is kept for ever. */
export const keyChangesPerHour = 20;
/** Random bytes in a nonce of either side: 18 or more (security 1.5). */
export const nonceBytes = 18;
/** Random bytes in a token (security 3). */
export const tokenBytes = 32;
/** A code that works once works for so long (ASVS 6.4.1): time to find a mail, and not much more. */
export const oneTimeCodeMs = 3_600_000;
/**
 * Requests for mail from one address (IPv6: one /64) in an hour, and mails with a code that one mailbox, or one account's sessions, get
 * in an hour: nobody fills another's mailbox, nor spends the server's good name with strangers.
 */
export const mailLimits = { requestsPerHour: 20, codesPerHour: 5 } as const;
/** Random bytes in a code that works once: 128 bits, so that it cannot be guessed within any number of tries. */
export const oneTimeCodeBytes = 16;
/**
 * The audit trail is written behind the answers: entries of so many milliseconds in one commit, tried again so long after one that
 * failed, and at most so many kept for that, of which refused strangers fill at most so many. Its end is told to the log after so
 * many rows, or so long after the last time.
 */
export const auditWrites = {
  lingerMs: 20,
  retryMs: 1_000,
  atOnce: 1_000,
  maxWaiting: 20_000,
  maxStrangersWaiting: 10_000,
  headRows: 1_000,
  headMs: 60_000,
} as const;
/**
 * Refusals of the same kind are counted together for so long, those of strangers by so many addresses and kinds apart, and beyond that
 * by kind alone: a flood from anywhere is few rows.
 */
export const refusalRows = { windowMs: 60_000, strangers: 500 } as const;
/** How much one detail of an audit entry may hold, in characters. */
export const maxAuditDetailLength = 128;
/** An export is under way until no page was asked for so long; of so many accounts, and of each so many at once. */
export const openExports = { idleMs: 600_000, perAccount: 10, accounts: 1_000 } as const;
/** How often accounts are looked for whose time has come: so much later than told they begin to go at most. */
export const eraseSweepMs = 60_000;
/** So many accounts that could not be erased are stepped over at a time; beyond that it is the store that fails, not they. */
export const mostFailedErasures = 10;
/** How often messages are looked for that have reached their age: every time costs a look at every page of the database. */
export const expirySweepMs = 24 * 3_600_000;
