import { ChatError } from '../core/errors.ts';
import { holdAddress } from './bind.ts';
import { inspectCertificates } from './certificates/inspect.ts';
import type { NodeReport } from './cluster/inspect-node.ts';
import type { ClusterConfig } from './config/server-config.ts';
import type { ConfigSources, SettledSetting } from './config/settle-setting.ts';
import { settleConfig } from './config.ts';
import { inspectDataDirectory } from './data-directory/inspect.ts';
import { doubtful, type Finding, failed, fine } from './finding.ts';
import { openFilesLimit, tooFewFiles } from './open-files.ts';
import type { SettingName } from './settings.ts';
import { inspectAside } from './store/sqlite/inspect-aside.ts';
import { readTerms } from './terms.ts';

/** What a server would start with, and whether it would. */
export interface ServerCheck {
  readonly settings: readonly SettledSetting[];
  readonly findings: readonly Finding[];
}

/**
 * Looks at everything that a start needs, without starting or changing anything: settings, data directory and its lock,
 * database, certificates, address. A server that is running already is no failure: its data is left alone, and its address
 * is taken by itself.
 */
export async function checkServer(
  sources: ConfigSources,
  now: number,
  filesLimit: () => number | undefined = openFilesLimit,
): Promise<ServerCheck> {
  const { config, settings, problems, unfit } = settleConfig(sources);
  const findings: Finding[] = problems.map((problem) => failed('settings', problem));
  if (problems.length === 0) findings.push(fine('settings', 'every setting fits'));
  // What stands at its default may have been meant by the part of the file that does not fit.
  const isFileSound = (sources.file?.problems.length ?? 0) === 0;
  const isKnown = (name: SettingName): boolean =>
    !unfit.has(name) &&
    settings.some((setting) => setting.name === name && (isFileSound || setting.origin.kind !== 'default'));
  const isElsewhere =
    unfit.has('store') || settings.some(({ name, origin }) => name === 'store' && origin.kind !== 'default');
  const isClusterKnown = !(['store', 'bus', 'clusterSecret'] as const).some((name) => unfit.has(name));
  let isHeld = false;
  if (isKnown('dataDirectory')) {
    const directory = await inspectDataDirectory(config.dataDirectory);
    isHeld = directory.isHeld;
    findings.push(...directory.findings);
    // What is meant to be in PostgreSQL is not looked for in the data directory, also where it cannot be looked into.
    if (isElsewhere) {
      const cluster = isClusterKnown ? config.cluster : undefined;
      const isUsable = directory.findings.every(({ status }) => status !== 'fail');
      const node =
        cluster && (await inspectCluster(cluster, isUsable ? config.dataDirectory : undefined, isHeld));
      if (node) findings.push(...node.findings);
      if (directory.path !== undefined) {
        const hasDatabase = node?.hasDatabase ?? false;
        const whenMissing = whenKeysAreMissing(node);
        const how = { now, files: config.tls, hasDatabase, whenMissing };
        findings.push(...(await inspectCertificates(directory.path, how)));
      }
    } else if (directory.path !== undefined) {
      const database = await inspectDatabase(directory.path, isHeld);
      const { hasDatabase } = database;
      findings.push(...database.findings);
      findings.push(...(await inspectCertificates(directory.path, { now, files: config.tls, hasDatabase })));
    }
  }
  if (config.consentFile !== undefined) findings.push(inspectTerms(config.consentFile));
  const tooFew = isKnown('maxConnections') ? tooFewFiles(config.limits, filesLimit()) : undefined;
  if (tooFew !== undefined) findings.push(doubtful('open files', tooFew));
  // The first is held while the second is tried: a start needs both at once.
  const held: Array<() => Promise<void>> = [];
  if (isKnown('listen')) findings.push(await inspectAddress('listen', config, isHeld, held));
  const { metrics } = config;
  if (metrics && isKnown('metricsListen'))
    findings.push(await inspectAddress('metrics', metrics, isHeld, held));
  for (const letGo of held) await letGo();
  return { settings, findings };
}

/** Loads what speaks to PostgreSQL and Redis only for a server that has its database there. */
async function inspectCluster(
  config: ClusterConfig,
  directory: string | undefined,
  isHeld: boolean,
): Promise<NodeReport> {
  const { inspectNode } = await import('./cluster/inspect-node.ts');
  return await inspectNode({ config, directory, isHeld });
}

function whenKeysAreMissing(node: NodeReport | undefined): string | undefined {
  if (node?.hasKeys) return 'taken from the other nodes at the next start';
  return node?.hasDatabase === undefined
    ? 'made at the first start, or taken from the other nodes'
    : undefined;
}

function inspectTerms(path: string): Finding {
  const check = 'terms';
  try {
    return fine(check, `${path}, SHA-256 ${readTerms(path).sha256}`);
  } catch (error) {
    if (error instanceof ChatError) return failed(check, error);
    throw error;
  }
}

/** Looks at the database, unless a running server has it open. */
async function inspectDatabase(
  directory: string,
  isHeld: boolean,
): Promise<{ readonly findings: Finding[]; readonly hasDatabase: boolean }> {
  const check = 'database';
  const found = (...findings: Finding[]) => ({ findings, hasDatabase: true });
  if (isHeld) return found(fine(check, 'the running server has it open; it was not looked into'));
  try {
    const { path, format, known, faults, trailFault } = await inspectAside(directory);
    if (faults.length > 0) {
      const message = `${path} is damaged (${faults.join('; ')}): restore a backup`;
      return found(failed(check, { code: 'unavailable', message }));
    }
    if (format === undefined)
      return { findings: [fine(check, `${path} is made at the first start`)], hasDatabase: false };
    const update = format < known ? `; the next start brings it to format ${known}` : '';
    const sound = fine(check, `${path} is sound, format ${format}${update}`);
    if (trailFault === undefined) return found(sound);
    // It keeps no server from starting: it says that somebody has written to the file.
    return found(sound, doubtful('audit trail', `it is not intact: ${trailFault}`));
  } catch (error) {
    if (error instanceof ChatError) return found(failed(check, error));
    throw error;
  }
}

async function inspectAddress(
  check: string,
  where: { readonly host: string; readonly port: number },
  isHeld: boolean,
  held: Array<() => Promise<void>>,
) {
  const shown = `${where.host.includes(':') ? `[${where.host}]` : where.host}:${where.port}`;
  try {
    held.push(await holdAddress(where));
    return fine(check, `${shown} is free`);
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    const cause = error.cause as NodeJS.ErrnoException | undefined;
    if (isHeld && cause?.code === 'EADDRINUSE')
      return doubtful(check, `${shown} is taken, as it is while the server is running`);
    return failed(check, error);
  }
}
