import { ChatError } from '../../../core/errors.ts';
import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { lineTime } from '../../message-text.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { acceptTerms, showTerms } from '../../terms.ts';

/** Shows the terms of the server and accepts them as they are now. */
export const terms = command({
  usage: ['account terms [--accept-terms]'],
  description:
    'Shows the terms of the server and when you accepted them; if you have not, asks whether you do, and has the server keep it. ' +
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
      const me = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
      const acceptedAt = me.terms?.accepted_at;
      if (typeof acceptedAt === 'string') {
        await showTerms(context, shown);
        await context.output.note(`accepted on ${lineTime(acceptedAt)}`);
        if (context.output.format === 'json') await context.output.result(me.terms ?? {}, []);
        return exitOk;
      }
      await acceptTerms(
        context,
        shown,
        options['accept-terms'],
        'these terms are not accepted yet: chat account terms --accept-terms does',
      );
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
