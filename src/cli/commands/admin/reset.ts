import { command } from '../../command.ts';
import { escapeForTerminal } from '../../escape.ts';
import { exitOk } from '../../exit-codes.ts';
import { lineTime } from '../../message-text.ts';
import { callTimeoutMs } from '../../session.ts';
import { ownProofOptions, withOwnProof } from './with-own-proof.ts';

/** Makes a code with which the owner of an account sets a new password. */
export const reset = command({
  usage: ['admin reset USER [flags]'],
  description:
    'Prints a code with which USER sets a new password (chat reset USER --code), or gets a certificate over a new key (--certificate); all ' +
    'sessions of the account end then, and its certificates are revoked. It works once, for an ' +
    'hour, and takes the place of an older one. Who has the code has the account: give it to nobody else. A second factor stays on. ' +
    'Asks for your own password.',
  options: ownProofOptions,
  operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
  examples: [
    ['chat admin reset alice', 'asks for your password, and prints the code for alice'],
    ['chat admin reset alice --password-file pw', 'in a script'],
  ],
  run: (args, context) =>
    withOwnProof(args, context, async (connection, input) => {
      const answer = await connection.call('admin.reset', input, { timeoutMs: callTimeoutMs });
      await context.output.result(answer, escapeForTerminal(answer.code));
      await context.output.note(
        `for ${answer.username}, once, until ${lineTime(answer.expires_at)} (UTC): chat reset ${answer.username} --code`,
      );
      return exitOk;
    }),
});
