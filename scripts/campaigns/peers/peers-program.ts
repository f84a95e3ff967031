/**
 * `node peers-program.ts ORDER`: peers that come to a server from the network namespace of this process, stay, and never notice that their
 * network is gone (elsewhere.ts). Says `in their network`, and `arrived` when all have got to their place. It ends with its parent.
 */
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { arrive, placesToVanish } from './doors.ts';
import type { PeersOrder } from './elsewhere.ts';
import { follow } from './followers.ts';
import { reach } from './peer.ts';

const {
  count,
  port,
  isSecure,
  token,
  username,
  place = '',
  door,
  host,
  from,
} = JSON.parse(process.argv[2] ?? '') as PeersOrder;
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500);

console.log('in their network');
const hasAddress = (): boolean =>
  Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === from));
while (!hasAddress()) await delay(10);
const way = { port, host, from, isSecure };
await Promise.all(
  Array.from({ length: count }, async () => {
    if (door !== undefined) return await follow(door, { username, token }, way);
    const at = placesToVanish[place];
    if (!at) throw new Error(`there is no place called ${place}`);
    const peer = reach(way);
    // Nothing can be lost on the way to it when it goes: it is connected.
    if (peer.socket.connecting) await new Promise<void>((resolve) => peer.socket.once('connect', resolve));
    return await arrive(peer, at, token);
  }),
);
// What was written last has reached the server.
await delay(200);
console.log('arrived');
