import { ChatError } from '../../core/errors.ts';
import type { ClusterConfig } from '../config/server-config.ts';
import { doubtful, type Finding, failed, fine } from '../finding.ts';
import { inspectRedis } from '../redis/inspect.ts';
import { inspectPostgres, type PostgresReport } from '../store/postgres/inspect.ts';
import { refusal } from '../store/postgres/node-lock.ts';
import { readClusterSecret } from './cluster-secret.ts';
import { sealUnder } from './seal.ts';
import { checkSharedKeys } from './shared-keys.ts';

/** What the look goes by. */
export interface InspectNodeOptions {
  readonly config: ClusterConfig;
  /** The data directory; undefined for one that cannot be used. */
  readonly directory: string | undefined;
  /** Whether a server has it now, which is a node then. */
  readonly isHeld: boolean;
}

/** What a look at everything that the nodes share found. */
export interface NodeReport {
  readonly findings: readonly Finding[];
  /** Whether the database has been started on; undefined when it could not be looked into. */
  readonly hasDatabase: boolean | undefined;
  /** Whether there are keys there that a data directory without any gets. */
  readonly hasKeys: boolean;
}

/** Looks whether a node could start: cluster secret, database, other nodes, shared keys, Redis; changes nothing anywhere. */
export async function inspectNode(options: InspectNodeOptions): Promise<NodeReport> {
  const { bus, secretFile, store } = options.config;
  const findings: Finding[] = [];
  const secret = await orFinding(findings, 'cluster secret', () => readClusterSecret(secretFile));
  if (secret) findings.push(fine('cluster secret', `${secretFile} fits`));
  const found = await orFinding(findings, 'database', () =>
    inspectPostgres(store, async (report) => {
      findings.push(...inspectDatabase(report), inspectNodes(report, options));
      const hasDatabase = report.format !== undefined;
      const hasKeys = (await report.shared('keys')) !== undefined;
      if (secret) findings.push(await inspectKeys(report, secret, options));
      return { hasDatabase, hasKeys };
    }),
  );
  const heard = bus === undefined ? undefined : await orFinding(findings, 'bus', () => inspectBus(bus));
  if (heard) findings.push(heard);
  return { findings, hasDatabase: found?.hasDatabase, hasKeys: found?.hasKeys ?? false };
}

function inspectDatabase({ server, format, known }: PostgresReport): Finding[] {
  const check = 'database';
  if (format === undefined)
    return [fine(check, `${server}: it is empty, and the first start makes the tables`)];
  const update = format < known ? `; the next start brings it to format ${known}` : '';
  return [fine(check, `${server}: format ${format}${update}`)];
}

function inspectNodes({ nodes }: PostgresReport, { config, isHeld }: InspectNodeOptions): Finding {
  const check = 'nodes';
  if (nodes === undefined) return fine(check, 'no node uses the database');
  const as = config.bus === undefined ? 'sole' : 'shared';
  const { count } = nodes;
  if (nodes.as === 'shared' && as === 'shared')
    return fine(check, `${count} ${count === 1 ? 'node uses' : 'nodes use'} the database`);
  if (isHeld && count === 1)
    return doubtful(check, 'a node uses the database alone, as it does while the server is running');
  return failed(check, { code: 'unavailable', message: refusal[as] });
}

async function inspectKeys(
  { realm, shared }: PostgresReport,
  secret: Uint8Array,
  { directory }: InspectNodeOptions,
): Promise<Finding> {
  const check = 'shared keys';
  const none = fine(check, 'none are in the database yet: the next start puts them there');
  if (realm === undefined || directory === undefined) return none;
  try {
    const store = { shared, share: () => Promise.reject(new Error('nothing is changed')) };
    const areThere = await checkSharedKeys({ directory, store, seal: sealUnder(secret, realm) });
    return areThere ? fine(check, 'the cluster secret opens them, and they fit the data directory') : none;
  } catch (error) {
    if (error instanceof ChatError) return failed(check, error);
    throw error;
  }
}

async function inspectBus(url: string): Promise<Finding> {
  const check = 'bus';
  const { place, version, trouble } = await inspectRedis(url);
  if (trouble === undefined) return fine(check, `Redis ${version ?? 'of unknown version'} at ${place}`);
  const note = 'a start goes on without it, and joins the other nodes when it is there';
  return doubtful(check, `Redis at ${place} cannot be used: ${trouble}; ${note}`);
}

/** The result, or undefined and a finding that says what a start would. */
async function orFinding<Result>(
  findings: Finding[],
  check: string,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    findings.push(failed(check, error));
    return undefined;
  }
}
