import { join } from 'node:path';
import type { Campaign } from './campaign.ts';
import { removeScratch, scratchDirectory } from './leavings.ts';
import { acknowledgedOf, Ledger, sendLoad } from './load.ts';
import { signUpSender } from './people.ts';
import { seeded } from './random.ts';
import { Reader } from './reader.ts';
import { mustStart } from './server-process.ts';

const readers = 3;
/** More than the systems at both ends take for a connection by themselves. */
const load = { messages: 1_200, size: 16_000, window: 8 } as const;

/**
 * Readers that stop taking what comes while much is sent, and go on later. Each is told that it lags behind, instead of all of it waiting
 * in the server's memory; senders and another reader do not notice; and in the end everybody has everything, once and in order.
 */
export const slowReaders: Campaign = {
  about: 'readers that stop taking what comes, while much is sent',
  trials: 50,
  async run({ trials, seed, server: command, onTrial }) {
    const random = seeded(seed);
    const directory = scratchDirectory('slow');
    const broken: string[] = [];
    let acknowledged = 0;
    const server = await mustStart({ command, data: join(directory, 'data') });
    const token = await signUpSender(server.port);
    const [quick, ...slow] = [
      new Reader(token, () => server.port),
      ...Array.from({ length: readers }, () => new Reader(token, () => server.port)),
    ];
    try {
      await Promise.all([quick, ...slow].map((reader) => reader.start()));
      const ledger = new Ledger();
      for (let trial = 1; trial <= trials; trial++) {
        const lagged = slow.map((reader) => reader.lagged);
        // The system lets more and more wait for a connection that has read quickly, in the end all of a trial.
        await Promise.all(slow.map((reader) => reader.renew()));
        for (const reader of slow) reader.pause();
        const sent = await sendLoad({ ...load, port: server.port, token, label: `${trial}`, random });
        const found = (await quick.check()).map((sentence) => `the quick reader: ${sentence}`);
        for (const [index, reader] of slow.entries()) {
          reader.resume();
          const missed = await reader.check();
          if (reader.lagged === lagged[index]) missed.push('was never told that it lags behind');
          found.push(...missed.map((sentence) => `slow reader ${index + 1}: ${sentence}`));
        }
        const refused = sent.length - acknowledgedOf(sent);
        if (refused > 0) found.push(`${refused} messages were not acknowledged`);
        found.push(...(await ledger.check(server.port, token, sent)));
        acknowledged += acknowledgedOf(sent);
        broken.push(...found.map((sentence) => `trial ${trial}: ${sentence}`));
        onTrial?.(`trial ${trial}: ${acknowledgedOf(sent)} acknowledged, ${found.length} failures`);
      }
    } finally {
      await Promise.all([quick, ...slow].map((reader) => reader.close()));
      await server.kill();
      removeScratch(directory);
    }
    return { trials, counts: { 'messages acknowledged': acknowledged }, broken };
  },
};
