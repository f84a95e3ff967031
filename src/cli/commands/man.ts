import { command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';

/** Prints the manual page. */
export const man = command({
  usage: ['man'],
  description:
    'Prints the manual page chat(1), as man reads it: every command with its flags and examples, exit codes, variables and files. ' +
    'It is made from the commands of this program.',
  options: {},
  operands: noOperands,
  examples: [
    ['chat man | man -l -', 'reads it'],
    ['chat man | sudo tee /usr/local/share/man/man1/chat.1 >/dev/null', 'keeps it: then man chat'],
  ],
  // Whoever wants to read how settings are written may have some that do not fit.
  settings: 'with-problems',
  async run(_args, { commands, host, output }) {
    const { manualPage } = await import('../man/page.ts');
    const page = await manualPage(commands, await host.version());
    await output.result({ name: 'chat.1', page }, page.trimEnd());
    return exitOk;
  },
});
