import { once } from 'node:events';
import { createServer, connect as netConnect, type Socket } from 'node:net';
import { ChatError } from '../../../src/core/errors.ts';
import type { Account } from '../../../src/core/model/account.ts';
import type { NewMessage } from '../../../src/core/ports/store/messages.ts';
import type { Store } from '../../../src/core/ports/store.ts';
import type { Patience } from '../../../src/server/store/postgres/connections.ts';

/** A store that waits for nothing long, so that a test does not either. */
export const impatient: Partial<Patience> = {
  connectMs: 1_000,
  statementMs: 1_500,
  lockMs: 500,
  attemptMs: 2_500,
  callMs: 6_000,
  retryMs: 20,
  maxRetryMs: 200,
};

/** Does something until it is not `unavailable` any more; answers with what it came to, and how often it was not. */
export async function insistently<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; refused: number }> {
  for (let refused = 0; ; refused++) {
    try {
      return { result: await work(), refused };
    } catch (error) {
      if (!(error instanceof ChatError) || error.code !== 'unavailable') throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** What one sender was told. */
export interface Told {
  readonly key: string | undefined;
  readonly id: string;
  readonly seq: number;
  readonly conversation: number;
}

/** Sends one message after the other until it is to stop; answers what was acknowledged, and how often it was refused. */
export async function sendOn(
  store: Store,
  sender: Account,
  make: (n: number) => NewMessage,
  isOver: () => boolean,
): Promise<{ told: Told[]; refused: number }> {
  const told: Told[] = [];
  let refused = 0;
  for (let n = 0; !isOver(); n++) {
    let key: string | undefined;
    // Each try is a message with an id of its own, as it is where a client sends again.
    const { result, refused: times } = await insistently(() => {
      const message = make(n);
      key = message.key;
      return store.appendMessage(message);
    });
    refused += times;
    if (!('seq' in result)) throw new Error(`${sender.username} was refused: ${result.kind}`);
    told.push({ key, id: result.id, seq: result.seq, conversation: result.conversation });
  }
  return { told, refused };
}

/** A way to a server on this machine that a test can close in the direction of the client, and cut. */
export async function leakyWay(port: number) {
  const ways = new Set<{ client: Socket; server: Socket }>();
  let isHeld = false;
  const proxy = createServer((client) => {
    const server = netConnect(port, '127.0.0.1');
    const way = { client, server };
    ways.add(way);
    client.on('data', (bytes) => server.write(bytes));
    server.on('data', (bytes) => {
      if (!isHeld) client.write(bytes);
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => {
        other.destroy();
        ways.delete(way);
      });
    }
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return {
    port: address.port,
    /** Connections that go through it now. */
    get open() {
      return ways.size;
    },
    /** From now on nothing comes back on any connection, and what comes is lost. */
    holdAnswers() {
      isHeld = true;
    },
    /** Every connection is gone, and new ones are whole. */
    cut() {
      for (const { client, server } of ways) {
        client.destroy();
        server.destroy();
      }
      ways.clear();
      isHeld = false;
    },
    async close() {
      for (const { client, server } of ways) {
        client.destroy();
        server.destroy();
      }
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
