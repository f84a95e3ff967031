import { openFilesLimit } from '../../src/server/open-files.ts';

/** What a process has open besides its connections. */
const ownFiles = 200;

/** Why so many connections cannot be tried here; undefined when they can. A child has the limit of its parent. */
export function tooManyConnections(count: number, limit = openFilesLimit()): string | undefined {
  if (limit === undefined || count + ownFiles <= limit) return undefined;
  return `a process may open ${limit} files here, and needs ${count + ownFiles}: raise the limit (ulimit -n, ulimit -Hn)`;
}
