import { once } from 'node:events';
import { call, upgrade } from './doors.ts';
import { clientFrame } from './frames.ts';
import { type BadPeer, reach, type Way } from './peer.ts';

/** Who follows: a name and a session of it. */
export interface Account {
  readonly username: string;
  readonly token: string;
}

/** By name, each door that tells what is said: what is written there, one after the other, until `#lobby` is followed. */
export const followingDoors: Readonly<
  Record<string, (account: Account) => readonly (string | Uint8Array)[]>
> = {
  line: ({ token }) => [
    `${call('login.resume', { session_token: token })}\n`,
    `${call('conversation.follow', { to: '#lobby' })}\n`,
  ],
  pipe: ({ token }) => [`TOKEN|${token}\n`, 'FOLLOW|#lobby|0\n'],
  slash: ({ username, token }) => [`/login ${username} ${token}\n`, '/users\n'],
  WebSocket: ({ token }) => [
    upgrade,
    clientFrame(call('login.resume', { session_token: token })),
    clientFrame(call('conversation.follow', { to: '#lobby' })),
  ],
};

/** Somebody who follows `#lobby` at a door. */
export interface Follower {
  readonly peer: BadPeer;
  /** Takes nothing any more, until {@link goOn}. */
  stop(): void;
  goOn(): void;
  /** The numbers of a load's messages in the order in which they came; a message carries `LABEL.NUMBER.`. */
  numbersOf(label: string): number[];
}

/** Comes to a door and follows; resolves when that was answered. */
export async function follow(door: string, account: Account, way: Way): Promise<Follower> {
  const says = followingDoors[door];
  if (!says) throw new Error(`nothing is followed at ${door}`);
  const peer = reach(way);
  const { socket } = peer;
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (const words of says(account)) {
    socket.write(words);
    await Promise.race([once(socket, 'data'), peer.closed]);
  }
  return {
    peer,
    stop: () => socket.pause(),
    goOn: () => socket.resume(),
    numbersOf(label) {
      const text = Buffer.concat(chunks).toString('latin1');
      return [...text.matchAll(new RegExp(`\\b${label}\\.(\\d+)\\.`, 'g'))].map(([, number]) =>
        Number(number),
      );
    },
  };
}
