import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from '../../src/client/connection.ts';
import { ChatError } from '../../src/core/errors.ts';
import type { Campaign } from './campaign.ts';
import { removeScratch, scratchDirectory } from './leavings.ts';
import { acknowledgedOf, Ledger, sendLoad, targets } from './load.ts';
import { logIn, open, signUpSender } from './people.ts';
import type { Sent } from './promises.ts';
import { pick, seeded, seededFor } from './random.ts';
import { mustStart } from './server-process.ts';

const hourMs = 3_600_000;
/** A session is unused for so long at most, and as old at most: the server's own defaults, in milliseconds. */
const session = { idleMs: 24 * hourMs, absoluteMs: 168 * hourMs } as const;
/** How far the clock jumps: within a session's life, and beyond it; back again too. */
const jumpsMs = [-400, -30, -2, -1, -0.01, 0.01, 1, 2, 20, 30, 400].map((hours) => hours * hourMs);

/**
 * Sets the clock of a server forward and back under load, by minutes and by days. What was sent keeps its order and its ids, each id comes
 * once, a session never lives beyond its end and is not lost before it, and who logs in is served.
 */
export const clockJumps: Campaign = {
  about: "sets the server's clock forward and back under load",
  trials: 300,
  async run({ trials, seed, server: [program, ...args], onTrial }) {
    const random = seeded(seed);
    const directory = scratchDirectory('clock');
    const file = join(directory, 'clock');
    let offMs = 0;
    const setClock = (ms: number): void => {
      offMs = ms;
      // Whole at once: it is read all the time.
      writeFileSync(`${file}.new`, `${ms}`);
      renameSync(`${file}.new`, file);
    };
    setClock(0);
    const preload = new URL('./clock.ts', import.meta.url).href;
    const server = await mustStart({
      command: [program, '--import', preload, ...args],
      data: join(directory, 'data'),
      env: { CHAT_CAMPAIGN_CLOCK: file },
    });
    const broken: string[] = [];
    const ids = new Set<string>();
    let acknowledged = 0;
    let ended = 0;
    let made = 0;
    try {
      let token = await signUpSender(server.port);
      let madeAt = Date.now() + offMs;
      /** The latest that the clock has shown while the session was used. */
      let usedAt = madeAt;
      const ledger = new Ledger();
      for (let trial = 1; trial <= trials; trial++) {
        const jumpMs = pick(jumpsMs, random);
        const before = offMs;
        // Chance of its own, so that the jumps are the seed's alone.
        const load = { port: server.port, random: seededFor(seed, `load ${trial}`), senders: 2, window: 4 };
        let acknowledgedNow = 0;
        let unusedMs = 0;
        const jump = (): void => {
          usedAt = Math.max(usedAt, Date.now() + before);
          setClock(before + jumpMs);
          unusedMs = Date.now() + offMs - usedAt;
        };
        const sent = await sendLoad({
          ...load,
          token,
          label: `${trial}`,
          messages: 120,
          onAcknowledged() {
            acknowledgedNow += 1;
            if (acknowledgedNow === 40) jump();
          },
        });
        if (offMs === before) jump();
        const found: string[] = [];
        const isAlive = await livesOn(server.port, token);
        const now = Date.now() + offMs;
        // Older than it may be: it must be gone. A little younger than it may be without use: it must be there.
        if (isAlive && now - madeAt > session.absoluteMs + hourMs)
          found.push('a session lives beyond its end');
        if (isAlive && unusedMs > session.idleMs + hourMs)
          found.push(`a session lives on that was unused for ${Math.round(unusedMs / hourMs)} hours`);
        if (!isAlive && jumpMs < session.idleMs - hourMs && now - madeAt < session.absoluteMs - hourMs)
          found.push(`a session has ended by a jump of ${jumpMs / hourMs} hours`);
        if (!isAlive || now < madeAt) {
          if (!isAlive) ended += 1;
          const connection = await open(server.port);
          token = await logIn(connection, 'sender');
          await connection.close();
          madeAt = Date.now() + offMs;
          usedAt = madeAt;
        }
        usedAt = Math.max(usedAt, now);
        found.push(...(await ledger.check(server.port, token, sent)), ...repeated(sent, ids));
        found.push(...(await misordered(server.port, token)));
        if (server.hasEnded) found.push(`the server has ended: ${server.errors}`);
        acknowledged += acknowledgedOf(sent);
        const where = `trial ${trial}, by ${jumpMs / hourMs} hours`;
        broken.push(...found.map((sentence) => `${where}: ${sentence}`));
        onTrial?.(`${where}: ${acknowledgedOf(sent)} acknowledged, ${found.length} failures`);
        made = trial;
        if (server.hasEnded) break;
      }
    } finally {
      await server.kill();
      removeScratch(directory);
    }
    return {
      trials: made,
      counts: { 'messages acknowledged': acknowledged, 'sessions ended': ended },
      broken,
    };
  },
};

async function livesOn(port: number, token: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await open(port, token);
    return true;
  } catch (error) {
    if (error instanceof ChatError && error.code === 'unauthenticated') return false;
    throw error;
  } finally {
    await connection?.close();
  }
}

/** Ids that were there before: one is made of the time and of chance. */
function repeated(sent: readonly Sent[], ids: Set<string>): string[] {
  const broken: string[] = [];
  for (const { acknowledged } of sent) {
    if (!acknowledged) continue;
    if (ids.has(acknowledged.id)) broken.push(`the id ${acknowledged.id} comes again`);
    ids.add(acknowledged.id);
  }
  return broken;
}

/** The newest page of each conversation, as the server orders it: by its numbers, whatever the clock was. */
async function misordered(port: number, token: string): Promise<string[]> {
  const connection = await open(port, token);
  const broken: string[] = [];
  for (const to of targets) {
    const { messages, last_seq } = await connection.call('message.history', { to, newest: true });
    const seqs = messages.map(({ seq }) => seq);
    if (
      seqs.some((seq, index) => index > 0 && seq !== (seqs[index - 1] ?? 0) + 1) ||
      seqs.at(-1) !== last_seq
    )
      broken.push(`the newest of ${to} are ${seqs.join()}, and the last is ${last_seq}`);
  }
  await connection.close();
  return broken;
}
