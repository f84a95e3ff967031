import { parseServerAddress, type ServerAddress } from '../client/address.ts';
import { ChatError } from '../core/errors.ts';
import { parsePassword } from '../core/model/password.ts';
import { parseUsername } from '../core/model/username.ts';
import type { ConnectOptions } from './contract.ts';

/** Who logs in, by which of the two ways. */
export type Login =
  | { readonly kind: 'token'; readonly token: string }
  | {
      readonly kind: 'password';
      readonly username: string;
      readonly password: string;
      readonly otp: ConnectOptions['otp'];
      readonly device: string | undefined;
    };

/** The options, checked. */
export interface Settled {
  readonly server: ServerAddress;
  readonly fingerprint: string | undefined;
  readonly roots: readonly string[] | undefined;
  readonly login: Login;
  readonly keys: boolean;
  readonly timeoutMs: number;
  readonly onState: NonNullable<ConnectOptions['onState']>;
}

/** How long something may take unless told, in milliseconds. */
const defaultTimeoutMs = 30_000;
/** The longest that a timer of the platform can wait, in milliseconds. */
const mostTimeoutMs = 2_147_483_647;
const fingerprintShape = /^SHA256:[A-Za-z0-9+/]{43}=?$/;

/** What a value of an option is. */
type Kind = 'text' | 'texts' | 'flag' | 'number' | 'count' | 'function' | 'moment' | 'positions';

const fits: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  texts: (value) => [value].flat().every((one) => typeof one === 'string'),
  flag: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number' && value >= 1 && value <= mostTimeoutMs,
  count: isCount,
  function: (value) => typeof value === 'function',
  moment: (value) =>
    // A text without a zone would be another moment on another machine.
    ((typeof value === 'string' && /[T ].*(Z|[+-]\d\d:\d\d)$/i.test(value)) || value instanceof Date) &&
    !Number.isNaN(new Date(value).valueOf()),
  positions: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every(isCount),
};

const wanted: Readonly<Record<Kind, string>> = {
  text: 'a string',
  texts: 'a string or a list of strings',
  flag: 'true or false',
  number: `a number of milliseconds from 1 to ${mostTimeoutMs}`,
  count: 'a whole number from 0',
  function: 'a function',
  moment: 'a Date, or a moment as 2019-11-01T09:30:00Z',
  positions: 'an object with a number for each conversation',
};

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Throws `invalid` naming the option that there is not, or whose value is none; undefined is as if it were left out. */
export function checkOptions(options: unknown, kinds: Readonly<Record<string, Kind>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ChatError('invalid', 'options are an object');
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined)
      throw refused(name, `there is no such option; there are ${Object.keys(kinds).join(', ')}`);
    if (value !== undefined && !fits[kind](value)) throw refused(name, `it is ${wanted[kind]}`);
  }
}

/** The `invalid` of an option. */
export function refused(name: string, why: string): ChatError {
  return new ChatError('invalid', `${name}: ${why}`, { field: name });
}

/** Checks the options of a connection; throws `invalid` naming the one that does not fit. */
export function settleOptions(options: ConnectOptions): Settled {
  checkOptions(options, {
    server: 'text',
    fingerprint: 'text',
    ca: 'texts',
    token: 'text',
    username: 'text',
    password: 'text',
    otp: 'function',
    device: 'text',
    keys: 'flag',
    timeoutMs: 'number',
    onState: 'function',
  });
  if (options.server === undefined) throw refused('server', 'it is missing');
  const { fingerprint, ca, keys = false, timeoutMs = defaultTimeoutMs, onState = () => {} } = options;
  const server = parseServerAddress(options.server);
  if (fingerprint !== undefined && !fingerprintShape.test(fingerprint))
    throw refused('fingerprint', 'it is SHA256: and 43 characters, as `chat serve` prints it');
  if (fingerprint !== undefined && ca !== undefined)
    throw refused('ca', 'a fingerprint needs none: give one of them');
  if (server.scheme === 'plain' && (fingerprint ?? ca) !== undefined)
    throw refused(fingerprint === undefined ? 'ca' : 'fingerprint', 'clear text shows no key: use chat://');
  const roots = ca === undefined ? undefined : [ca].flat();
  if (roots && !roots.every((one) => one.includes('-----BEGIN CERTIFICATE-----')))
    throw refused('ca', 'it is certificates as PEM, not the name of a file');
  return {
    server,
    fingerprint: fingerprint?.replace(/=$/, ''),
    roots,
    login: settleLogin(options),
    keys,
    timeoutMs,
    onState,
  };
}

function settleLogin({ token, username, password, otp, device }: ConnectOptions): Login {
  if (token !== undefined) {
    if ((username ?? password) !== undefined) throw refused('token', 'give it, or username and password');
    if (!/^[\x21-\x7e]+$/.test(token))
      throw refused('token', 'it is a session token, as `chat token` prints it');
    return { kind: 'token', token };
  }
  if (username === undefined) throw refused('username', 'it is missing; or give a token');
  if (password === undefined) throw refused('password', 'it is missing; or give a token');
  return {
    kind: 'password',
    username: parseUsername(username),
    password: parsePassword(password),
    otp,
    device,
  };
}
