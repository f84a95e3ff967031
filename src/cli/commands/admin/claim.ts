import { command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { readCode } from '../../read-code.ts';
import { callTimeoutMs, withSession } from '../../session.ts';

/** Makes this account the first administrator. */
export const claim = command({
  usage: ['admin claim [CODE]'],
  description:
    'Makes this account the first administrator of the server, with the code that the server prints on stderr when it starts ' +
    'and has no administrator. A code works once, and until the server is started again. CODE is asked at a terminal when it is missing.',
  options: {},
  operands: { min: 0, max: 1, names: 'CODE' },
  examples: [['chat admin claim', 'asks for the code']],
  async run({ operands }, context) {
    const code = await readCode(context, operands[0]);
    return await withSession(context, async ({ connection }) => {
      const answer = await connection.call('admin.claim', { code }, { timeoutMs: callTimeoutMs });
      await context.output.note(`${answer.username} is the administrator of this server`);
      if (context.output.format === 'json') await context.output.result(answer, []);
      return exitOk;
    });
  },
});
