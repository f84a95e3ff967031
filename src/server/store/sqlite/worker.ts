import { parentPort, workerData } from 'node:worker_threads';
import { ChatError } from '../../../core/errors.ts';
import { wasmPath } from './assets.ts';
import { type InspectMessage, inspectDatabase } from './inspect.ts';
import { serveStore } from './serve-store.ts';

/** The store's thread; an entry point of the build. */
if (parentPort) {
  const port = parentPort;
  const { directory, isInspecting = false } = workerData as { directory: string; isInspecting?: boolean };
  const options = { directory, wasmPath: wasmPath() };
  if (isInspecting) port.postMessage(await inspected(options));
  else void serveStore(port, options);
}

async function inspected(options: Parameters<typeof inspectDatabase>[0]): Promise<InspectMessage> {
  try {
    return { kind: 'report', report: await inspectDatabase(options) };
  } catch (error) {
    if (error instanceof ChatError) return { kind: 'refused', code: error.code, message: error.message };
    return { kind: 'refused', code: 'internal', message: String(error) };
  }
}
