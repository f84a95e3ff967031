import { describe, expect, test } from 'vitest';
import { cutPower, type Spoil } from '../../scripts/campaigns/power-cut.ts';
import { seeded } from '../../scripts/campaigns/random.ts';
import type { Account, Verifier } from '../../src/core/model/account.ts';
import type { NewSession } from '../../src/core/ports/store/sessions.ts';
import { digest, opening, person, verifier } from '../contract/support/people.ts';
import { type OpenedDatabase, opened } from '../server/store/support/database.ts';
import { PowerCut, type SimulatedDisk, simulatedDisk } from '../server/store/support/simulated-disk.ts';

const directory = '/simulated';

describe('a power cut', () => {
  test('loses nothing that was acknowledged and breaks nothing, at whatever moment', async () => {
    const { counts, broken } = await cutPower({ trials: 8, seed: 1 });
    expect(broken).toEqual([]);
    expect(counts['messages acknowledged']).toBeGreaterThan(500);
  });

  test.each<[string, Spoil]>([
    ['a file’s sync', (host) => ({ ...host, fdatasyncSync: () => {} })],
    ['the directory’s sync', (host) => ({ ...host, fsyncSync: () => {} })],
  ])('is seen to lose messages when %s does nothing', async (_what, spoil) => {
    const { broken } = await cutPower({ trials: 4, seed: 2 }, spoil);
    expect(broken.join('\n')).toMatch(
      /acknowledged messages are lost|messages that were acknowledged could be missing/,
    );
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
      const database = await opened(directory, { host: disk.afterPowerCut(seeded(cut)).host });
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
