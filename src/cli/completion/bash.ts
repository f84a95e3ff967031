import type { Shell } from './shell.ts';
import { quoteForBash, splitShellWords } from './shell-words.ts';

/**
 * bash gives the line as it was typed, and replaces only what readline takes for the word: what stands behind an open
 * quote, or behind the last `=`, `:` or `@`, as COMP_WORDBREAKS has it. It fits and quotes nothing by itself.
 */
export const bash: Shell = {
  // $2 is what will be replaced; only the line tells what stands before it. Old versions have neither mapfile nor compopt.
  script: `# Completes the words of chat in bash; made by: chat completion bash
_chat_complete() {
  local program=$1 kind= word=
  COMPREPLY=()
  if [[ $program == "~/"* ]]; then
    program=$HOME/\${program:2}
  elif [[ $program != */* ]]; then
    program=chat
  fi
  {
    IFS= read -r kind
    while IFS= read -r word; do
      COMPREPLY+=("$word")
    done
  } < <("$program" complete bash -- "$2" "\${COMP_LINE:0:COMP_POINT}" </dev/null 2>/dev/null)
  if [[ $kind == files ]]; then
    compopt -o default 2>/dev/null
  fi
  return 0
}
complete -F _chat_complete chat
`,
  typedWords: ([, line = '']) => splitShellWords(line).words.slice(1),
  spell({ lead, words }, [replaced = '', line = '']) {
    const { words: typedWords, quote } = splitShellWords(line);
    const typed = typedWords.at(-1) ?? '';
    const tail = splitShellWords(replaced).words.at(-1) ?? '';
    const kept = typed.endsWith(tail) ? typed.length - tail.length : 0;
    return words
      .map(({ word }) => lead + word)
      .filter((word) => word.startsWith(typed))
      .map((word) => quoteForBash(word.slice(kept), quote));
  },
};
