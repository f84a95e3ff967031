import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** A call as it came in. */
export interface SeenCall {
  readonly method: string;
  readonly params: unknown;
}

/** Undefined: the call is never answered. */
type Answer = (params: unknown, push: (method: string, params: object) => void) => object | undefined;

/** The JSON-RPC line door in clear text on loopback, as far as a test scripts it; alice's token is `cs1_alice`. */
export async function lineServer(
  answers: Readonly<Record<string, Answer>>,
): Promise<{ url: string; calls: SeenCall[] }> {
  const calls: SeenCall[] = [];
  const sockets = new Set<Socket>();
  const scripted: Readonly<Record<string, Answer>> = {
    'login.resume': () => ({
      user_id: 'u',
      username: 'alice',
      session_id: 's',
      expires_at: '2999-01-01T00:00:00.000Z',
      device_id: 'd',
    }),
    ...answers,
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    const push = (method: string, params: object) =>
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', method, params })}\n`);
    const lines = createInterface({ input: socket });
    // It hands on what breaks the socket.
    lines.on('error', () => {});
    lines.on('line', (line) => {
      const { id, method, params } = JSON.parse(line);
      calls.push({ method, params });
      const answer = scripted[method];
      const result = answer?.(params, push);
      if (answer !== undefined && result === undefined) return;
      const outcome =
        answer === undefined
          ? { error: { code: -32601, message: `no ${method}`, data: { code: 'unsupported' } } }
          : { result };
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...outcome })}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { url: `plain://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, calls };
}
