/** The floor of fan-out: lines in, joined per turn, the same buffer to every follower; prints its port and ends with its stdin. */
import { createServer, type Socket } from 'node:net';

const followers = new Set<Socket>();
let gathered: Buffer[] = [];

function flush(): void {
  const bytes = Buffer.concat(gathered);
  gathered = [];
  for (const socket of followers) socket.write(bytes);
}

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.on('close', () => followers.delete(socket));
  socket.on('data', (chunk: Buffer) => {
    if (chunk.toString('latin1', 0, 7) === 'follow\n') {
      followers.add(socket);
      socket.write('following\n');
      return;
    }
    let lines = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
    socket.write('ok\n'.repeat(lines));
    if (gathered.push(chunk) === 1) setImmediate(flush);
  });
}).listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address !== 'string') console.log(address.port);
});
process.stdin.on('end', () => process.exit(0)).resume();
