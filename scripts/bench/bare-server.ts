/** The floors of doors: a server of lines that gives each back, and a server of HTTP with a short JSON answer; prints their ports and ends with its stdin. */
import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { createServer } from 'node:net';

const lines = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => socket.write(chunk));
});
const http = createHttp({ noDelay: true }, (request, response) => {
  request.resume();
  request.on('end', () => {
    response.setHeader('Content-Type', 'application/json');
    response.end('{"status":"ok"}');
  });
});
const ports = await Promise.all(
  [lines, http].map(async (server) => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    return address !== null && typeof address !== 'string' ? address.port : 0;
  }),
);
console.log(ports.join(' '));
process.stdin.on('end', () => process.exit(0)).resume();
