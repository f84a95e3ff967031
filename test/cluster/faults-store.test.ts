import { afterEach, describe, expect, it } from 'vitest';
import { clusterStoreCampaign, type OpenStore } from '../../scripts/campaigns/cluster-store.ts';
import { postgresStore } from '../../src/server/store/postgres/store.ts';
import { courseOf, firstCaught } from '../campaigns/support/campaign.ts';
import { hasPostgres } from '../support/postgres-server.ts';
import { hasRedisServer } from '../support/redis-server.ts';
import { allowDoubledSeqs, answerBeforeCommits, lockNothing } from './support/broken-database.ts';

const hasStores = hasPostgres() && hasRedisServer();

describe.skipIf(!hasStores)('the stores of several nodes over one PostgreSQL', () => {
  /** What puts the real parts back. */
  let mend = (): void => {};
  afterEach(() => {
    mend();
    mend = () => {};
  });

  /** Stores that are opened in another way break this promise, by the first seeds whose fault comes at the right moment. */
  async function expectFound(open: OpenStore, only: string, asked: RegExp): Promise<void> {
    expect(await firstCaught(clusterStoreCampaign(open), courseOf(1, 1, { only }), asked)).toMatch(asked);
  }

  it('lose and double nothing, and every history of a room is linearizable, whatever becomes of PostgreSQL for a moment', async () => {
    const kinds = [
      'PostgreSQL killed',
      'PostgreSQL restarted',
      'backends ended',
      'PostgreSQL reset',
      'COMMIT unanswered',
    ];
    const campaign = clusterStoreCampaign((url) => postgresStore({ url }), kinds);
    const { trials, counts, broken } = await campaign.run(courseOf(kinds.length, 20_261_122));
    expect(broken).toEqual([]);
    expect(trials).toBe(kinds.length);
    expect(counts['messages acknowledged']).toBeGreaterThan(100);
  });

  it('are caught when they acknowledge before their commit', async () => {
    mend = answerBeforeCommits();
    await expectFound(
      (url) => postgresStore({ url }),
      'PostgreSQL killed',
      /was acknowledged as \d+ and is lost|ms later .* (?:did not find|it was) \d+/,
    );
  });

  it('are caught when they take a seq without a lock', async () => {
    mend = lockNothing();
    const open: OpenStore = async (url) => {
      const store = await postgresStore({ url });
      await allowDoubledSeqs(url);
      return store;
    };
    await expectFound(open, 'PostgreSQL reset', /after \d+ comes \d+/);
  });

  it('are caught when they do not look for the key of a message that is sent again', async () => {
    const open: OpenStore = async (url) => {
      const store = await postgresStore({ url });
      return { ...store, appendMessage: (message) => store.appendMessage({ ...message, key: undefined }) };
    };
    await expectFound(open, 'COMMIT unanswered', /stands at \d+ and at \d+/);
  });

  it('are caught when they read what stood there a moment ago', async () => {
    const open: OpenStore = async (url) => {
      const store = await postgresStore({ url });
      return {
        ...store,
        async messages(query) {
          const rows = await store.messages(query);
          return rows.filter(({ sentAt }) => sentAt < Date.now() - 500);
        },
      };
    };
    await expectFound(open, 'PostgreSQL reset', /reads after \d+ up to \d+, where \d+ was the last/);
  });
});
