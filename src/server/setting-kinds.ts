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

/** `HOST:PORT` as {@link AddressSetting} takes it, or nothing. */
export interface ExtraAddressSetting extends SettingBase {
  readonly kind: 'extra-address';
  readonly fallback: '';
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

/** Where a database is, `postgres://`; or nothing. Only the environment may carry one with a password. */
export interface StoreSetting extends SettingBase {
  readonly kind: 'store';
  readonly fallback: '';
}

/** Where a Redis is, `redis://` or `rediss://`; or nothing. Only the environment may carry one with a password. */
export interface BusSetting extends SettingBase {
  readonly kind: 'bus';
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
  | ExtraAddressSetting
  | PathSetting
  | ChoiceSetting
  | OriginsSetting
  | PublicAddressSetting
  | SmtpSetting
  | StoreSetting
  | BusSetting
  | MailboxSetting
  | NetworksSetting;
