/** The floor of idle TLS connections: a server of lines over TLS that gives each back. Takes the files of a certificate and its key; prints its port and ends with its stdin. */
import { constants } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';

const [certificate = '', key = ''] = process.argv.slice(2);
const server = createServer(
  {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    secureOptions: constants.SSL_OP_NO_TICKET,
    noDelay: true,
  },
  (socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
  },
).listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address !== 'string') console.log(address.port);
});
process.stdin.on('end', () => process.exit(0)).resume();
