import type { OutputOf } from '../../../core/operations/index.ts';
import { type CommandContext, command } from '../../command.ts';
import { escapeForTerminal } from '../../escape.ts';
import { exitOk } from '../../exit-codes.ts';
import { lineTime } from '../../message-text.ts';
import { callTimeoutMs } from '../../session.ts';
import { withOwnProof } from './with-own-proof.ts';
import { recoveryOptions, withoutLogin } from './without-login.ts';

/** Makes a code with which the owner of an account sets a new password. */
export const reset = command({
  usage: [
    'admin reset USER [flags]',
    'admin reset USER --data DIR',
    'admin reset USER --cluster-secret FILE',
  ],
  description:
    'Prints a code with which USER sets a new password (chat reset USER --code), or gets a certificate over a new key (--certificate); all ' +
    'sessions of the account end then, and its certificates are revoked. It works once, for an ' +
    'hour, and takes the place of an older one. Who has the code has the account: give it to nobody else. A second factor stays on. ' +
    'Asks for your own password.\n\n' +
    "Two ways need no login, for the last administrator's password: --data on the server's machine while the server is stopped, and " +
    '--cluster-secret in the database that CHAT_STORE names, while its nodes run or not.',
  options: recoveryOptions,
  operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
  examples: [
    ['chat admin reset alice', 'asks for your password, and prints the code for alice'],
    ['chat admin reset alice --password-file pw', 'in a script'],
    ['chat admin reset alice --data /var/lib/chat', 'nobody is left who could log in and do it'],
    [
      'chat admin reset alice --cluster-secret /etc/chat/cluster-secret',
      'the same, of a server over PostgreSQL',
    ],
  ],
  async run(args, context) {
    const done = await withoutLogin(args, context, async (recovery, username) => {
      const { code, expiresAt } = await recovery.resetCode(username);
      return await show(context, { username, code, expires_at: new Date(expiresAt).toISOString() });
    });
    if (done !== undefined) return done;
    return await withOwnProof(args, context, async (connection, input) =>
      show(context, await connection.call('admin.reset', input, { timeoutMs: callTimeoutMs })),
    );
  },
});

async function show({ output }: CommandContext, issued: OutputOf<'admin.reset'>): Promise<number> {
  const { username, code, expires_at: expiresAt } = issued;
  await output.result(issued, escapeForTerminal(code));
  await output.note(
    `for ${username}, once, until ${lineTime(expiresAt)} (UTC): chat reset ${username} --code`,
  );
  return exitOk;
}
