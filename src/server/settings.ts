import {
  bcryptCostRange,
  defaultPolicy,
  maxLineBytes,
  maxQueuedBytes,
  minPasswordRange,
  registrationModes,
} from '../core/policy.ts';

interface SettingBase {
  /** The flag without its dashes; the table's key says what it is in the program. */
  readonly flag: string;
  /** The environment variable that is read when the flag is absent. */
  readonly variable: string;
  readonly help: string;
}

/** A switch: a bare flag, or 1, 0, true or false in the environment. */
export interface SwitchSetting extends SettingBase {
  readonly kind: 'switch';
  readonly fallback: false;
}

/** A number; where `min` is 0, 0 switches the limit off unless `zero` says otherwise. */
interface NumberSettingBase extends SettingBase {
  /** What 0 does, as a clause. */
  readonly zero?: string;
}

/** A whole number. */
export interface IntegerSetting extends NumberSettingBase {
  readonly kind: 'integer';
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

/** A time in whole seconds. */
export interface SecondsSetting extends NumberSettingBase {
  readonly kind: 'seconds';
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

/** `HOST:PORT`, IPv6 in brackets, port 0 for any free one. */
export interface AddressSetting extends SettingBase {
  readonly kind: 'address';
  readonly fallback: string;
}

/** A directory; relative ones are taken from where the server is started. */
export interface PathSetting extends SettingBase {
  readonly kind: 'path';
  /** How the default is shown; it depends on the machine. */
  readonly fallback: string;
}

/** A time in whole days. */
export interface DaysSetting extends NumberSettingBase {
  readonly kind: 'days';
  readonly min: 0;
  readonly max: number;
  readonly fallback: number;
}

/** A file that is read at the start; relative ones are taken from where the server is started. */
export interface FileSetting extends SettingBase {
  readonly kind: 'file';
  readonly fallback: '';
}

/** One of a few words. */
export interface ChoiceSetting extends SettingBase {
  readonly kind: 'choice';
  readonly choices: readonly [string, ...string[]];
  readonly fallback: string;
}

/** Origins of pages, one or more with blanks or commas between them; the flag may also be repeated. */
export interface OriginsSetting extends SettingBase {
  readonly kind: 'origins';
  readonly fallback: '';
}

/** An address that people type, `HOST:PORT`; or nothing. */
export interface PublicAddressSetting extends SettingBase {
  readonly kind: 'public-address';
  readonly fallback: '';
}

/** Where mail is handed over, `smtp://` or `smtps://`; or nothing. Only the environment may carry one with a password. */
export interface SmtpSetting extends SettingBase {
  readonly kind: 'smtp';
  readonly fallback: '';
}

/** An e-mail address, or nothing. */
export interface MailboxSetting extends SettingBase {
  readonly kind: 'mailbox';
  readonly fallback: '';
}

/** IP addresses and networks in CIDR's spelling, given as origins are. */
export interface NetworksSetting extends SettingBase {
  readonly kind: 'networks';
  readonly fallback: '';
}

/** One thing that an operator can set. */
export type Setting =
  | SwitchSetting
  | IntegerSetting
  | SecondsSetting
  | DaysSetting
  | FileSetting
  | AddressSetting
  | PathSetting
  | ChoiceSetting
  | OriginsSetting
  | PublicAddressSetting
  | SmtpSetting
  | MailboxSetting
  | NetworksSetting;

const million = 1_000_000;
/** Longest wait: a timer takes at most 24.8 days. */
const maxWait = 86_400;
/** Longest life of a session or its refresh tokens: ten years. */
const maxLife = 315_360_000;
const seconds = (ms: number): number => ms / 1_000;

/** Everything that an operator can set, by its name in the program. The command line declares its flags from this table. */
export const settings = {
  listen: {
    kind: 'address',
    flag: 'listen',
    variable: 'CHAT_LISTEN',
    fallback: '127.0.0.1:8080',
    help: 'where to listen; port 0 is any free port',
  },
  dataDirectory: {
    kind: 'path',
    flag: 'data',
    variable: 'CHAT_DATA',
    fallback: '$XDG_DATA_HOME/chat',
    help: 'the directory of everything that is kept',
  },
  backupDirectory: {
    kind: 'path',
    flag: 'backup-dir',
    variable: 'CHAT_BACKUP_DIR',
    fallback: 'DATA/backups',
    help: 'the directory in which administrators make backups',
  },
  insecureClearText: {
    kind: 'switch',
    flag: 'insecure-clear-text',
    variable: 'CHAT_INSECURE_CLEAR_TEXT',
    fallback: false,
    help: 'serve clear text off loopback too: anybody on the way can read and change everything',
  },
  tlsOnly: {
    kind: 'switch',
    flag: 'tls-only',
    variable: 'CHAT_TLS_ONLY',
    fallback: false,
    help: 'refuse clear text on loopback too',
  },
  allowOrigin: {
    kind: 'origins',
    flag: 'allow-origin',
    variable: 'CHAT_ALLOW_ORIGIN',
    fallback: '',
    help: "origin of web pages that may connect besides the server's own, like https://chat.example; may be repeated",
  },
  publicAddress: {
    kind: 'public-address',
    flag: 'public-address',
    variable: 'CHAT_PUBLIC_ADDRESS',
    fallback: '',
    help: 'how people reach this server; named in mails',
  },
  smtpUrl: {
    kind: 'smtp',
    flag: 'smtp-url',
    variable: 'CHAT_SMTP_URL',
    fallback: '',
    help: 'where mail is handed over, like smtp://mail.example:587; one with user and password only by the variable',
  },
  mailFrom: {
    kind: 'mailbox',
    flag: 'mail-from',
    variable: 'CHAT_MAIL_FROM',
    fallback: '',
    help: 'the address that mails come from',
  },
  trustedProxy: {
    kind: 'networks',
    flag: 'trusted-proxy',
    variable: 'CHAT_TRUSTED_PROXY',
    fallback: '',
    help: 'address or network of a proxy whose X-Forwarded-For is believed, like 10.0.0.0/8; may be repeated',
  },
  logFormat: {
    kind: 'choice',
    flag: 'log-format',
    variable: 'CHAT_LOG_FORMAT',
    choices: ['text', 'json'],
    fallback: 'text',
    help: 'how the log on stderr is spelled',
  },
  bcryptCost: {
    kind: 'integer',
    flag: 'bcrypt-cost',
    variable: 'CHAT_BCRYPT_COST',
    ...bcryptCostRange,
    fallback: defaultPolicy.bcryptCost,
    help: "the password function's cost, one for the whole server",
  },
  minPasswordLength: {
    kind: 'integer',
    flag: 'min-password-length',
    variable: 'CHAT_MIN_PASSWORD_LENGTH',
    ...minPasswordRange,
    fallback: defaultPolicy.minPasswordCodePoints,
    help: 'characters (Unicode code points) of a new password, at least',
  },
  sessionIdle: {
    kind: 'seconds',
    flag: 'session-idle',
    variable: 'CHAT_SESSION_IDLE',
    min: 1,
    max: maxLife,
    fallback: seconds(defaultPolicy.sessionIdleMs),
    help: 'a session ends when it is unused for so long',
  },
  sessionAbsolute: {
    kind: 'seconds',
    flag: 'session-absolute',
    variable: 'CHAT_SESSION_ABSOLUTE',
    min: 1,
    max: maxLife,
    fallback: seconds(defaultPolicy.sessionAbsoluteMs),
    help: 'a session token ends at this age however busy it is',
  },
  refresh: {
    kind: 'seconds',
    flag: 'refresh',
    variable: 'CHAT_REFRESH',
    min: 1,
    max: maxLife,
    fallback: seconds(defaultPolicy.refreshMs),
    help: 'a login can be refreshed for so long',
  },
  maxSessions: {
    kind: 'integer',
    flag: 'max-sessions',
    variable: 'CHAT_MAX_SESSIONS',
    min: 1,
    max: million,
    fallback: defaultPolicy.maxSessionsPerAccount,
    help: 'sessions of one account; the longest idle one gives way',
  },
  registration: {
    kind: 'choice',
    flag: 'registration',
    variable: 'CHAT_REGISTRATION',
    choices: registrationModes,
    fallback: defaultPolicy.registration,
    help: 'who may make an account: everybody, who has an invite, or nobody',
  },
  messagesPerSecond: {
    kind: 'integer',
    flag: 'messages-per-second',
    variable: 'CHAT_MESSAGES_PER_SECOND',
    min: 0,
    max: million,
    fallback: defaultPolicy.messagesPerSecond,
    help: 'messages of one account, with bursts of ten seconds',
  },
  joinsPerMinute: {
    kind: 'integer',
    flag: 'joins-per-minute',
    variable: 'CHAT_JOINS_PER_MINUTE',
    min: 0,
    max: million,
    fallback: defaultPolicy.joinsPerMinute,
    help: 'rooms that one account makes, enters and leaves',
  },
  searchesPerMinute: {
    kind: 'integer',
    flag: 'searches-per-minute',
    variable: 'CHAT_SEARCHES_PER_MINUTE',
    min: 0,
    max: million,
    fallback: defaultPolicy.searchesPerMinute,
    help: 'searches of one account',
  },
  exportsPerHour: {
    kind: 'integer',
    flag: 'exports-per-hour',
    variable: 'CHAT_EXPORTS_PER_HOUR',
    min: 0,
    max: million,
    fallback: defaultPolicy.exportsPerHour,
    help: 'exports of one account',
  },
  registrationsPerHour: {
    kind: 'integer',
    flag: 'registrations-per-hour',
    variable: 'CHAT_REGISTRATIONS_PER_HOUR',
    min: 0,
    max: million,
    fallback: defaultPolicy.registrationsPerHour,
    help: 'registrations from one address (IPv6: one /64)',
  },
  loginsPerMinute: {
    kind: 'integer',
    flag: 'logins-per-minute',
    variable: 'CHAT_LOGINS_PER_MINUTE',
    min: 0,
    max: million,
    fallback: defaultPolicy.loginsPerMinute,
    help: 'login attempts from one address (IPv6: one /64)',
  },
  eraseAfter: {
    kind: 'seconds',
    flag: 'erase-after',
    variable: 'CHAT_ERASE_AFTER',
    min: 0,
    max: maxLife,
    fallback: seconds(defaultPolicy.eraseAfterMs),
    help: 'an account that its owner erases can be kept by its owner for so long',
    zero: '0 erases at once',
  },
  messageRetention: {
    kind: 'days',
    flag: 'message-retention',
    variable: 'CHAT_MESSAGE_RETENTION',
    min: 0,
    max: 36_500,
    fallback: 0,
    help: 'messages lose their text at this age',
    zero: '0 keeps it',
  },
  consentFile: {
    kind: 'file',
    flag: 'consent-file',
    variable: 'CHAT_CONSENT_FILE',
    fallback: '',
    help: 'a text that everybody accepts who registers',
  },
  freeFailedLogins: {
    kind: 'integer',
    flag: 'free-failed-logins',
    variable: 'CHAT_FREE_FAILED_LOGINS',
    min: 0,
    max: million,
    fallback: defaultPolicy.freeFailedLogins,
    help: 'failed logins of an account or an address in a day before the next ones wait, 1 s to 15 min',
  },
  auditRetention: {
    kind: 'integer',
    flag: 'audit-retention',
    variable: 'CHAT_AUDIT_RETENTION',
    min: 0,
    max: 36_500,
    fallback: 0,
    help: 'days that the audit trail is kept',
    zero: '0 is for ever',
  },
  requireSecondFactor: {
    kind: 'switch',
    flag: 'require-second-factor',
    variable: 'CHAT_REQUIRE_SECOND_FACTOR',
    fallback: false,
    help: 'let an account without a second factor do nothing but set one up (chat totp on)',
  },
  maxConnections: {
    kind: 'integer',
    flag: 'max-connections',
    variable: 'CHAT_MAX_CONNECTIONS',
    min: 0,
    max: million,
    fallback: 20_000,
    help: 'open connections in all',
  },
  maxConnectionsPerAddress: {
    kind: 'integer',
    flag: 'max-connections-per-address',
    variable: 'CHAT_MAX_CONNECTIONS_PER_ADDRESS',
    min: 0,
    max: million,
    fallback: 1_000,
    help: 'open connections from one address (IPv6: one /64)',
  },
  maxHandshakes: {
    kind: 'integer',
    flag: 'max-handshakes',
    variable: 'CHAT_MAX_HANDSHAKES',
    min: 0,
    max: million,
    fallback: 2_000,
    help: 'TLS handshakes under way',
  },
  firstByteWait: {
    kind: 'seconds',
    flag: 'first-byte-wait',
    variable: 'CHAT_FIRST_BYTE_WAIT',
    min: 0,
    max: maxWait,
    fallback: 10,
    help: 'until the first byte of a connection',
  },
  handshakeWait: {
    kind: 'seconds',
    flag: 'handshake-wait',
    variable: 'CHAT_HANDSHAKE_WAIT',
    min: 0,
    max: maxWait,
    fallback: 10,
    help: 'for a TLS handshake',
  },
  lineWait: {
    kind: 'seconds',
    flag: 'line-wait',
    variable: 'CHAT_LINE_WAIT',
    min: 0,
    max: maxWait,
    fallback: 10,
    help: 'for the rest of a line that was begun before login',
  },
  lineWaitLoggedIn: {
    kind: 'seconds',
    flag: 'line-wait-logged-in',
    variable: 'CHAT_LINE_WAIT_LOGGED_IN',
    min: 0,
    max: maxWait,
    fallback: 120,
    help: 'for the rest of a line that was begun after login',
  },
  loginWait: {
    kind: 'seconds',
    flag: 'login-wait',
    variable: 'CHAT_LOGIN_WAIT',
    min: 0,
    max: maxWait,
    fallback: 120,
    help: 'without any call before login',
  },
  maxLine: {
    kind: 'integer',
    flag: 'max-line',
    variable: 'CHAT_MAX_LINE',
    min: 0,
    max: 16 * 1_048_576,
    fallback: maxLineBytes,
    help: 'bytes in one line',
  },
  maxPipelined: {
    kind: 'integer',
    flag: 'max-pipelined',
    variable: 'CHAT_MAX_PIPELINED',
    min: 0,
    max: million,
    fallback: 1_024,
    help: 'calls of one connection under way',
  },
  maxQueued: {
    kind: 'integer',
    flag: 'max-queued',
    variable: 'CHAT_MAX_QUEUED',
    min: 0,
    max: 1_073_741_824,
    fallback: maxQueuedBytes,
    help: 'bytes of answers waiting for one reader before its calls are not read',
  },
  drainWait: {
    kind: 'seconds',
    flag: 'drain-wait',
    variable: 'CHAT_DRAIN_WAIT',
    min: 1,
    max: 600,
    fallback: 5,
    help: 'for calls under way when the server is asked to end',
  },
} as const satisfies Record<string, Setting>;

/** The name of a setting in the program. */
export type SettingName = keyof typeof settings;

/** A flag as a command line declares it: text is checked by `readConfig`, so that each setting has one reader. */
export type ServeOption =
  | { readonly type: 'flag'; readonly describe: string }
  | {
      readonly type: 'text';
      readonly value: string;
      readonly describe: string;
      /** True when it may be given more than once: the values come with a blank between them. */
      readonly repeats?: true;
      /** What a shell may offer for the value. */
      readonly complete?: 'file' | readonly string[];
    };

/** The flags of `serve` by their long names; what was typed goes to `readConfig` as it is. */
export const serveOptions: Readonly<Record<string, ServeOption>> = Object.fromEntries(
  Object.values<Setting>(settings).map((setting) => [setting.flag, option(setting)]),
);

function option(setting: Setting): ServeOption {
  if (setting.kind === 'switch') {
    return { type: 'flag', describe: `${setting.help} (${setting.variable})` };
  }
  const notes = [
    ...(setting.fallback === '' ? [] : [`default ${setting.fallback}`]),
    ...zeroOf(setting),
    setting.variable,
  ];
  return {
    type: 'text',
    value: placeholder(setting),
    describe: `${setting.help} (${notes.join('; ')})`,
    ...(setting.kind === 'origins' || setting.kind === 'networks' ? { repeats: true } : {}),
    ...(setting.kind === 'path' || setting.kind === 'file' ? { complete: 'file' } : {}),
    ...(setting.kind === 'choice' ? { complete: setting.choices } : {}),
  };
}

/** What 0 does, in a list of one; an empty one where there is no 0. */
export function zeroOf(setting: Setting): readonly string[] {
  return 'min' in setting && setting.min === 0 ? [setting.zero ?? '0 is off'] : [];
}

function placeholder(setting: Exclude<Setting, SwitchSetting>): string {
  switch (setting.kind) {
    case 'integer':
      return 'N';
    case 'seconds':
      return 'SECONDS';
    case 'days':
      return 'DAYS';
    case 'file':
      return 'FILE';
    case 'address':
      return 'HOST:PORT';
    case 'path':
      return 'DIR';
    case 'origins':
      return 'ORIGIN';
    case 'public-address':
      return 'HOST:PORT';
    case 'smtp':
      return 'URL';
    case 'mailbox':
      return 'ADDRESS';
    case 'networks':
      return 'CIDR';
    case 'choice':
      return setting.choices.join('|');
  }
}
