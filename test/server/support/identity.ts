import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificates, openCertificates } from '../../../src/server/certificates/certificates.ts';

let made: Promise<Certificates> | undefined;

/** A server's certificates, made once per test file and kept in memory alone. */
export function testIdentity(): Promise<Certificates> {
  made ??= (async () => {
    const dataDirectory = await mkdtemp(join(tmpdir(), 'chat-identity-'));
    try {
      return await openCertificates({ dataDirectory, listenHost: '127.0.0.1', now: Date.now() });
    } finally {
      await rm(dataDirectory, { recursive: true });
    }
  })();
  return made;
}
