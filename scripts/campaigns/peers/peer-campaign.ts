import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Campaign } from '../campaign.ts';
import { removeScratch, scratchDirectory } from '../leavings.ts';
import { becomeAdministrator, signUp, signUpSender } from '../people.ts';
import { seeded } from '../random.ts';
import { mustStart, type ServerProcess, type ServerStart } from '../server-process.ts';
import { Bystander, bystanderConnections } from './bystander.ts';
import { closedMs } from './peer.ts';
import { mebibyte, memoryOf, socketsOf, watchMemory } from './watched.ts';

/** What an attack works on. */
export interface Scene {
  readonly server: ServerProcess;
  readonly random: () => number;
  /** A session of somebody who means ill and has an account, `mallory`. */
  readonly token: string;
}

/** What peers do to a server. Resolves when they have done it and are gone, with what is broken, one sentence each. */
export type Act = (scene: Scene) => Promise<string[]>;

/** What peers do, and what it may cost. */
export interface Attack {
  readonly act: Act;
  /** By so much the server may grow meanwhile, in bytes, what is collected later included; otherwise {@link mostMemory}. */
  readonly mostMemoryBytes?: number;
}

/** Shorter waits than a server has by itself, so that a trial takes seconds, and smaller numbers, so that a few peers reach them; a flag of the command goes before. */
export const shortWaits = {
  CHAT_FIRST_BYTE_WAIT: '1',
  CHAT_HANDSHAKE_WAIT: '1',
  CHAT_LINE_WAIT: '1',
  CHAT_LINE_WAIT_LOGGED_IN: '2',
  CHAT_LOGIN_WAIT: '8',
  CHAT_MAX_CONNECTIONS_PER_ADDRESS: '100',
  CHAT_MAX_HANDSHAKES: '64',
  CHAT_MAX_SESSIONS: '10',
};

/**
 * What is thrown away costs no more memory than this, in bytes: rubbish before it is collected (V8 keeps some 50 MiB of it under load), what a
 * hundred connections may hold, and what the bystander's own messages take.
 */
export const mostMemory = 128 * mebibyte;
/** A long run ends with no more than this above what the server had after each kind of attack had come once, in bytes: otherwise something stays behind. It takes two rounds. */
const mostLeftBytes = 128 * mebibyte;

/** What a campaign of peers adds to how its server is started. */
export type PeerServer = Pick<ServerStart, 'host' | 'flags' | 'env'>;

/** Makes a campaign of what peers do, one kind after the other, to one server, while a bystander is served. */
export function peerCampaign(
  about: string,
  trials: number,
  attacks: Readonly<Record<string, Attack>>,
  start: PeerServer = {},
): Campaign {
  return {
    about,
    trials,
    kinds: Object.keys(attacks),
    async run({ trials, seed, server: command, only = '', onTrial }) {
      const random = seeded(seed);
      const kinds = Object.entries(attacks).filter(([name]) => name.includes(only));
      const directory = scratchDirectory('peers');
      const broken: string[] = [];
      const server = await mustStart({
        ...start,
        command,
        data: join(directory, 'data'),
        env: { ...shortWaits, ...start.env },
      });
      let made = 0;
      let most = 0;
      let slowestMs = 0;
      let bystander: Bystander | undefined;
      try {
        const token = await signUpSender(server.port);
        await becomeAdministrator(server, token);
        const scene: Scene = { server, random, token: await signUp(server.port, 'mallory') };
        bystander = await Bystander.come(server, token);
        const sockets = await settled(() => socketsOf(server.pid));
        let failures = 0;
        let memoryAfterFirst = 0;
        for (let trial = 1; trial <= trials && !server.hasEnded; trial++) {
          const [name, attack] = kinds[(trial - 1) % kinds.length] as (typeof kinds)[number];
          await bystander.begin(`${trial}`, seed + trial);
          const grown = watchMemory(server.pid);
          const found = await attack.act(scene);
          const bytes = grown();
          most = Math.max(most, bytes);
          found.push(...(await bystander.end()));
          slowestMs = Math.max(slowestMs, bystander.slowestMs);
          const { mostMemoryBytes = mostMemory } = attack;
          if (bytes > mostMemoryBytes) {
            found.push(
              `it takes ${inMebibytes(bytes)} of memory, and ${inMebibytes(mostMemoryBytes)} are enough`,
            );
          }
          found.push(...(await leftOf(server, bystander, sockets)), ...server.failures.slice(failures));
          failures = server.failures.length;
          made = trial;
          if (trial === kinds.length && !server.hasEnded) memoryAfterFirst = memoryOf(server.pid);
          broken.push(...found.map((sentence) => `trial ${trial}, ${name}: ${sentence}`));
          const figures = `${bystander.acknowledged} acknowledged so far, ${bystander.slowestMs} ms at most, ${inMebibytes(bytes)} more`;
          onTrial?.(`trial ${trial}, ${name}: ${figures}, ${found.length} failures`);
        }
        // After one round alone there is nothing to hold against it.
        if (made > kinds.length && memoryAfterFirst > 0 && !server.hasEnded) {
          const left = memoryOf(server.pid) - memoryAfterFirst;
          if (left > mostLeftBytes) broken.push(`${inMebibytes(left)} of memory stay behind`);
        }
        await bystander.leave();
      } finally {
        await server.kill();
        await bystander?.leave();
        removeScratch(directory);
      }
      const counts = {
        'messages acknowledged': bystander?.acknowledged ?? 0,
        'MiB grown at most': Math.round(most / mebibyte),
        'ms at most for an answer to somebody else': slowestMs,
      };
      return { trials: made, counts, broken };
    },
  };
}

/** What is left of the peers: connections that the server counts, sockets that it has open, or no server. */
async function leftOf(server: ServerProcess, { operator }: Bystander, sockets: number): Promise<string[]> {
  if (server.hasEnded) return [`the server has ended: ${server.errors}`];
  let connections = 0;
  let open = 0;
  for (let waited = 0; waited < closedMs; waited += 50) {
    ({ connections } = await operator.call('admin.stats', {}));
    open = socketsOf(server.pid);
    if (connections <= bystanderConnections && open <= sockets) return [];
    await delay(50);
  }
  return [
    `the server still holds ${connections - bystanderConnections} connections and ${open - sockets} sockets`,
  ];
}

/** A number that has come to rest: what was opened a moment ago has been closed. */
async function settled(look: () => number): Promise<number> {
  let before = Number.NaN;
  for (;;) {
    const now = look();
    if (now === before) return now;
    before = now;
    await delay(100);
  }
}

function inMebibytes(bytes: number): string {
  return `${Math.round(bytes / mebibyte)} MiB`;
}
