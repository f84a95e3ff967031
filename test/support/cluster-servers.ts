import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { hasPostgres, startPostgres } from './postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The port of the PostgreSQL that all tests of a run share, each with a database of its own; undefined where none is installed. */
    postgresPort: number | undefined;
  }
}

const hasRedis = (): boolean =>
  (process.env.PATH ?? '').split(':').some((one) => existsSync(join(one, 'redis-server')));

/** Starts what the tests of a cluster share, and says aloud, before them and after them, what they do not try for want of it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const missing = [
    ...(hasPostgres() ? [] : ['PostgreSQL (Debian: postgresql)']),
    ...(hasRedis() ? [] : ['Redis (Debian: redis-server)']),
  ];
  const say = (): void => {
    for (const one of missing) {
      process.stderr.write(`\n!!! NOT RUN: the tests against a real ${one}: it is not installed here\n`);
    }
  };
  say();
  const server = hasPostgres() ? await startPostgres() : undefined;
  project.provide('postgresPort', server?.port);
  return async () => {
    await server?.close();
    say();
  };
}
