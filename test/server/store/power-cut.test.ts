import { describe, expect, test } from 'vitest';
import type { Account, Verifier } from '../../../src/core/model/account.ts';
import type { NewSession } from '../../../src/core/ports/store/sessions.ts';
import type { HostFileSystem } from '../../../src/server/store/sqlite/host-files.ts';
import { digest, opening, person, verifier } from '../../contract/support/people.ts';
import { type OpenedDatabase, opened, seqs, texts } from './support/database.ts';
import { PowerCut, type SimulatedDisk, simulatedDisk } from './support/simulated-disk.ts';

/** Numbers in 0..1 that are the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const directory = '/simulated';
/** Long enough that a checkpoint comes every few batches. */
const long = 'x'.repeat(16_000);

/** Sends batches until the power goes; answers how many messages were acknowledged. */
async function sendUntilCut(host: HostFileSystem): Promise<number> {
  let acknowledged = 0;
  let database: OpenedDatabase | undefined;
  try {
    database = await opened(directory, { host });
    const alice = database.join('alice');
    for (let batch = 0; batch < 16; batch++) {
      const from = acknowledged;
      const results = database.say(alice, ...Array.from({ length: 60 }, (_, i) => `${from + i + 1} ${long}`));
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
    const broken = integrity === 'ok' ? [] : [integrity];
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

/** Cuts the power again and again; answers what the first cut has broken that breaks anything. */
async function campaign(trials: number, seed: number, spoil: (host: HostFileSystem) => HostFileSystem) {
  const whole = simulatedDisk();
  await sendUntilCut(spoil(whole.host));
  const random = randomOf(seed);
  const broken: string[] = [];
  for (let trial = 0; trial < trials && broken.length === 0; trial++) {
    const disk = simulatedDisk();
    disk.cutPowerAt(1 + Math.floor(random() * whole.operations()));
    const acknowledged = await sendUntilCut(spoil(disk.host));
    broken.push(...(await brokenAfter(disk.afterPowerCut(random), acknowledged)));
  }
  return broken;
}

describe('a power cut', () => {
  test('loses nothing that was acknowledged and breaks nothing, in 30 cuts at any moment', async () => {
    expect(await campaign(30, 1, (host) => host)).toEqual([]);
  }, 180_000);

  test('is seen to lose messages when a file’s sync does nothing', async () => {
    const broken = await campaign(20, 2, (host) => ({ ...host, fdatasyncSync: () => {} }));
    expect(broken.length).toBeGreaterThan(0);
  });

  test('is seen to lose messages when the directory’s sync does nothing', async () => {
    const broken = await campaign(20, 3, (host) => ({ ...host, fsyncSync: () => {} }));
    expect(broken.length).toBeGreaterThan(0);
  });

  test('leaves the old password with all its sessions or the new one without, at every moment of the change', async () => {
    const [own, other] = [1, 2].map((n) => opening(person('alice'), {}, { tokenHash: digest(n) }));
    if (!own || !other) throw new Error('two were made');
    const next = { ...verifier, storedKey: digest(4) };
    /** Changes alice's password on `disk`; answers at which operation that begins. */
    async function changeOn(disk: SimulatedDisk): Promise<number> {
      let begins = Number.POSITIVE_INFINITY;
      let database: OpenedDatabase | undefined;
      try {
        database = await opened(directory, { host: disk.host });
        const { id: userId } = database.join('alice');
        for (const { session, ...rest } of [own, other] as NewSession[]) {
          database.batch(['openSession', { ...rest, session: { ...session, userId } }]);
        }
        begins = disk.operations();
        const change = { userId, replaces: verifier.storedKey, verifier: next, privacy: 'open' };
        database.batch(['changeCredential', { ...change, except: own?.session.id }]);
        database.database.close();
      } catch (error) {
        if (!(error instanceof Error)) throw error;
      } finally {
        database?.database.abandon();
      }
      return begins;
    }
    const whole = simulatedDisk();
    const begins = await changeOn(whole);
    const found = new Map<string, number>();
    for (let cut = begins + 1; cut <= whole.operations() + 1; cut++) {
      const disk = simulatedDisk();
      disk.cutPowerAt(cut);
      await changeOn(disk);
      const database = await opened(directory, { host: disk.afterPowerCut(randomOf(cut)).host });
      const answers = database.batch(
        ['credential', 'alice'],
        ['sessionByToken', own.tokenHash],
        ['sessionByToken', other.tokenHash],
      );
      const [credential, ...sessions] = answers.map((one) => ('value' in one ? one.value : one));
      const { account, verifier: kept } = credential as { account: Account; verifier: Verifier };
      const password = kept.storedKey[0] === next.storedKey[0] ? 'new' : 'old';
      const state = `${password}, ${account.privacy}, ${sessions.filter((one) => one !== undefined).length} sessions`;
      found.set(state, (found.get(state) ?? 0) + 1);
      expect(database.integrity()).toBe('ok');
      database.database.close();
    }
    expect([...found.keys()].toSorted()).toEqual(['new, open, 1 sessions', 'old, private, 2 sessions']);
  });

  test('is what the simulated disk throws, and it forgets what was not synced', () => {
    const disk = simulatedDisk();
    const fd = disk.host.openSync(`${directory}/chat.db`, 0o102);
    disk.host.writeSync(fd, new Uint8Array([1, 2]), 0, 2, 0);
    disk.host.fdatasyncSync(fd);
    disk.host.fsyncSync(disk.host.openSync(directory, 0));
    disk.host.writeSync(fd, new Uint8Array([3]), 0, 1, 2);
    disk.cutPowerAt(disk.operations() + 1);
    expect(() => disk.host.fdatasyncSync(fd)).toThrow(PowerCut);
    const after = disk.afterPowerCut(() => 0);
    const found = new Uint8Array(4);
    expect(after.host.readSync(after.host.openSync(`${directory}/chat.db`, 0), found, 0, 4, 0)).toBe(2);
    expect([...found]).toEqual([1, 2, 0, 0]);
  });
});
