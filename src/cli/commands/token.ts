import { command, noOperands } from '../command.ts';
import { escapeForTerminal } from '../escape.ts';
import { exitOk } from '../exit-codes.ts';
import { withSession } from '../session.ts';

/** Prints a session token that is alive. */
export const token = command({
  usage: ['token'],
  description:
    'Prints the session token, refreshed if need be, for another door: pipe TOKEN, slash /login, HTTP Bearer. ' +
    'Whoever has it is logged in as this account until it ends.',
  options: {},
  operands: noOperands,
  examples: [['curl -H "Authorization: Bearer $(chat token)" …', 'calls the HTTP API']],
  async run(_args, context) {
    return await withSession(context, async ({ sessionToken, username, expiresAt }) => {
      if (context.host.stdout.isTerminal) {
        await context.output.note(
          'warning: whoever sees this token is logged in as you until it ends (chat logout)',
        );
      }
      const record = { session_token: sessionToken, username, expires_at: expiresAt };
      await context.output.result(record, escapeForTerminal(sessionToken));
      return exitOk;
    });
  },
});
