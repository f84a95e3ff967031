import { isIP, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { ChatError } from '../core/errors.ts';
import { parseOrigin } from './doors/origin.ts';
import { parseNetwork } from './doors/trusted-proxies.ts';
import { isPlainAddress } from './mailer/plain-address.ts';
import { parseSmtpUrl } from './mailer/smtp-url.ts';
import { parseRedisUrl } from './redis/redis-url.ts';
import { zeroOf } from './serve-options.ts';
import type { Setting } from './setting-kinds.ts';
import { databaseAddress } from './store/postgres/database-address.ts';

/** The kinds of numbers, and what each is called. */
const units = { integer: 'a whole number', seconds: 'whole seconds', days: 'whole days' } as const;

/**
 * Checks a value as {@link checkSetting} does that comes from where others can read it: on a command line or in a settings file no
 * password may stand.
 */
export function checkShown(setting: Setting, label: string, given: string, from = '.'): string {
  const value = checkSetting(setting, label, given, from);
  if (!hasPassword(setting, value)) return value;
  throw invalid(`${label} is no place for a password: give the URL in ${setting.variable}`, label);
}

function hasPassword({ kind }: Setting, value: string): boolean {
  if (kind === 'smtp') return parseSmtpUrl(value)?.login !== undefined;
  return (kind === 'store' || kind === 'bus') && value !== '' && new URL(value).password !== '';
}

/** True for a setting that takes a number. */
export const isNumeric = ({ kind }: Setting): boolean => kind in units;

/**
 * Checks a setting's value and answers it in its one spelling; a relative path is taken from `from`, or from where the server is
 * started. Throws `invalid` that begins with `label`.
 */
export function checkSetting(setting: Setting, label: string, given: string, from = '.'): string {
  switch (setting.kind) {
    case 'switch': {
      if (given === '1' || given === 'true') return 'true';
      if (given === '0' || given === 'false') return 'false';
      throw refused(label, '1 or 0', given);
    }
    case 'integer':
    case 'days':
    case 'seconds': {
      const number = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
      if (number >= setting.min && number <= setting.max) return String(number);
      const unit = units[setting.kind];
      const zero = zeroOf(setting).map((text) => ` (${text})`);
      throw refused(label, `${unit} from ${setting.min} to ${setting.max}${zero.join('')}`, given);
    }
    case 'choice': {
      if (setting.choices.includes(given)) return given;
      throw refused(label, setting.choices.join(' or '), given);
    }
    case 'file':
    case 'path': {
      if (given === '' || given.includes('\0')) {
        throw refused(label, `the path of a ${setting.kind === 'file' ? 'file' : 'directory'}`, given);
      }
      // A shell has put the home directory in its place; nobody else does.
      if (/^~(?:\/|$)/.test(given)) throw refused(label, 'a path without ~, which only a shell knows', given);
      return resolve(from, given);
    }
    case 'origins': {
      const origins = given.split(/[\s,]+/).filter((origin) => origin !== '');
      const parsed = origins.map(parseOrigin);
      if (origins.length === 0 || parsed.includes(undefined)) {
        throw refused(label, 'SCHEME://HOST or SCHEME://HOST:PORT, like https://chat.example', given);
      }
      return [...new Set(parsed)].join(' ');
    }
    case 'public-address': {
      if (given === '' || parseAddress(label, given).port > 0) return given;
      throw refused(label, 'a port from 1 to 65535', given);
    }
    case 'smtp': {
      // What was given may hold a password, whole or in pieces: it is not said again.
      if (given === '') return given;
      if (parseSmtpUrl(given)) return new URL(given).href;
      throw invalid(
        `${label} takes smtp://HOST:PORT or smtps://HOST:PORT, with USER:PASSWORD@ before HOST`,
        label,
      );
    }
    case 'store': {
      if (given === '') return given;
      const { database } = readUrl(label, storeShape, () => databaseAddress(given));
      if (database === undefined) throw invalid(`${label} takes ${storeShape}: it names no database`, label);
      return new URL(given).href;
    }
    case 'bus': {
      if (given === '') return given;
      readUrl(label, busShape, () => parseRedisUrl(given));
      return new URL(given).href;
    }
    case 'mailbox': {
      if (given === '' || isPlainAddress(given)) return given;
      throw refused(label, 'an e-mail address, like chat@example.org', given);
    }
    case 'networks': {
      const networks = given.split(/[\s,]+/).filter((network) => network !== '');
      const parsed = networks.map(parseNetwork);
      if (networks.length === 0 || parsed.includes(undefined)) {
        throw refused(label, 'an address or a network that is not everybody, like 10.0.0.0/8 or ::1', given);
      }
      return [...new Set(parsed)].join(' ');
    }
    case 'extra-address':
      if (given !== '') parseAddress(label, given);
      return given;
    case 'address':
      parseAddress(label, given);
      return given;
  }
}

/** A host name as resolvers take it (RFC 1123), so that a slip of the pen is no lookup. */
const hostShape = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/i;

/** Takes `HOST:PORT` apart; IPv6 stands in brackets. Throws `invalid`. */
export function parseAddress(label: string, value: string): { host: string; port: number } {
  const [, bracketed, named, portText = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(value) ?? [];
  const host = bracketed ?? named ?? '';
  const isHost = bracketed === undefined ? isNameOrIPv4(host) : isIPv6(bracketed);
  if (!isHost || Number(portText) > 65_535) {
    throw refused(label, 'HOST:PORT, like 127.0.0.1:8080 or [::1]:8080', value);
  }
  return { host, port: Number(portText) };
}

function isNameOrIPv4(host: string): boolean {
  // What ends in a number is read as an address by resolvers, so it must be a whole one.
  return isIP(host) === 4 || (hostShape.test(host) && !/(?:^|\.)\d+$/.test(host));
}

const storeShape = 'postgres://USER@HOST:PORT/DATABASE';
const busShape = 'redis://HOST:PORT or rediss://HOST:PORT';

/** What `read` answers; what it throws says nothing of a password that may have been given. */
function readUrl<Result>(label: string, shape: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).replace(/^the store's URL /, '');
    throw invalid(`${label} takes ${shape}: it ${why}`, label);
  }
}

function refused(label: string, takes: string, given: string): ChatError {
  return invalid(`${label} takes ${takes}, not ${JSON.stringify(given)}`, label);
}

/** What does not fit in a configuration; `field` is the flag, the variable or the place in the file. */
export function invalid(message: string, field: string): ChatError {
  return new ChatError('invalid', message, { field });
}
