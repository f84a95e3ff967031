import { command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { callTimeoutMs } from '../../session.ts';
import { ownProofOptions, withOwnProof } from './with-own-proof.ts';

/** Makes an administrator, for the password of the one who does. */
export const grant = command({
  usage: ['admin grant USER [flags]'],
  description:
    'Makes an account an administrator, at once on its open connections. Asks for your own password.',
  options: ownProofOptions,
  operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
  examples: [
    ['chat admin grant bob', 'asks for your password, and bob is an administrator'],
    ['chat admin grant bob --password-file pw', 'in a script'],
  ],
  run: (args, context) =>
    withOwnProof(args, context, async (connection, { username, proof }) => {
      await connection.call(
        'admin.set-administrator',
        { username, admin: true, proof },
        { timeoutMs: callTimeoutMs },
      );
      await context.output.note(`${username} is an administrator`);
      if (context.output.format === 'json') await context.output.result({ username }, []);
      return exitOk;
    }),
});
