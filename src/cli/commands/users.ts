import { pages } from '../../client/pages.ts';
import { command, noOperands } from '../command.ts';
import { escapeForTerminal } from '../escape.ts';
import { exitOk } from '../exit-codes.ts';
import { callTimeoutMs, withSession } from '../session.ts';

/** Lists who is online, or everybody. */
export const users = command({
  usage: ['users [--all]'],
  description: 'Prints who is online, one name a line.',
  options: {
    all: { type: 'flag', describe: 'everybody who has an account, online or not' },
  },
  operands: noOperands,
  examples: [['chat users --all -o json', 'everybody, and whether they are online']],
  async run({ options }, context) {
    return await withSession(context, async ({ connection }) => {
      const all = options.all ? { all: true } : {};
      const fetch = (cursor: { readonly after?: string }) =>
        connection.call('user.list', { ...all, ...cursor }, { timeoutMs: callTimeoutMs });
      for await (const page of pages(fetch)) {
        for (const user of page.users) await context.output.result(user, escapeForTerminal(user.username));
      }
      return exitOk;
    });
  },
});
