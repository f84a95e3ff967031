import { parentPort, workerData } from 'node:worker_threads';
import '../../../../src/server/store/queries/whole-trail.ts';
import '../../../../src/server/store/queries/index.ts';
import { openDatabase } from '../../../../src/server/store/sqlite/database.ts';
import { rows, type Statement, statement, statements } from '../../../../src/server/store/statement.ts';

/** How SQLite goes about one statement. */
export interface Plan {
  readonly sql: string;
  readonly steps: readonly string[];
}

/** The plans of the store's own statements: a thread of its own has loaded no others. */
const { directory } = workerData as { directory: string };
const database = await openDatabase({ directory });
const plans = [...statements].map((of): Plan => {
  let sql = '';
  const explained: Statement<object, { detail: string }> = statement((db, params) => ({
    compile() {
      const compiled = of.build(db, params).compile();
      ({ sql } = compiled);
      return { ...compiled, sql: `EXPLAIN QUERY PLAN ${sql}` } as never;
    },
  }));
  const steps = database.run(rows(explained, {})).map(({ detail }) => detail);
  return { sql, steps };
});
database.close();
parentPort?.postMessage(plans);
