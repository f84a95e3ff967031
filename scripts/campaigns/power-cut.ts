import type { HostFileSystem } from '../../src/server/store/sqlite/host-files.ts';
import { type OpenedDatabase, opened, seqs, texts } from '../../test/server/store/support/database.ts';
import { type SimulatedDisk, simulatedDisk } from '../../test/server/store/support/simulated-disk.ts';
import type { Campaign, CampaignResult, Course } from './campaign.ts';
import { seeded } from './random.ts';

/** Puts a fault of its own before a disk; the real one has none. */
export type Spoil = (host: HostFileSystem) => HostFileSystem;

const directory = '/simulated';
/** Long enough that the log goes into the file every few batches. */
const long = 'x'.repeat(16_000);
const batches = { count: 10, messages: 60 } as const;

/**
 * Takes the power from the store's disk at a random operation of a run with many commits and some checkpoints. The disk is a simulated
 * one: of what was not synced, each change is there, in part or not at all. What was acknowledged is found, whole and in order.
 */
export const powerCut: Campaign = {
  about: 'takes the power from a simulated disk, which forgets what was not synced',
  trials: 500,
  run: (course) => cutPower(course),
};

/** The campaign on a disk that is spoilt. */
export async function cutPower(
  { trials, seed, onTrial }: Pick<Course, 'trials' | 'seed' | 'onTrial'>,
  spoil: Spoil = (host) => host,
): Promise<CampaignResult> {
  const whole = simulatedDisk();
  await sendUntilCut(spoil(whole.host));
  const random = seeded(seed);
  const broken: string[] = [];
  let acknowledged = 0;
  for (let trial = 1; trial <= trials; trial++) {
    const disk = simulatedDisk();
    const operation = 1 + Math.floor(random() * whole.operations());
    disk.cutPowerAt(operation);
    const count = await sendUntilCut(spoil(disk.host));
    const found = await brokenAfter(disk.afterPowerCut(random), count);
    acknowledged += count;
    const where = `trial ${trial}, at operation ${operation}`;
    broken.push(...found.map((sentence) => `${where}: ${sentence}`));
    onTrial?.(`${where}: ${count} acknowledged, ${found.length} failures`);
  }
  return { trials, counts: { 'messages acknowledged': acknowledged }, broken };
}

/** Sends batches until the power goes; answers how many messages were acknowledged. */
async function sendUntilCut(host: HostFileSystem): Promise<number> {
  let acknowledged = 0;
  let database: OpenedDatabase | undefined;
  try {
    database = await opened(directory, { host });
    const alice = database.join('alice');
    for (let batch = 0; batch < batches.count; batch++) {
      const from = acknowledged;
      const all = Array.from({ length: batches.messages }, (_, i) => `${from + i + 1} ${long}`);
      const results = database.say(alice, ...all);
      if (seqs(results).some((seq) => seq === 0)) break;
      acknowledged += results.length;
    }
    database.database.close();
  } catch (error) {
    // The sync that the power took is fatal; so is whatever came after it.
    if (!(error instanceof Error)) throw error;
  } finally {
    database?.database.abandon();
  }
  return acknowledged;
}

/** What is broken in the database that is found after a power cut; empty when every promise is kept. */
async function brokenAfter(disk: SimulatedDisk, acknowledged: number): Promise<string[]> {
  try {
    const database = await opened(directory, { host: disk.host });
    const integrity = database.integrity();
    const found = database.said();
    const broken = integrity === 'ok' ? [] : [`the file is unsound: ${integrity.slice(0, 200)}`];
    if (found.length < acknowledged)
      broken.push(`${acknowledged - found.length} acknowledged messages are lost`);
    texts(found).forEach((text, i) => {
      if (found[i]?.seq !== i + 1 || text !== `${i + 1} ${long}`)
        broken.push(`message ${i + 1} is not what it was`);
    });
    database.database.close();
    return broken;
  } catch (error) {
    return [String(error)];
  }
}
