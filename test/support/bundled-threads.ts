import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import workerThreads, { Worker, type WorkerOptions } from 'node:worker_threads';

/** In the environment of a run's tests: a file with {@link BundledThreads}. */
export const threadsVariable = 'CHAT_TEST_THREADS';

/** What the bundles of a server's threads are made of, and where they lie. */
export interface BundledThreads {
  /** By the path of the source at which a thread begins. */
  readonly bundleOf: Readonly<Record<string, string>>;
  /** The paths of all sources in them; packages do not change during a run. */
  readonly sources: readonly string[];
  readonly digest: string;
  readonly madeAtMs: number;
}

/** Of the sources as they are now. */
export function digestOf(sources: readonly string[]): string {
  const digest = createHash('sha256');
  for (const path of sources) digest.update(readFileSync(path)).update('\0');
  return digest.digest('hex');
}

/** True while the bundles are what the sources would make: a mutant, or whoever waits for changes, has others. */
export function isCurrent({ sources, digest, madeAtMs }: BundledThreads): boolean {
  return sources.every((path) => statSync(path).mtimeMs < madeAtMs) || digestOf(sources) === digest;
}

// Once in each thread of tests; the program's own code names its threads as ever.
const file = process.env[threadsVariable];
if (file !== undefined && workerThreads.Worker === Worker && Worker.name === 'Worker') {
  const bundled: BundledThreads = JSON.parse(readFileSync(file, 'utf8'));
  workerThreads.Worker = class WorkerOfBundle extends Worker {
    constructor(entry: string | URL, options?: WorkerOptions) {
      const bundle =
        entry instanceof URL && entry.protocol === 'file:'
          ? bundled.bundleOf[fileURLToPath(entry)]
          : undefined;
      super(bundle !== undefined && isCurrent(bundled) ? bundle : entry, options);
    }
  };
  syncBuiltinESMExports();
}
