import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import type { ProjectConfig } from 'vitest/node';
import { ClosingLine } from './scripts/closing-line.ts';
import { executableVariable } from './test/e2e/support/executable.ts';

const shared = {
  // The clock and the timers of architecture.md, "Time and chance"; faking more (setImmediate, nextTick) hangs flushes.
  fakeTimers: { toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] },
  // A test that hangs is found a little later; a slow machine fails none.
  testTimeout: 60_000,
  hookTimeout: 60_000,
  globalSetup: ['scripts/temporary-in-memory.ts', 'scripts/compiled-once.ts'],
} satisfies ProjectConfig;

/** What needs a PostgreSQL or a Redis, which it starts. */
const needsServers = [
  'test/cluster/**/*.test.ts',
  'test/contract/*-postgres.test.ts',
  'test/contract/*-redis.test.ts',
];

/** Whatever runs the built program, or what {@link executableVariable} names. */
const endToEnd = {
  ...shared,
  pool: 'forks',
  isolate: false,
  globalSetup: [
    ...shared.globalSetup,
    'scripts/ensure-built.ts',
    'test/e2e/support/executable.ts',
    'test/e2e/support/prepared.ts',
  ],
  testTimeout: 180_000,
  hookTimeout: 180_000,
} satisfies ProjectConfig;

/** Node with the built program, its launcher (signals, directories), and a whole conversation. */
const builtAlone = ['confinement', 'current-directory', 'main-job', 'terminal-gone'];

/** In the environment: packages of many modules are bundled first, for a run in which each thread loads them for one file (`scripts/mutants/`). */
const bundlesPackages = 'CHAT_TEST_BUNDLES_PACKAGES' in process.env;
const manyModules = [
  'zod',
  'kysely',
  '@hpke/core',
  '@noble/curves/ed25519.js',
  '@noble/hashes/hkdf.js',
  '@noble/hashes/hmac.js',
  '@noble/hashes/legacy.js',
  '@noble/hashes/sha2.js',
  '@peculiar/x509',
];

export default defineConfig({
  test: {
    reporters: ['default', new ClosingLine()],
    // More than there are cores: a test often waits for another process, for the network or for a timer.
    maxWorkers: 2 * availableParallelism(),
    projects: [
      {
        cacheDir: '.cache/vite',
        // Threads: measured an eighth faster here than forks.
        test: {
          ...shared,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/campaigns/**', ...needsServers],
          pool: 'threads',
          deps: { optimizer: { ssr: { enabled: bundlesPackages, include: manyModules } } },
          globalSetup: [...shared.globalSetup, 'scripts/bundled-threads.ts'],
          setupFiles: ['test/support/bundled-threads.ts'],
          // Files share a thread, and what they import is loaded once in it. So a test undoes what it changes.
          isolate: false,
        },
      },
      {
        // A project of its own, so that only a run with end-to-end tests in it needs a build that works.
        test: {
          ...endToEnd,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // What is confined there is Node with the built program, not an executable.
          exclude: process.env[executableVariable] === undefined ? [] : ['test/e2e/confinement.test.ts'],
        },
      },
      {
        // Not part of `npm test`: real servers are started, which not every machine has. It says aloud what it did not run.
        test: {
          ...shared,
          name: 'cluster',
          include: needsServers,
          pool: 'forks',
          globalSetup: [
            ...shared.globalSetup,
            'scripts/ensure-built.ts',
            'scripts/bundled-breakers.ts',
            'test/support/cluster-servers.ts',
          ],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        // What says something of the built program that all of `e2e` on the executable does not (docs/releasing.md): a part of `e2e`.
        test: { ...endToEnd, name: 'built', include: builtAlone.map((name) => `test/e2e/${name}.test.ts`) },
      },
      {
        // Not part of `npm test`: each breaks what the server stands on, for a few seconds (docs/campaigns.md).
        test: {
          ...shared,
          name: 'campaigns',
          include: ['test/campaigns/**/*.test.ts'],
          pool: 'forks',
          globalSetup: [...shared.globalSetup, 'scripts/ensure-built.ts', 'scripts/bundled-breakers.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
