import { formatServerAddress } from '../../client/address.ts';
import { ChatError } from '../../core/errors.ts';
import type { CommandContext } from '../command.ts';
import type { Finding } from '../findings.ts';
import { profileOf, resumeAny } from '../session.ts';
import type { Reached } from './server.ts';
import { doubtful, failed, fine } from './step.ts';

const check = 'login';
const minuteMs = 60_000;

/** A time from now as a person says it. */
export function spanText(ms: number): string {
  const minutes = Math.round(ms / minuteMs);
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

/** Whether somebody is logged in, whether the server still takes it, and for how long. Refreshes a login as every command does. */
export async function checkLogin(context: CommandContext, reached: Reached | undefined): Promise<Finding[]> {
  const { host, settings } = context;
  const where = formatServerAddress(settings.server);
  const isToken = host.env.CHAT_TOKEN !== undefined;
  const saved = isToken ? undefined : await profileOf(context).load();
  if (!isToken && saved === undefined)
    return [
      doubtful(
        check,
        `nobody is logged in to ${where} (context ${settings.context}); log in with: chat login NAME`,
      ),
    ];
  const who = isToken ? 'the owner of CHAT_TOKEN' : (saved?.username ?? '');
  if (reached === undefined) return [doubtful(check, `${who} is saved here; the server was not asked`)];
  if (!reached.isTrusted)
    return [doubtful(check, `${who} is saved here; a server whose key is not known is not asked`)];
  try {
    const { username, expiresAt } = await resumeAny(context, reached.connection);
    const left = spanText(Date.parse(expiresAt) - host.now());
    const then = isToken ? 'CHAT_TOKEN ends then' : 'commands refresh it';
    return [fine(check, `${username} is logged in to ${where}; the session ends in ${left}, ${then}`)];
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    // It has not shown the certificate, which is for commands that are meant.
    if (error.code === 'unauthenticated' && saved?.by === 'certificate')
      return [
        doubtful(check, `${who}'s session is over; the next command logs in again with the certificate`),
      ];
    return [failed(check, error)];
  }
}
