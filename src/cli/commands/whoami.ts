import { command, noOperands } from '../command.ts';
import { escapeForTerminal } from '../escape.ts';
import { exitOk } from '../exit-codes.ts';
import { callTimeoutMs, withSession } from '../session.ts';

/** Prints the account that is logged in. */
export const whoami = command({
  usage: ['whoami'],
  description:
    'Prints the name of the account that is logged in; exit 4 when none is. With -o json: the account and its session.',
  options: {},
  operands: noOperands,
  examples: [['chat whoami -o json', 'the whole account']],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const me = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
      await context.output.result(me, escapeForTerminal(me.username));
      return exitOk;
    });
  },
});
