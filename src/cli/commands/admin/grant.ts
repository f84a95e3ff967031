import { parseUsername } from '../../../core/model/username.ts';
import { command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { otpOption } from '../../one-time-code.ts';
import { checkPasswordSource, passwordOptions, readPassword } from '../../secret.ts';
import { callTimeoutMs, withSession } from '../../session.ts';

/** Makes an administrator, for the password of the one who does. */
export const grant = command({
  usage: ['admin grant USER [flags]'],
  description:
    'Makes an account an administrator, at once on its open connections. Asks for your own password.',
  options: { ...otpOption, ...passwordOptions },
  operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
  examples: [
    ['chat admin grant bob', 'asks for your password, and bob is an administrator'],
    ['chat admin grant bob --password-file pw', 'in a script'],
  ],
  async run({ operands, options }, context) {
    const username = parseUsername((operands[0] ?? '').replace(/^@/, ''), 'USER');
    checkPasswordSource(options, context.host);
    return await withSession(context, async (session) => {
      const password = await readPassword(context, options, false);
      const proof = await freshProof(context, session, password, options.otp);
      await session.connection.call(
        'admin.set-administrator',
        { username, admin: true, proof },
        { timeoutMs: callTimeoutMs },
      );
      await context.output.note(`${username} is an administrator`);
      if (context.output.format === 'json') await context.output.result({ username }, []);
      return exitOk;
    });
  },
});
