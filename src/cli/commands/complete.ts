import { command } from '../command.ts';
import { findCandidates } from '../completion/candidates.ts';
import { systemNames } from '../completion/names.ts';
import { findShell, shellNames } from '../completion/shells.ts';
import { exitOk } from '../exit-codes.ts';
import { usageError } from '../options.ts';

/** What the scripts of `chat completion` call at each Tab. */
export const complete = command({
  usage: ['complete SHELL -- WORDS…'],
  description:
    'Called by the scripts of chat completion: prints words or files in the first line, and behind words a line for each ' +
    'word that could stand where the cursor is.',
  options: {},
  operands: { min: 1, max: Number.POSITIVE_INFINITY, names: 'SHELL' },
  examples: [["chat complete fish -- room ''", 'the subcommands of chat room']],
  // Whoever presses Tab did not ask what is wrong with the settings.
  settings: 'with-problems',
  async run({ operands: [name = '', ...handed] }, context) {
    const shell = findShell(name);
    if (shell === undefined)
      throw usageError(`chat complete takes ${shellNames.join(', ')}, not ${JSON.stringify(name)}`);
    const names = systemNames(context);
    try {
      const found = await findCandidates(shell.typedWords(handed), context.commands, names);
      const lines = found.kind === 'files' ? [] : shell.spell(found, handed);
      await context.host.stdout.write(`${[found.kind, ...lines].join('\n')}\n`);
    } finally {
      names.close();
    }
    return exitOk;
  },
});
