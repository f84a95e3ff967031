import { describedLine, type Shell } from './shell.ts';
import { splitShellWords } from './shell-words.ts';

/** fish hands over words without their quotes but the last, where one may be open; it fits and quotes by itself, whole words only. */
export const fish: Shell = {
  // One condition asks once: when it does not hold, fish completes files as it does everywhere.
  script: `# Completes the words of chat in fish; made by: chat completion fish
function __chat_asks --description 'Asks chat what could stand at the cursor; fails for a file'
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l program $typed[1]
    if string match -q '~/*' -- $program
        set program $HOME/(string sub -s 3 -- $program)
    else if not string match -q '*/*' -- $program
        set program chat
    end
    set -e typed[1]
    set -e __chat_words
    # An unknown command is told on stderr past any redirection.
    type -q $program; or return 0
    set -l lines ($program complete fish -- $typed "$current" </dev/null 2>/dev/null)
    set -g __chat_words $lines[2..-1]
    test "$lines[1]" != files
end
complete -c chat -n __chat_asks -f -k -a '$__chat_words'
`,
  typedWords: (handed) => [...handed.slice(0, -1), splitShellWords(handed.at(-1) ?? '').words.at(-1) ?? ''],
  spell: ({ lead, words }) => words.map(({ word, describe }) => describedLine(lead + word, describe)),
};
