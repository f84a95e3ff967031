import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Campaign } from './campaign.ts';
import { removeScratch, scratchDirectory } from './leavings.ts';
import { acknowledgedOf, Ledger, sendLoad } from './load.ts';
import { signUpSender } from './people.ts';
import { seededFor } from './random.ts';
import { mustStart } from './server-process.ts';

import { requireSqlite, soundness } from './soundness.ts';
import { ownEnd, unservedAfter } from './unexpected.ts';

/** The kill comes so many milliseconds after the first answer. */
const killAfterMs = { min: 5, max: 250 } as const;

/** When the kill of a trial comes, in milliseconds after the first answer: the seed's choice alone. */
export function killMsOf(seed: number, trial: number): number {
  const { min, max } = killAfterMs;
  return min + seededFor(seed, `kill ${trial}`)() * (max - min);
}

/**
 * A server under load is killed with SIGKILL at a random moment and started again on the same directory, over and over: each trial
 * starts from what the kills before have left. One that ends otherwise than by that kill, or answers nobody, is found.
 */
export const sigkill: Campaign = {
  about: 'kills the server under load at random moments',
  trials: 300,
  async run({ trials, seed, server: command, onTrial }) {
    requireSqlite();
    const directory = scratchDirectory('sigkill');
    const data = join(directory, 'data');
    const broken: string[] = [];
    let acknowledged = 0;
    let server = await mustStart({ command, data });
    try {
      const token = await signUpSender(server.port);
      const ledger = new Ledger();
      for (let trial = 1; trial <= trials; trial++) {
        const doomed = server;
        const served = Promise.withResolvers<void>();
        const sending = sendLoad({
          port: server.port,
          token,
          label: `${trial}`,
          random: seededFor(seed, `load ${trial}`),
          onAcknowledged: served.resolve,
        });
        const found = await unservedAfter(Promise.race([served.promise, doomed.ended]));
        await Promise.race([delay(killMsOf(seed, trial)), doomed.ended]);
        found.push(...ownEnd(await doomed.kill(), 'SIGKILL'));
        const sent = await sending;
        found.push(...soundness(data, directory));
        server = await mustStart({ command, data });
        found.push(...(await ledger.check(server.port, token, sent)));
        const count = acknowledgedOf(sent);
        acknowledged += count;
        broken.push(...found.map((sentence) => `trial ${trial}: ${sentence}`));
        onTrial?.(`trial ${trial}: ${count} acknowledged, ${found.length} promises broken`);
      }
    } finally {
      await server.kill();
      removeScratch(directory);
    }
    return { trials, counts: { 'messages acknowledged': acknowledged }, broken };
  },
};
