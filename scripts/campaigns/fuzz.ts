import fc from 'fast-check';
import { fuzzHttp } from './fuzz/http.ts';
import { fuzzLines } from './fuzz/line.ts';
import { fuzzPipes } from './fuzz/pipe.ts';
import type { FuzzedDoor, FuzzTarget } from './fuzz/sessions.ts';
import { fuzzSlashes } from './fuzz/slash.ts';
import { fuzzWebSockets } from './fuzz/websocket.ts';
import { closedMs, within } from './peers/peer.ts';
import { type Attack, peerCampaign, type Scene } from './peers/peer-campaign.ts';
import { open } from './people.ts';
import type { ServerProcess } from './server-process.ts';

/** A server of another process, as those see it who fuzz it. */
function targetOf({ port }: ServerProcess): FuzzTarget {
  const calling = async <Result>(
    work: (call: Awaited<ReturnType<typeof open>>['call']) => Promise<Result>,
  ) => {
    const connection = await open(port);
    try {
      return await work(connection.call.bind(connection) as typeof connection.call);
    } finally {
      await connection.close();
    }
  };
  return {
    port,
    async register(username, password) {
      await calling((call) => call('account.register', { username, password }));
    },
    salt: (username) => calling((call) => call('login.salt', { username })),
    logIn: (username, password) => calling((call) => call('login.password', { username, password })),
  };
}

/** A round at a door, whose people are made at the first one. */
function fuzzing<Round>(prepare: (target: FuzzTarget) => Promise<FuzzedDoor<Round>>): Attack {
  const doors = new WeakMap<ServerProcess, FuzzedDoor<Round>>();
  return {
    async act({ server, random }: Scene) {
      const door = doors.get(server) ?? (await prepare(targetOf(server)));
      doors.set(server, door);
      const [round] = fc.sample(door.rounds, { numRuns: 1, seed: Math.floor(random() * 0x7fff_ffff) });
      let broken = ['a request got no answer in time, or its connection was not closed'];
      const playing = door.play(round as Round).then(
        (judged) => {
          broken = judged === 0 ? ['nothing was answered'] : [];
        },
        (error: unknown) => {
          broken = [error instanceof Error ? error.message : String(error)];
        },
      );
      await within(playing, closedMs);
      return broken;
    },
  };
}

/** By name: valid requests, requests with a few bytes changed, and nonsense, over several connections at a time. */
export const fuzzAttacks: Readonly<Record<string, Attack>> = {
  'fuzz of the line door': fuzzing(fuzzLines),
  'fuzz of the pipe door': fuzzing(fuzzPipes),
  'fuzz of the slash door': fuzzing(fuzzSlashes),
  'fuzz of HTTP and cookies': fuzzing(fuzzHttp),
  'fuzz of the WebSocket door': fuzzing(fuzzWebSockets),
};

/** Requests by grammar at every door: each is answered once, in order where that is promised, and on its own connection; a login works after it. */
export const fuzz = peerCampaign(
  'requests that are valid, changed by a few bytes, or nonsense, at every door: each answered once and in order',
  20 * Object.keys(fuzzAttacks).length,
  fuzzAttacks,
  {
    // What is judged here are answers: neither how often somebody may ask nor how long a byte may take.
    flags: ['--free-failed-logins', '0', '--registrations-per-hour', '0', '--joins-per-minute', '0'],
    env: {
      CHAT_FIRST_BYTE_WAIT: '30',
      CHAT_LINE_WAIT: '30',
      CHAT_LINE_WAIT_LOGGED_IN: '30',
      CHAT_LOGIN_WAIT: '30',
    },
  },
);
