import { expect, test } from 'vitest';
import { appends } from '../../../src/server/store/postgres/appends.ts';
import { type Connections, usualPatience } from '../../../src/server/store/postgres/connections.ts';
import type { Session } from '../../../src/server/store/postgres/session.ts';
import { Trouble } from '../../../src/server/store/postgres/trouble.ts';
import { inRoom, message, person } from '../../contract/support/people.ts';

test('messages of many conversations are refused in time when the database holds up every one of them', async () => {
  const lockMs = 20;
  let locked = 0;
  let isUndone = false;
  let before: Promise<unknown> = Promise.resolve();

  /** The first statement of a transaction waits; what was sent after it fails with it, one after the other. */
  async function held(): Promise<never> {
    if (isUndone) throw new Trouble('other', 'the transaction is undone');
    locked += 1;
    await new Promise((resolve) => setTimeout(resolve, lockMs));
    isUndone = true;
    throw new Trouble('locked', 'a row is held');
  }
  const session: Session = {
    isWhole: true,
    async execute(sql) {
      if (sql.startsWith('BEGIN')) isUndone = false;
      return { rows: [], rowCount: 0, command: sql };
    },
    prepared: held,
    command: async () => [],
    run() {
      const done = before.then(held);
      before = done.catch(() => {});
      return done;
    },
    drop() {},
  };
  const pool: Pick<Connections, 'use' | 'whenUp'> = {
    use: (work) => work(session),
    whenUp: async () => true,
  };
  const patience = { ...usualPatience, callMs: 5 * lockMs };
  const sending = appends(pool, 1, patience, { committed() {}, retried() {}, batch() {} });
  const alice = person('alice');
  const calls = Array.from({ length: 50 }, (_, n) => sending.append(message(alice, inRoom(`room-${n}`))));
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  // One wait for each until the time of a call is over, and not one for each conversation.
  expect(locked).toBeLessThanOrEqual(6);
  expect(sending.waiting).toBe(0);
});
