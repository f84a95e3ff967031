import type { ChatState } from './chat-state.ts';
import { type EditedLine, lastWordStart } from './line-editor.ts';
import { findSlashCommand, type Operand, slashCommands } from './slash-commands.ts';

/** What the word before the cursor may become. */
export interface Completion {
  readonly line: EditedLine;
  /** More than one when the word is not settled yet. */
  readonly candidates: readonly string[];
}

const byName = (names: Iterable<string>): string[] => [...names].sort();
const peopleOf = (state: ChatState): string[] => byName(state.people);

function operandsOf(state: ChatState, takes: Operand, word: string): readonly string[] {
  switch (takes) {
    case 'room':
      return byName(state.rooms).map((room) => (word.startsWith('#') ? room : room.slice(1)));
    case 'user':
      return peopleOf(state).map((name) => (word.startsWith('@') ? `@${name}` : name));
    case 'conversation':
      return [...state.conversations.map(({ name }) => name), ...peopleOf(state).map((name) => `@${name}`)];
    case 'command':
    case 'none':
      return [];
  }
}

/** All words that could stand where `word` is being typed behind `before`. */
function wordsAt(state: ChatState, before: string, word: string): readonly string[] {
  if (before === '' && word.startsWith('/')) return slashCommands.map(({ name }) => `/${name}`);
  const [, command] = /^\/(\S+)\s+$/.exec(before) ?? [];
  if (command !== undefined) return operandsOf(state, findSlashCommand(command)?.takes ?? 'none', word);
  if (word.startsWith('#')) return byName(state.rooms);
  if (word.startsWith('@')) return peopleOf(state).map((name) => `@${name}`);
  return peopleOf(state);
}

function commonStart(words: readonly string[]): string {
  const [first = '', ...others] = words;
  let length = first.length;
  for (const other of others) {
    while (!other.startsWith(first.slice(0, length))) length -= 1;
  }
  return first.slice(0, length);
}

/** Completes the word before the cursor as far as it is settled; undefined when nothing fits. */
export function complete(state: ChatState, line: EditedLine): Completion | undefined {
  const start = lastWordStart(line);
  const word = line.text.slice(start, line.cursor);
  const before = line.text.slice(0, start);
  const isOperand = /^\/\S+\s+$/.test(before);
  // An empty word in the middle of a message could be anybody.
  if (word === '' && !isOperand) return undefined;
  const known = new Set(wordsAt(state, before, word));
  const candidates = [...known].filter((candidate) => candidate.startsWith(word.toLowerCase()));
  if (candidates.length === 0) return undefined;
  const settled = candidates.length === 1 ? `${candidates[0]} ` : commonStart(candidates);
  const text = before + settled;
  return { line: { text: text + line.text.slice(line.cursor), cursor: text.length }, candidates };
}
