import { ChatError } from '../../../core/errors.ts';
import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { acceptTerms } from '../../terms.ts';

/** Shows the terms of the server and accepts them as they are now. */
export const terms = command({
  usage: ['account terms [--accept-terms]'],
  description:
    'Shows the terms of the server, asks whether you accept them, and has the server keep that you do. ' +
    'Everybody accepts them who registers; this is for when they have changed.',
  options: {
    'accept-terms': { type: 'flag', describe: 'accept them without being asked' },
  },
  operands: noOperands,
  examples: [['chat account terms', 'shows them, and asks']],
  async run({ options }, context) {
    return await withSession(context, async ({ connection }) => {
      const { terms: shown } = await connection.call(
        'account.begin-register',
        {},
        { timeoutMs: callTimeoutMs },
      );
      if (shown === undefined) throw new ChatError('not-found', 'this server has no terms');
      await acceptTerms(context, shown, options['accept-terms']);
      const answer = await connection.call(
        'account.accept-terms',
        { accept_terms: shown.sha256 },
        { timeoutMs: callTimeoutMs },
      );
      await context.output.note('accepted');
      if (context.output.format === 'json') await context.output.result(answer, []);
      return exitOk;
    });
  },
});
