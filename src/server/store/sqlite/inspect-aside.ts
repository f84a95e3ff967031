import { ChatError } from '../../../core/errors.ts';
import { startThread } from '../../workers/program-parts.ts';
import type { DatabaseReport, InspectMessage } from './inspect.ts';

/**
 * Looks into the database of a data directory on a thread of its own: a large one takes its time, and signals must be heard
 * meanwhile. `copy` is the name of another file than the server's own, and is looked at thoroughly. Throws as `inspectDatabase` does.
 */
export async function inspectAside(directory: string, copy?: string): Promise<DatabaseReport> {
  const worker = startThread('store-worker', {
    workerData: { directory, isInspecting: true, copy },
    name: 'inspection',
  });
  const { promise, resolve, reject } = Promise.withResolvers<DatabaseReport>();
  worker.on('message', (message: InspectMessage) => {
    if (message.kind === 'report') resolve(message.report);
    else reject(new ChatError(message.code, message.message));
  });
  worker.on('error', reject);
  worker.on('exit', () => reject(new ChatError('internal', 'the database could not be looked at')));
  return await promise;
}
