import { once } from 'node:events';
import { createServer } from 'node:net';

/** So many ports of 127.0.0.1 that nobody listens on, each another one. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('the system gave no port');
      return address.port;
    }),
  );
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}
