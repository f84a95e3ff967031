import type { OutputOf } from '../../core/operations/index.ts';
import { command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { factorText } from '../factor-text.ts';
import { lineTime } from '../message-text.ts';
import { callTimeoutMs, withSession } from '../session.ts';
import { tableLines } from '../table.ts';

/** How the password is kept, in words. */
const passwordTexts: Readonly<Record<OutputOf<'account.me'>['privacy'], string>> = {
  private: 'private: no server sees it',
  open: 'open: works at every door',
  certificate: 'none: certificates log in',
};

/** What a person is told of the account, a row each. */
function rowsOf(me: OutputOf<'account.me'>): [string, string][] {
  const { username, email, email_verified: isConfirmed, privacy, created_at, erases_at: erasesAt } = me;
  return [
    ['name', username],
    ['e-mail', email === null ? '-' : isConfirmed ? email : `${email} (not confirmed)`],
    // A newer server may know more.
    ['password', passwordTexts[privacy] ?? privacy],
    ['second factor', factorText(me.second_factor)],
    ['since', lineTime(created_at)],
    ...(erasesAt === undefined
      ? []
      : [
          ['to be erased', `${lineTime(erasesAt)}: chat account erase --cancel keeps it`] satisfies [
            string,
            string,
          ],
        ]),
  ];
}

/** Shows the account that is logged in, and changes it. */
export const account = command({
  usage: [
    'account',
    'account password [--open | --private]',
    'account email [ADDRESS | --send | --verify CODE]',
    'account terms',
    'account export [--file FILE]',
    'account erase [--cancel]',
  ],
  description:
    'Prints the account that is logged in: name, e-mail address, how its password is kept, its second factor, and since when it is there (UTC). ' +
    'Columns are separated by a tab in a script.',
  options: {},
  operands: noOperands,
  examples: [['chat account -o json', 'the account and its session as one object']],
  subcommands: [
    {
      name: 'password',
      summary: 'change the password',
      load: async () => (await import('./account/password.ts')).password,
    },
    {
      name: 'email',
      summary: 'show, set or confirm the e-mail address',
      load: async () => (await import('./account/email.ts')).email,
    },
    {
      name: 'terms',
      summary: 'show and accept the terms of the server',
      load: async () => (await import('./account/terms.ts')).terms,
    },
    {
      name: 'export',
      summary: 'save what the server keeps about you',
      load: async () => (await import('./account/export.ts')).exportData,
    },
    {
      name: 'erase',
      summary: 'erase the account, or keep it after all',
      load: async () => (await import('./account/erase.ts')).eraseAccount,
    },
  ],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const me = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
      await context.output.result(me, tableLines(rowsOf(me), context.host.stdout));
      return exitOk;
    });
  },
});
