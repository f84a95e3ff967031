import { parentPort, workerData } from 'node:worker_threads';
import { ChatError } from '../../../core/errors.ts';
import { storeGauges } from './gauges.ts';
import { type InspectMessage, inspectDatabase } from './inspect.ts';
import { serveStore } from './serve-store.ts';

/** The store's thread; an entry point of the build. */
if (parentPort) {
  const port = parentPort;
  const { directory, isInspecting, copy, gauges } = workerData as WorkerOptions;
  if (isInspecting) {
    const looked = inspected({ directory, ...(copy && { name: copy, isThorough: true }) });
    void looked.then((message) => port.postMessage(message));
  } else void serveStore(port, { directory }, storeGauges(gauges));
}

/** What a thread is started with. */
interface WorkerOptions {
  readonly directory: string;
  /** True: it only looks. */
  readonly isInspecting?: boolean;
  /** Where it counts. */
  readonly gauges?: SharedArrayBuffer;
  /** The file to look at, when it is not the server's own. */
  readonly copy?: string;
}

async function inspected(options: Parameters<typeof inspectDatabase>[0]): Promise<InspectMessage> {
  try {
    return { kind: 'report', report: await inspectDatabase(options) };
  } catch (error) {
    if (error instanceof ChatError) return { kind: 'refused', code: error.code, message: error.message };
    return { kind: 'refused', code: 'internal', message: String(error) };
  }
}
