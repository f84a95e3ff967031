import { readFileSync } from 'node:fs';
import type { DoorLimits } from './doors/door.ts';

/** What a server has open besides its connections: 27 and five for each of at most eleven threads, then backups, mail and what comes and goes. */
const ownFiles = 128;

/** How many files this process may have open; Node raises it to the hard limit by itself. Undefined where nobody says. */
export function openFilesLimit(): number | undefined {
  try {
    return parseOpenFiles(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    // Only Linux has that file.
    return reportedOpenFiles();
  }
}

/** The limit by Node's own report on the process, which takes longer; undefined where it has none (Windows). */
export function reportedOpenFiles(): number | undefined {
  // The types do not know it yet.
  const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report;
  const { excludeNetwork = false } = report;
  // Otherwise it looks up the name of every connection's other end.
  report.excludeNetwork = true;
  try {
    const { userLimits } = report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
    const soft = userLimits?.open_files?.soft;
    return typeof soft === 'number' ? soft : undefined;
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}

/** Reads the soft limit of `proc_pid_limits(5)`; undefined for `unlimited` and for a text without it. */
export function parseOpenFiles(limits: string): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)\s/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

/** What to tell an operator whose system lets fewer connections in than the settings do; undefined when all is well. */
export function tooFewFiles(
  { maxConnections }: Pick<DoorLimits, 'maxConnections'>,
  limit: number | undefined,
): string | undefined {
  if (limit === undefined || (maxConnections !== 0 && maxConnections + ownFiles <= limit)) return undefined;
  const most = Math.max(0, limit - ownFiles);
  const wanted = maxConnections === 0 ? 'any number' : String(maxConnections);
  return `this process may open ${limit} files, which is enough for ${most} connections, not for ${wanted}: raise the limit (ulimit -n, LimitNOFILE) or set --max-connections`;
}
