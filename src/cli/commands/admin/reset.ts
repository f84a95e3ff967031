import { parseUsername } from '../../../core/model/username.ts';
import { command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { lineTime } from '../../message-text.ts';
import { otpOption } from '../../one-time-code.ts';
import { checkPasswordSource, passwordOptions, readPassword } from '../../secret.ts';
import { callTimeoutMs, withSession } from '../../session.ts';

/** Makes a code with which the owner of an account sets a new password. */
export const reset = command({
  usage: ['admin reset USER [flags]'],
  description:
    'Prints a code with which USER sets a new password (chat reset USER --code), and all sessions of the account end. It works once, for an ' +
    'hour, and takes the place of an older one. Who has the code has the account: give it to nobody else. A second factor stays on. ' +
    'Asks for your own password.',
  options: { ...otpOption, ...passwordOptions },
  operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
  examples: [
    ['chat admin reset alice', 'asks for your password, and prints the code for alice'],
    ['chat admin reset alice --password-file pw', 'in a script'],
  ],
  async run({ operands, options }, context) {
    const username = parseUsername((operands[0] ?? '').replace(/^@/, ''), 'USER');
    checkPasswordSource(options, context.host);
    return await withSession(context, async (session) => {
      const password = await readPassword(context, options, false);
      const proof = await freshProof(context, session, password, options.otp);
      const answer = await session.connection.call(
        'admin.reset',
        { username, proof },
        { timeoutMs: callTimeoutMs },
      );
      await context.output.result(answer, answer.code);
      await context.output.note(
        `for ${answer.username}, once, until ${lineTime(answer.expires_at)} (UTC): chat reset ${answer.username} --code`,
      );
      return exitOk;
    });
  },
});
