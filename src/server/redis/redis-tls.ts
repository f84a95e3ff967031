import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import { ChatError } from '../../core/errors.ts';
import type { RedisAddress } from './redis-url.ts';

/** What the TLS of a connection to Redis is made with. */
export interface RedisTls {
  readonly ca: string[];
  readonly cert?: string;
  readonly key?: string;
}

/** Reads the files that the URL names; throws `invalid` that names the file that cannot be read. */
export function readRedisTls({ ca, cert, key }: NonNullable<RedisAddress['tls']>): RedisTls {
  return {
    ca:
      ca === undefined ? [...getCACertificates('default'), ...getCACertificates('system')] : [read('ca', ca)],
    ...(cert !== undefined && key !== undefined && { cert: read('cert', cert), key: read('key', key) }),
  };
}

function read(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ChatError(
      'invalid',
      `the bus's URL names a file under '${name}' that cannot be read (${code}): ${path}`,
      {
        field: 'bus',
      },
    );
  }
}
