import type { WireMessage } from '../../client/connection.ts';
import { ChatError } from '../../core/errors.ts';
import { escapeForTerminal } from '../escape.ts';
import type { Host } from '../host.ts';
import { looksPrivate, markedText } from '../message-text.ts';
import { type ChatState, type Link, unreadOf } from './chat-state.ts';
import type { LiveChat } from './live-chat.ts';
import { clockTime } from './pane.ts';
import { submit } from './slash-commands.ts';
import { typedLines } from './typed-lines.ts';

/** What a chat without redrawing needs. */
export interface PlainChatOptions {
  readonly host: Host;
  readonly state: ChatState;
  readonly onQuit: () => void;
  /** The input has ended. */
  readonly onEnd: () => void;
}

/**
 * A chat that only ever writes lines below one another, for screen readers and simple terminals: what is said, and what
 * happens, in the order in which it does. The terminal itself edits the line that is typed.
 */
export class PlainChat {
  readonly #options: PlainChatOptions;
  #shownIn: string | undefined;
  #link: Link['kind'] | undefined;

  /** Nothing is written before {@link run}, {@link message} or {@link changed}. */
  constructor(options: PlainChatOptions) {
    this.#options = options;
  }

  /** Writes lines of talk. */
  say(text: string): void {
    for (const line of text.split('\n')) this.#write(`* ${escapeForTerminal(line)}`);
  }

  /** Writes a message, with its conversation when that is not the current one, or it could be taken for a private one. */
  message(message: WireMessage): void {
    const { to, sender, sent_at } = message;
    const isPlain = to === this.#options.state.current && !looksPrivate(message, 'chat');
    const where = isPlain ? '' : `${to} `;
    this.#write(
      `${clockTime(sent_at)} ${where}${escapeForTerminal(sender)}: ${escapeForTerminal(markedText(message))}`,
    );
  }

  /** Says what has changed about the connection and the current conversation. */
  changed(): void {
    const { state } = this.#options;
    const { kind } = state.link;
    if (kind !== this.#link && kind !== 'connecting') {
      const isFirst = this.#link === undefined;
      this.#link = kind;
      if (state.link.kind === 'waiting') this.say(`not connected: ${state.link.why}; trying again`);
      else if (!isFirst) this.say('connected again');
    }
    if (this.#shownIn === state.current) return;
    this.#shownIn = state.current;
    this.say(`you are in ${state.current}`);
  }

  /** Reads lines until the end of input, and does what they say. */
  async run(live: LiveChat): Promise<void> {
    const { host, state, onQuit, onEnd } = this.#options;
    this.say(`${state.username} on ${state.server}; /help lists the commands, /quit or Ctrl-D leaves`);
    for (const conversation of state.conversations) {
      const unread = unreadOf(conversation);
      if (unread > 0) this.say(`${unread} not read in ${conversation.name}`);
    }
    this.changed();
    for await (const typed of typedLines(host.stdin.bytes())) {
      if (typed.kind === 'line' && typed.text.trim() === '') continue;
      try {
        if (typed.kind === 'refused') throw typed.why;
        await submit(typed.text, { state, live, say: (said) => this.say(said), quit: onQuit });
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
        this.say(`error: ${error.message}`);
      }
      this.changed();
      live.markRead();
    }
    onEnd();
  }

  #write(line: string): void {
    // A reader that has gone ends the chat by its own way.
    void this.#options.host.stdout.write(`${line}\n`)?.catch(() => {});
  }
}
