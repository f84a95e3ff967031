import { stat } from 'node:fs/promises';
import { formatServerAddress } from '../../client/address.ts';
import type { Configuration } from '../configuration.ts';
import type { Finding } from '../findings.ts';
import type { Host } from '../host.ts';
import { originText } from '../origin.ts';
import { doubtful, failed, fine } from './step.ts';

/** Where the settings come from, and what does not fit in them. */
export async function checkSettings(host: Host, configuration: Configuration): Promise<Finding[]> {
  const check = 'settings';
  const { problems, values, files, settings } = configuration;
  const found = problems.map((problem) => failed(check, problem));
  const set = values
    .filter(({ origin }) => origin.kind !== 'default')
    .map(({ key, value, origin }) => `${key} ${value} (${originText(origin)})`);
  const server = `server ${formatServerAddress(settings.server)} (default)`;
  const all = set.some((text) => text.startsWith('server ')) ? set : [server, ...set];
  if (found.length === 0) found.push(fine(check, all.join(', ')));
  for (const { path, exists } of files) {
    if (exists && host.platform !== 'win32' && (await isWritableByOthers(path)))
      found.push(
        doubtful(
          check,
          `${path} can be written by other users, who can send you to another server; run: chmod go-w '${path}'`,
        ),
      );
  }
  return found;
}

async function isWritableByOthers(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true && (found.mode & 0o022) !== 0;
}
