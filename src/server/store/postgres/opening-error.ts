import { ChatError } from '../../../core/errors.ts';
import type { DatabaseAddress } from './database-address.ts';
import { Trouble } from './trouble.ts';

/** Where a database is, for people: host and port, or the directory of its socket. */
export function placeOf({ host, port }: DatabaseAddress): string {
  return host.startsWith('/') ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Who starts a server is told where it could not come through, and why, in the database's own words; never the password. */
export function openingError(error: unknown, address: DatabaseAddress): unknown {
  if (!(error instanceof Trouble)) return error;
  const text = `the database at ${placeOf(address)} cannot be used: ${error.message}`;
  return new ChatError('unavailable', text, { cause: error });
}
