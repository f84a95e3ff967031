import { onTestFinished, vi } from 'vitest';
import { type Connection, type ConnectOptions, connect } from '../../../src/client/connection.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { type LineServer, type LineServerOptions, type Peer, startLineServer } from './line-server.ts';

/** Takes whatever server there is. */
export const trusting = async (): Promise<void> => {};

/** Connects to a server and closes the connection after the test. */
export async function connectTo(
  server: LineServer,
  options: Partial<ConnectOptions> = {},
): Promise<Connection> {
  const connection = await connect({
    server: server.address,
    timeoutMs: 5_000,
    checkIdentity: trusting,
    ...options,
  });
  onTestFinished(() => connection.close());
  return connection;
}

/** A scripted server, a connection to it, and its other end. */
export async function connected(
  options: LineServerOptions = {},
): Promise<{ server: LineServer; connection: Connection; peer: Peer }> {
  const server = await startLineServer(options);
  const connection = await connectTo(server);
  return { server, connection, peer: await server.peer() };
}

/** Time stands still until the test moves it; sockets go on. */
export function stopTime(): void {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
}

/** The error that a promise rejects with; fails for one that does not, or with something else. */
export async function refusal(promise: Promise<unknown>): Promise<ChatError> {
  const error = await promise.then(
    () => new Error('it did not reject'),
    (reason: unknown) => reason,
  );
  if (error instanceof ChatError) return error;
  throw error;
}

/** Code, text and details of an error, to be compared whole. */
export function whole(error: ChatError): object {
  return { code: error.code, text: error.message, ...error.details };
}

/** Lets everything that can happen without time passing happen: several turns of the event loop. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Moves the stopped time on by `ms`, as soon as everything that is due now has happened. */
export function skip(ms: number): void {
  setImmediate(() => {
    if (vi.isFakeTimers()) vi.advanceTimersByTime(ms);
  });
}
