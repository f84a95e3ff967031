import { parentPort, workerData } from 'node:worker_threads';
import { ChatError } from '../../../core/errors.ts';
import { wasmPath } from './assets.ts';
import { type InspectMessage, inspectDatabase } from './inspect.ts';
import { serveStore } from './serve-store.ts';

/** The store's thread; an entry point of the build. */
if (parentPort) {
  const port = parentPort;
  const { directory, isInspecting, copy } = workerData as WorkerOptions;
  const options = { directory, wasmPath: wasmPath() };
  if (isInspecting)
    port.postMessage(await inspected({ ...options, ...(copy && { name: copy, isThorough: true }) }));
  else void serveStore(port, options);
}

/** What a thread is started with. */
interface WorkerOptions {
  readonly directory: string;
  /** True: it only looks. */
  readonly isInspecting?: boolean;
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
