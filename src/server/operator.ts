import { stat } from 'node:fs/promises';
import type { Operator } from '../core/ports/operator.ts';
import type { Backups } from './backups/backups.ts';

/** What the answers about a server are made of. */
export interface OperatorParts {
  readonly version: string;
  /** UTC milliseconds. */
  readonly startedAt: number;
  readonly backups: Backups;
  /** The database's file. */
  readonly database: string;
  connections(): number;
}

/** Answers for the machine on which this server runs. */
export function machineOperator({
  version,
  startedAt,
  backups,
  database,
  connections,
}: OperatorParts): Operator {
  return {
    async facts() {
      const sizes = await Promise.all([sizeOf(database), sizeOf(`${database}-wal`)]);
      const databaseBytes = sizes.reduce((sum, size) => sum + size, 0);
      return { version, startedAt, connections: connections(), databaseBytes };
    },
    backUp: (now) => backups.backUp(now),
    check: (name, now) => backups.check(name, now),
  };
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
