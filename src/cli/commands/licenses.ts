import { ChatError } from '../../core/errors.ts';
import { command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';

/** Prints whose work the program is made of, and under which licenses. */
export const licenses = command({
  usage: ['licenses'],
  description:
    'Prints the license of chat and of each package that is inside it, with its name, version and whole text; ' +
    'in the single executable that of Node.js too.',
  options: {},
  operands: noOperands,
  examples: [
    ['chat licenses | less', 'read them'],
    ['chat licenses > LICENSES.txt', 'keep them'],
  ],
  async run(_, { host, output }) {
    const text = await host.licenses();
    if (text === undefined) {
      throw new ChatError(
        'unavailable',
        'this chat runs from its sources, and its licenses are gathered when it is built: npm run build, then bin/chat licenses',
      );
    }
    await output.result({ licenses: text }, text.trimEnd());
    return exitOk;
  },
});
