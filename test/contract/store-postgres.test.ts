import { afterAll, beforeAll, describe, inject } from 'vitest';
import { postgresStore } from '../../src/server/store/postgres/store.ts';
import { createDatabase, emptyTables, type TestDatabase } from '../support/postgres-server.ts';
import { describeTwoNodes } from './store/two-nodes.ts';
import { describeStore, type StoreUnderExam } from './store.exam.ts';

const port = inject('postgresPort');

describe.skipIf(port === undefined)('on a real server', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase(port ?? 0);
  });
  afterAll(() => database.drop());

  // To make a database for each test, and to take it away, is most of what a test would take.
  const underExam = (): StoreUnderExam => ({
    isInOrder: false,
    open: () => postgresStore({ url: database.url }),
    remove: () => emptyTables(port ?? 0, database.name),
  });
  describeStore('the PostgreSQL store', underExam);
  describeTwoNodes('two nodes on one PostgreSQL', underExam);
});
