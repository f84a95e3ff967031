import { inviteLimits, type RegistrationMode } from '../../../core/policy.ts';
import { command, noOperands } from '../../command.ts';
import { parseDuration } from '../../duration.ts';
import { escapeForTerminal } from '../../escape.ts';
import { exitOk } from '../../exit-codes.ts';
import { lineTime } from '../../message-text.ts';
import { usageError } from '../../options.ts';
import { callTimeoutMs, withSession } from '../../session.ts';

function usesOf(given: string | undefined): number {
  const uses = given === undefined ? 1 : /^\d{1,6}$/.test(given) ? Number(given) : 0;
  if (uses >= 1 && uses <= inviteLimits.maxUses) return uses;
  throw usageError(
    `--uses takes a number from 1 to ${inviteLimits.maxUses}, not ${JSON.stringify(given)}`,
    '--uses',
  );
}

function secondsOf(given: string | undefined): number {
  const ms = given === undefined ? inviteLimits.defaultMs : (parseDuration(given) ?? 0);
  if (ms >= 1_000 && ms <= inviteLimits.maxMs) return Math.floor(ms / 1_000);
  const days = inviteLimits.maxMs / 86_400_000;
  throw usageError(
    `--expires takes a duration (90s, 10m, 2h, 7d) of at least a second and at most ${days}d, not ${JSON.stringify(given)}`,
    '--expires',
  );
}

/** What an administrator may have overlooked. */
const remarkOn: Readonly<Partial<Record<RegistrationMode, string>>> = {
  open: 'but everybody may register on this server now, without an invite',
  closed: 'but this server takes no invites now: start it with chat serve --registration invite',
};

/** Makes an invite and prints its code. */
export const invite = command({
  usage: ['admin invite [--uses N] [--expires DURATION]'],
  description:
    'Prints a code with which somebody can register on a server that asks for one (chat serve --registration invite): ' +
    'chat register --invite CODE. It is shown this once.',
  options: {
    uses: { type: 'text', value: 'N', describe: 'how many accounts it is good for; default 1' },
    expires: {
      type: 'text',
      value: 'DURATION',
      describe: 'how long it is good: 10m, 2h, 7d; default 1h, at most 90d',
    },
  },
  operands: noOperands,
  examples: [['chat admin invite --uses 10 --expires 7d', 'ten accounts within a week']],
  async run({ options }, context) {
    const input = { uses: usesOf(options.uses), expires_in_s: secondsOf(options.expires) };
    return await withSession(context, async ({ connection }) => {
      const made = await connection.call('admin.create-invite', input, { timeoutMs: callTimeoutMs });
      await context.output.result(made, escapeForTerminal(made.code));
      const accounts = made.uses === 1 ? 'one account' : `${made.uses} accounts`;
      await context.output.note(`good for ${accounts}, until ${lineTime(made.expires_at)} (UTC)`);
      const remark = remarkOn[made.registration];
      if (remark !== undefined) await context.output.note(remark);
      return exitOk;
    });
  },
});
