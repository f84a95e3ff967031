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

test('a call is given up in its time although each attempt is dropped only after most of it', async () => {
  const allowed: number[] = [];
  const pool: Pick<Connections, 'use' | 'whenUp'> = {
    async use(_work, attemptMs = 0) {
      allowed.push(attemptMs);
      await new Promise((resolve) => setTimeout(resolve, attemptMs));
      throw new Trouble('lost', 'nothing was answered');
    },
    whenUp: async () => true,
  };
  const patience = { ...usualPatience, attemptMs: 700, callMs: 1_300 };
  const running = transactions(pool, patience, { committed() {}, retried() {} });
  await expect(running.again(async () => 'done')).rejects.toMatchObject({ kind: 'lost' });
  expect(allowed[0]).toBe(700);
  expect(allowed[1]).toBeGreaterThanOrEqual(500);
  expect(allowed[1]).toBeLessThan(700);
  expect(allowed.length).toBeLessThanOrEqual(3);
});
