import { onTestFinished } from 'vitest';
import type { FormPages } from '../../../src/core/codecs/http-form.ts';
import { createTurn, type Turn } from '../../../src/core/turn.ts';
import type { Calls, DoorLimits } from '../../../src/server/doors/door.ts';
import { type Listener, type ListenerOptions, listen } from '../../../src/server/doors/listener.ts';
import { trustedProxies } from '../../../src/server/doors/trusted-proxies.ts';
import { FakeCalls } from './calls.ts';
import { testIdentity } from './identity.ts';

/** The defaults of the settings, in the units of doors. */
export const defaultLimits: DoorLimits = {
  maxConnections: 20_000,
  maxConnectionsPerAddress: 1_000,
  maxHandshakes: 2_000,
  firstByteMs: 10_000,
  handshakeMs: 10_000,
  startedLineMs: 10_000,
  startedLineAfterLoginMs: 120_000,
  idleBeforeLoginMs: 120_000,
  pingMs: 30_000,
  maxLineBytes: 131_072,
  maxPipelined: 1_024,
  maxQueuedBytes: 1_048_576,
};

/** A listener on a free port that closes with the test. */
export interface Listening {
  readonly listener: Listener;
  readonly port: number;
  readonly calls: FakeCalls;
  /** What was reported as nobody's answer. */
  readonly failures: unknown[];
}

export async function listening(
  options: {
    limits?: Partial<DoorLimits>;
    clearText?: ListenerOptions['clearText'];
    host?: string;
    port?: number;
    calls?: Calls;
    turn?: Turn;
    pages?: FormPages;
    allowedOrigins?: readonly string[];
    proxies?: readonly string[];
    readsProxyHeader?: boolean;
    beforeServing?: (port: number) => Promise<void>;
  } = {},
): Promise<Listening> {
  const calls = new FakeCalls();
  const failures: unknown[] = [];
  const listener = await listen({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    identity: await testIdentity(),
    clearText: options.clearText ?? 'loopback',
    allowedOrigins: options.allowedOrigins ?? [],
    proxies: trustedProxies(options.proxies ?? []),
    readsProxyHeader: options.readsProxyHeader ?? false,
    limits: { ...defaultLimits, ...options.limits },
    calls: options.calls ?? calls,
    version: '0.0.0',
    turn: options.turn ?? createTurn(setImmediate),
    ...(options.beforeServing ? { beforeServing: options.beforeServing } : {}),
    ...(options.pages ? { pages: options.pages } : {}),
    onFailure: (error) => {
      failures.push(error);
      return 'error-id';
    },
  });
  onTestFinished(() => listener.destroy());
  return { listener, port: listener.port, calls, failures };
}
