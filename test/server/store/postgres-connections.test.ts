import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connections, usualPatience } from '../../../src/server/store/postgres/connections.ts';
import { databaseAddress } from '../../../src/server/store/postgres/database-address.ts';

/** One message of PostgreSQL's protocol (PostgreSQL's documentation, 55.7). */
function said(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

test('a connection that the database ends with its first words is lost, and ends nobody else', async () => {
  const words = Buffer.concat([
    said('R', Buffer.alloc(4)),
    said('Z', Buffer.from('I')),
    said('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0')),
  ]);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    // All at once, as it comes when the end follows hard upon the beginning.
    socket.once('data', () => socket.end(words));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const pool = connections(databaseAddress(`postgres://chat@127.0.0.1:${port}/chat`), 1, usualPatience);
  onTestFinished(() => pool.close());
  await expect(pool.use((session) => session.execute('SELECT 1'))).rejects.toMatchObject({ kind: 'lost' });
});
