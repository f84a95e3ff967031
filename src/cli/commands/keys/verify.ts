import { ChatError } from '../../../core/errors.ts';
import { parseUsername } from '../../../core/model/username.ts';
import { command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { canPrompt } from '../../host.ts';
import { keysHere } from '../../keys-here.ts';
import { usageError } from '../../options.ts';
import { numberLines } from '../../safety-number.ts';
import { withSession } from '../../session.ts';

const digits = 60;

/** The digits of a safety number, however they were grouped. */
function readDigits(typed: string): string {
  const bare = typed.replace(/[\s-]/g, '');
  if (new RegExp(`^\\d{${digits}}$`).test(bare)) return bare;
  throw usageError(`--number takes the ${digits} digits that the other one sees`, '--number');
}

/** Shows the number that two people compare, and remembers that they did. */
export const verify = command({
  usage: ['keys verify USER [--number DIGITS]'],
  description:
    'Prints the safety number of you and USER: 60 digits, the same on both sides when nobody stands between you, and another for everybody ' +
    'else. Compare it with USER by another way, by phone or in person. At a terminal it then asks whether the numbers are the same, ' +
    'and --number takes the one that USER sees: exit 9 when it differs. Messages of keys that were compared are marked [verified].',
  options: {
    number: { type: 'text', value: 'DIGITS', describe: 'what USER sees, to be compared here' },
  },
  operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
  examples: [
    ['chat keys verify bob', 'to read it aloud'],
    ["chat keys verify bob --number '01234 56789 …'", 'what bob has sent you by another way'],
  ],
  async run({ options, operands }, context) {
    const user = parseUsername((operands[0] ?? '').replace(/^@/, ''), 'USER');
    const given = options.number === undefined ? undefined : readDigits(options.number);
    return await withSession(context, async ({ connection, username }) => {
      const { own, store } = await keysHere(context, username);
      const { lookUp, trustRecord } = await import('../../../client/keys/acquaintance.ts');
      const { record, judged, pin, safetyNumber: number } = await lookUp(connection, own, user);
      if (judged.kind !== 'known') {
        throw new ChatError(
          'untrusted',
          `${user} has other keys than the ones known here: chat trust ${user} shows what to compare`,
        );
      }
      if (given !== undefined && given !== number.replaceAll(' ', '')) {
        throw new ChatError(
          'untrusted',
          `this is not the safety number of you and ${user}: somebody may stand between you, or it was copied wrongly`,
        );
      }
      const result = (verified: boolean) => ({ user, safety_number: number, verified });
      if (given !== undefined) {
        await trustRecord(store, record, true);
        await context.output.result(result(true), []);
        await context.output.note(`${user} is verified`);
        return exitOk;
      }
      const wasVerified = pin?.isVerified ?? false;
      const asks = canPrompt(context.host) && context.output.format === 'text' && !wasVerified;
      await context.output.result(result(wasVerified), numberLines(number));
      if (!asks) return exitOk;
      if (await context.host.prompts.confirm(`Does ${user} see the same number?`)) {
        await trustRecord(store, record, true);
        await context.output.note(`${user} is verified`);
        return exitOk;
      }
      await context.output.note(
        `${user} is not verified; when the numbers differ, somebody may stand between you`,
      );
      return exitOk;
    });
  },
});
