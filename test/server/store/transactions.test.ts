import { expect, test } from 'vitest';
import { type Connections, usualPatience } from '../../../src/server/store/postgres/connections.ts';
import { transactions } from '../../../src/server/store/postgres/transactions.ts';
import { Trouble } from '../../../src/server/store/postgres/trouble.ts';

test('a database that ends every connection at once is not asked in a hurry, and given up in time', async () => {
  let tries = 0;
  const pool: Pick<Connections, 'use' | 'whenUp'> = {
    async use() {
      tries += 1;
      throw new Trouble('lost', 'the database has ended the connection');
    },
    whenUp: async () => true,
  };
  const patience = { ...usualPatience, callMs: 500 };
  const running = transactions(pool, patience, { committed() {}, retried() {} });
  await expect(running.again(async () => 'done')).rejects.toMatchObject({ kind: 'lost' });
  // The second try goes at once; then each pause is longer than the one before, up to a tenth of a second.
  expect(tries).toBeGreaterThan(2);
  expect(tries).toBeLessThan(60);
});
