import { checkText } from '../../client/check-text.ts';
import { ChatError } from '../../core/errors.ts';
import { maxTextBytes } from '../../core/policy.ts';
import type { Terminal } from '../terminal.ts';
import { dropTrailingNewline } from '../text-input.ts';
import {
  addNotice,
  type ChatState,
  type ConversationState,
  currentOf,
  show,
  type Turn,
  turnTo,
} from './chat-state.ts';
import { complete } from './completion.ts';
import { type Key, KeyReader } from './keys.ts';
import {
  type Edit,
  type EditName,
  edits,
  emptyLine,
  insert,
  lineOf,
  moveRow,
  recall,
  remember,
} from './line-editor.ts';
import type { LiveChat } from './live-chat.ts';
import { type Anchor, type GapItem, type Item, scroll, viewPane } from './pane.ts';
import { type Painter, Screen } from './screen.ts';
import { inputRowsOf, layOutScreen, paneSize } from './screen-layout.ts';
import { lineFor, submit, turnsElsewhere } from './slash-commands.ts';

/** What a full screen needs. */
export interface FullScreenOptions {
  readonly terminal: Terminal;
  readonly paint: Painter;
  readonly state: ChatState;
  readonly live: LiveChat;
  /** UTC milliseconds. */
  readonly now: () => number;
  /** The person asked to leave. */
  readonly onQuit: () => void;
  /** The terminal has gone away. */
  readonly onGone: () => void;
}

/** A paste may end with a newline, which is not sent. */
const trailingNewlineBytes = 2;
/** At most so many pictures a second, in milliseconds between two: more is not seen. */
const frameMs = 33;
/** A second Ctrl-C within this time leaves, in milliseconds. */
const secondCtrlCMs = 2_000;
/** While a next try is counted down, or the hour changes. */
const tickMs = 1_000;

const editKeys: Readonly<Record<string, EditName>> = {
  left: 'left',
  right: 'right',
  'ctrl-b': 'left',
  'ctrl-f': 'right',
  'alt-b': 'word-left',
  'alt-f': 'word-right',
  'ctrl-left': 'word-left',
  'ctrl-right': 'word-right',
  'alt-left': 'word-left',
  'alt-right': 'word-right',
  home: 'start',
  end: 'end',
  'ctrl-a': 'start',
  'ctrl-e': 'end',
  backspace: 'delete-left',
  'ctrl-h': 'delete-left',
  'shift-backspace': 'delete-left',
  delete: 'delete-right',
  'ctrl-w': 'delete-word-left',
  'alt-backspace': 'delete-word-left',
  'ctrl-backspace': 'delete-word-left',
  'alt-d': 'delete-word-right',
  'ctrl-u': 'delete-to-start',
  'ctrl-k': 'delete-to-end',
};

const turnKeys: Readonly<Record<string, Turn>> = {
  'ctrl-n': 'next',
  'ctrl-p': 'previous',
  'alt-down': 'next',
  'alt-up': 'previous',
  'alt-a': 'unread',
  ...Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`alt-${index + 1}`, index + 1])),
};

/** Where one stays until what comes next is here. */
function anchorBefore(items: readonly Item[], gap: GapItem): Anchor | undefined {
  const item = items[items.indexOf(gap) - 1];
  return item === undefined ? undefined : { item, hidden: 0 };
}

/** A chat on the whole screen: draws the state when it changes, and does what keys ask for. */
export class FullScreen {
  readonly #options: FullScreenOptions;
  readonly #screen: Screen;
  readonly #keys: KeyReader;
  readonly #undo: (() => void)[];
  readonly #ticker: ReturnType<typeof setInterval>;
  /** What was typed after a command that leads elsewhere and is not done yet, by the conversation that it was typed in. */
  readonly #turning = new Map<ConversationState, string[]>();
  #drawTimer: ReturnType<typeof setTimeout> | undefined;
  #drawnAt = 0;
  #ctrlCAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  /** Takes over the terminal until {@link close}. */
  constructor(options: FullScreenOptions) {
    const { terminal, paint } = options;
    this.#options = options;
    this.#screen = new Screen(terminal, paint);
    this.#keys = new KeyReader((key) => this.#onKey(key));
    this.#undo = [
      terminal.onInput((bytes) => this.#keys.write(bytes)),
      terminal.onResize(() => {
        this.#screen.forget();
        this.#drawNow();
      }),
      terminal.onGone(options.onGone),
    ];
    this.#ticker = setInterval(() => {
      if (options.state.link.kind === 'waiting') this.changed();
    }, tickMs);
    this.#drawNow();
  }

  /** The state has changed: it is drawn soon, however often this is called. */
  changed(): void {
    if (this.#isClosed) return;
    const waitMs = Math.max(0, this.#drawnAt + frameMs - performance.now());
    this.#drawTimer ??= setTimeout(() => this.#drawNow(), waitMs);
  }

  /** Puts a text that was not sent back where it is typed, unless something else is there by now. */
  putBack(to: string, text: string): void {
    const conversation = this.#options.state.conversations.find(({ name }) => name === to);
    if (conversation?.line.text === '') conversation.line = lineOf(lineFor(to, text));
    this.changed();
  }

  /** Gives the terminal back. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#drawTimer);
    clearInterval(this.#ticker);
    for (const undo of this.#undo) undo();
    this.#keys.close();
    this.#screen.close();
  }

  #drawNow(): void {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = undefined;
    if (this.#isClosed) return;
    const { terminal, state, live, now } = this.#options;
    this.#drawnAt = performance.now();
    // A terminal that cannot keep up gets the latest picture, not all of them.
    if (terminal.isBehind) {
      this.changed();
      return;
    }
    live.markRead();
    this.#screen.draw(layOutScreen(state, this.#size(), now()));
  }

  #size() {
    const { columns, rows } = this.#options.terminal;
    return { columns, rows };
  }

  #onKey(key: Key): void {
    if (this.#isClosed) return;
    const { state } = this.#options;
    state.hint = undefined;
    if (key.kind === 'named') this.#onNamed(key.name);
    else this.#type(key.text);
    this.changed();
  }

  #onNamed(name: string): void {
    const edit = editKeys[name];
    if (edit !== undefined) {
      this.#edit(edits[edit]);
      return;
    }
    const turn = turnKeys[name];
    if (turn !== undefined) {
      const { state } = this.#options;
      show(state, turnTo(state, turn));
      return;
    }
    switch (name) {
      case 'enter':
        this.#submit();
        break;
      case 'line-break':
      case 'alt-enter':
        this.#edit(insert('\n'));
        break;
      case 'tab':
        this.#complete();
        break;
      case 'up':
        this.#vertical(-1);
        break;
      case 'down':
        this.#vertical(1);
        break;
      case 'page-up':
        this.#scroll(-1);
        break;
      case 'page-down':
        this.#scroll(1);
        break;
      case 'ctrl-c':
        this.#interrupt();
        break;
      case 'ctrl-d':
        if (currentOf(this.#options.state).line.text === '') this.#options.onQuit();
        else this.#edit(edits['delete-right']);
        break;
      case 'ctrl-l':
        this.#screen.forget();
        break;
      case 'ctrl-z':
        this.#options.terminal.suspend();
        break;
    }
  }

  #edit(edit: Edit): void {
    const conversation = currentOf(this.#options.state);
    conversation.line = edit(conversation.line);
  }

  /** More than a message may have is not taken: laying it out at every key would take seconds. */
  #type(text: string): void {
    const { state } = this.#options;
    const bytes = Buffer.byteLength(currentOf(state).line.text) + Buffer.byteLength(text);
    if (bytes <= maxTextBytes + trailingNewlineBytes) this.#edit(insert(text));
    else state.hint = `not taken: a message has at most ${maxTextBytes} bytes`;
  }

  #submit(): void {
    const conversation = currentOf(this.#options.state);
    const typed = conversation.line;
    const text = dropTrailingNewline(typed.text);
    if (text.trim() === '') return;
    conversation.line = emptyLine;
    conversation.anchor = undefined;
    const waiting = this.#turning.get(conversation);
    if (waiting === undefined) void this.#do(text, conversation, typed);
    else waiting.push(text);
  }

  async #do(text: string, conversation: ConversationState, typed = lineOf(text)): Promise<void> {
    const { state, live, onQuit } = this.#options;
    const say = (said: string, isError = false): void => {
      addNotice(currentOf(state), said, isError);
      this.changed();
    };
    const waiting: string[] = [];
    const isTurning = turnsElsewhere(text);
    if (isTurning) this.#turning.set(conversation, waiting);
    try {
      checkText('the message', text);
      await submit(text, { state, live, say, quit: onQuit });
      this.#turning.delete(conversation);
      state.history = remember(state.history, text);
      const shown = currentOf(state);
      if (isTurning && shown !== conversation) this.#arrive(shown, conversation);
      this.#doAll(waiting, shown);
    } catch (error) {
      this.#turning.delete(conversation);
      if (!(error instanceof ChatError)) throw error;
      const unsent = waiting.join('\n');
      say(unsent === '' ? error.message : `${error.message}; what was typed after it is not sent`, true);
      // What could not be done can be mended and tried again; the arrow keys bring it back when other typing has begun.
      const back = unsent === '' ? typed : lineOf(unsent);
      if (unsent !== '') state.history = remember(state.history, text);
      if (conversation.line.text === '') conversation.line = back;
      else state.history = remember(state.history, back.text);
    }
    this.changed();
  }

  /** Turned to another conversation by a command: what was typed since was meant for there. */
  #arrive(shown: ConversationState, from: ConversationState): void {
    if (shown.line.text === '') {
      shown.line = from.line;
      from.line = emptyLine;
    }
    // It may be one of which nothing is here.
    if (shown.earlier === undefined) void this.#options.live.loadEarlier(shown);
  }

  /** Does one after another, those behind a command that leads elsewhere when it is done. */
  #doAll(lines: readonly string[], conversation: ConversationState): void {
    for (const line of lines) {
      const waiting = this.#turning.get(conversation);
      if (waiting === undefined) void this.#do(line, conversation);
      else waiting.push(line);
    }
  }

  #complete(): void {
    const { state } = this.#options;
    const conversation = currentOf(state);
    const completed = complete(state, conversation.line);
    if (completed === undefined) return;
    if (completed.line.text === conversation.line.text) state.hint = completed.candidates.join(' ');
    conversation.line = completed.line;
  }

  #vertical(direction: -1 | 1): void {
    const { state } = this.#options;
    const conversation = currentOf(state);
    const moved = moveRow(conversation.line, direction);
    if (moved !== undefined) {
      conversation.line = moved;
      return;
    }
    const recalled = recall(state.history, conversation.line, direction);
    if (recalled === undefined) return;
    conversation.line = recalled.line;
    state.history = recalled.history;
  }

  #scroll(direction: -1 | 1): void {
    const { state, live } = this.#options;
    const conversation = currentOf(state);
    const size = this.#size();
    const pane = paneSize(size, inputRowsOf(conversation, size));
    const by = direction * Math.max(1, pane.height - 1);
    conversation.anchor = scroll(conversation.items, conversation.anchor, by, pane);
    const { isAtTop, gap } = viewPane(conversation.items, conversation.anchor, pane);
    if (gap !== undefined) {
      if (direction > 0 && live.isConnected) conversation.anchor = anchorBefore(conversation.items, gap);
      void live.loadGap(conversation, gap, direction < 0 ? 'up' : 'down');
    } else if (direction < 0 && isAtTop) void live.loadEarlier(conversation);
  }

  #interrupt(): void {
    const { state, now, onQuit } = this.#options;
    const conversation = currentOf(state);
    if (conversation.line.text !== '') {
      state.history = remember(state.history, conversation.line.text);
      conversation.line = emptyLine;
      return;
    }
    if (now() - this.#ctrlCAt < secondCtrlCMs) {
      onQuit();
      return;
    }
    this.#ctrlCAt = now();
    state.hint = 'Ctrl-C again, Ctrl-D or /quit leaves';
  }
}
