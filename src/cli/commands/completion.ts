import { command } from '../command.ts';
import { findShell, shellNames } from '../completion/shells.ts';
import { exitOk } from '../exit-codes.ts';
import { usageError } from '../options.ts';

/** Prints the script with which a shell completes the words of `chat`. */
export const completion = command({
  usage: [`completion ${shellNames.join('|')}`],
  description:
    'Prints a script with which the shell completes, at Tab, commands, flags and their values, contexts, rooms and users. ' +
    'Names come from the server that is in use when somebody is logged in there, within a second and otherwise not at all. ' +
    'In zsh the line stands after compinit. Each script may also be kept where its shell loads it when it is needed: ' +
    '~/.local/share/bash-completion/completions/chat, _chat in a directory of fpath, ~/.config/fish/completions/chat.fish.',
  options: {},
  operands: { min: 1, max: 1, names: shellNames.join(', '), complete: [shellNames] },
  examples: [
    ['source <(chat completion bash)', 'as a line of ~/.bashrc'],
    ['source <(chat completion zsh)', 'as a line of ~/.zshrc'],
    ['chat completion fish | source', 'as a line of ~/.config/fish/config.fish'],
  ],
  async run({ operands: [name = ''] }, { output }) {
    const shell = findShell(name);
    if (shell === undefined)
      throw usageError(`chat completion takes ${shellNames.join(', ')}, not ${JSON.stringify(name)}`);
    await output.result({ shell: name, script: shell.script }, shell.script.trimEnd());
    return exitOk;
  },
});
