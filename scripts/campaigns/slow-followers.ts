import { setTimeout as delay } from 'node:timers/promises';
import { type Follower, follow, followingDoors } from './peers/followers.ts';
import { leave } from './peers/peer.ts';
import { type Attack, mostMemory, peerCampaign } from './peers/peer-campaign.ts';
import { sayings, sayMuch } from './peers/say-much.ts';
import { mebibyte, socketsOf } from './peers/watched.ts';

/** Followers that stop, in one attack. */
const crowd = 10;
/** Who takes nothing is let go within this time, in milliseconds: ten times the wait. */
const keptMs = 20_000;
/** How long the last message may take to come, in milliseconds. */
const comesMs = 30_000;
/**
 * Of each follower that stops: 1 MiB that may wait for it and what it is fed at once, and as much again in the system's own queues, which
 * count as the process's where they are shared with it; and the messages themselves on their way to the store and to those who read.
 */
const mostMemoryBytes = mostMemory + crowd * 4 * mebibyte + 2 * sayings.messages * sayings.size;

/** All came, each once and in order. */
async function broughtAll(who: string, follower: Follower, label: string): Promise<string[]> {
  let numbers: number[] = [];
  for (let waited = 0; waited < comesMs; waited += 200) {
    numbers = follower.numbersOf(label);
    if (numbers.length >= sayings.messages || follower.peer.isClosed()) break;
    await delay(200);
  }
  // Those of one connection are stored in the order in which they were sent.
  const isWhole = numbers.length === sayings.messages && numbers.every((number, at) => number === at + 1);
  return isWhole ? [] : [`${who} was told ${numbers.length} of ${sayings.messages}, or not in order`];
}

/** Some stop for a while and go on, one never stops. */
function pausing(door: string): Attack {
  return {
    mostMemoryBytes,
    async act(scene) {
      const { server, token, random } = scene;
      const way = { port: server.port };
      const account = { username: 'mallory', token };
      const quick = await follow(door, account, way);
      const slow = await follow(door, account, way);
      slow.stop();
      const saying = sayMuch(scene);
      const until = setInterval(() => (random() < 0.5 ? slow.goOn() : slow.stop()), 150);
      const label = await saying;
      clearInterval(until);
      slow.goOn();
      const broken = [
        ...(await broughtAll('who reads on', quick, label)),
        ...(await broughtAll('who stops now and then', slow, label)),
      ];
      leave([quick.peer, slow.peer]);
      return broken;
    },
  };
}

/** A crowd stops and never goes on: each is closed in time, and until then only so much waits for it. */
function stopping(door: string): Attack {
  return {
    mostMemoryBytes,
    async act(scene) {
      const { server, token } = scene;
      const way = { port: server.port };
      const account = { username: 'mallory', token };
      const quick = await follow(door, account, way);
      const crowded = await Promise.all(Array.from({ length: crowd }, () => follow(door, account, way)));
      const held = socketsOf(server.pid);
      for (const follower of crowded) follower.stop();
      const label = await sayMuch(scene);
      const broken = await broughtAll('who reads on', quick, label);
      // Who does not read does not learn that it was closed.
      let open = crowd;
      for (let waited = 0; open > 0 && waited < keptMs; waited += 100) {
        await delay(100);
        open = Math.max(0, socketsOf(server.pid) - held + crowd);
      }
      if (open > 0) broken.push(`${open} of ${crowd} who take nothing are kept`);
      leave([quick, ...crowded].map(({ peer }) => peer));
      return broken;
    },
  };
}

/** By name: at each door where something can be followed. */
export const followerAttacks: Readonly<Record<string, Attack>> = Object.fromEntries(
  Object.keys(followingDoors).flatMap((door) => [
    [`followers that stop now and then, ${door}`, pausing(door)],
    [`followers that stop, ${door}`, stopping(door)],
  ]),
);

/** Who follows at any door and does not read: it gets everything in the end, or is closed, and nobody else notices. */
export const slowFollowers = peerCampaign(
  'followers at every door that stop reading for a while, or for ever, while much is sent',
  3 * Object.keys(followerAttacks).length,
  followerAttacks,
);
