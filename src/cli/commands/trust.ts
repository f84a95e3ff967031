import { refusalText } from '../../client/keys/pin.ts';
import { parseUsername } from '../../core/model/username.ts';
import { command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { canPrompt } from '../host.ts';
import { keysHere } from '../keys-here.ts';
import { usageError } from '../options.ts';
import { numberLines } from '../safety-number.ts';
import { withSession } from '../session.ts';

const situations = {
  known: (user: string) => `the keys of ${user} are the ones that are known here; nothing is to be done`,
  new: (user: string) => `the keys of ${user} are known here from now on`,
  changed: (user: string) =>
    `${refusalText.changed(user)}: somebody who has lost all keys has, and so has somebody who pretends to be ${user}`,
  older: (user: string) => `${refusalText.older(user)}: it was set back, or it lies`,
  forked: (user: string) => `${refusalText.forked(user)}: it was set back, or it lies`,
} as const;

/** Takes another account's changed keys for its own. */
export const trust = command({
  usage: ['trust USER [--yes]'],
  description:
    'Takes the keys that the server shows of USER now for the ones to encrypt for, after they have changed. Says what has changed and prints the ' +
    'safety number, which is to be compared with USER by another way first; asks at a terminal, and needs --yes in a script. ' +
    'What was signed with the keys before is shown as such, without its text.',
  options: { yes: { type: 'flag', describe: 'the number was compared; do not ask' } },
  operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
  examples: [['chat trust bob', 'after bob has told you that all keys were lost']],
  async run({ options, operands }, context) {
    const user = parseUsername((operands[0] ?? '').replace(/^@/, ''), 'USER');
    return await withSession(context, async ({ connection, username }) => {
      const { own, store } = await keysHere(context, username);
      const { lookUp, trustRecord } = await import('../../client/keys/acquaintance.ts');
      const { record, judged, pin, safetyNumber: number } = await lookUp(connection, own, user);
      const situation = judged.kind === 'known' && pin === undefined ? 'new' : judged.kind;
      await context.output.log(situations[situation](user));
      if (situation !== 'known') {
        await context.output.log('safety number:');
        for (const line of numberLines(number)) await context.output.log(line);
      }
      const isChange = situation !== 'known' && situation !== 'new';
      if (isChange && !options.yes) {
        if (!canPrompt(context.host))
          throw usageError('--yes is needed here: there is nobody to ask whether the number was compared');
        if (!(await context.host.prompts.confirm(`Have you compared it with ${user}, and trust these keys?`)))
          throw usageError(`nothing was changed: the keys of ${user} are not trusted`);
      }
      if (situation !== 'known') await trustRecord(store, record, false);
      await context.output.result({ user, situation, safety_number: number, trusted: true }, []);
      if (isChange) await context.output.note(`the keys of ${user} are trusted from now on`);
      return exitOk;
    });
  },
});
