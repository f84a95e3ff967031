import { describedLine, type Shell } from './shell.ts';

/** zsh hands over words without their quotes; it fits, quotes and describes by itself, in the person's own style. */
export const zsh: Shell = {
  // As a file in fpath it is loaded at the first Tab, and its body is the function's first run.
  script: `#compdef chat
# Completes the words of chat in zsh; made by: chat completion zsh
_chat() {
  local program=\${(Q)words[1]} line kind
  local -a lines found
  if [[ $program == '~/'* ]]; then
    program=$HOME/\${program[3,-1]}
  elif [[ $program != */* ]]; then
    program=chat
  fi
  lines=("\${(@f)$("$program" complete zsh -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" </dev/null 2>/dev/null)}")
  kind=$lines[1]
  [[ $PREFIX == -*=* ]] && compset -P 1 '*='
  if [[ $kind == files ]]; then
    _files
    return
  fi
  for line in "\${(@)lines[2,-1]}"; do
    # In the form of _describe a colon ends the word.
    found+=("\${\${line%%$'\\t'*}//:/\\\\:}\${\${(M)line%%$'\\t'*}/$'\\t'/:}")
  done
  _describe -V chat found
}
if [[ $funcstack[1] == _chat ]]; then
  _chat "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
  compdef _chat chat
fi
`,
  typedWords: (handed) => handed,
  spell: ({ words }) => words.map(({ word, describe }) => describedLine(word, describe)),
};
