import type { Connection, WireMessage } from '../../client/connection.ts';
import type { StartingPoint } from '../../client/follow.ts';
import { ChatError } from '../../core/errors.ts';
import { accountNoticeText } from '../account-notice.ts';
import type { CommandContext } from '../command.ts';
import type { PrivateReader } from '../private-reader.ts';
import type { Sealed, Sealer } from '../sealer.ts';
import type { PrivateMatches } from '../search-private.ts';
import { callTimeoutMs, type LoggedIn, openSession } from '../session.ts';
import { listConversations, listNames } from './chat-lists.ts';
import {
  addEarlier,
  addMessage,
  addNotice,
  addStored,
  type ChatState,
  type ConversationState,
  conversationOf,
  currentOf,
  cursorsOf,
  dropItem,
  fillGap,
  pendingOf,
  read,
} from './chat-state.ts';
import { NameList } from './name-list.ts';
import type { GapItem, Item } from './pane.ts';
import { type Outgoing, SendQueue, type StoredAnswer } from './send-queue.ts';

/** What a live chat needs. */
export interface LiveChatOptions {
  /** Its output is where talk goes while the chat runs; nobody is prompted. */
  readonly context: CommandContext;
  readonly state: ChatState;
  /** Seals private messages, and opens them. */
  readonly sealer: Pick<Sealer, 'use' | 'seal'>;
  readonly reader: Pick<PrivateReader, 'open'>;
  /** A connection that is logged in already. */
  readonly first: LoggedIn;
  /** So many messages of each conversation are fetched at first. */
  readonly firstMessages: number;
  readonly signal: AbortSignal;
  /** The state has changed. */
  readonly onChange: () => void;
  /** A message that is new here, but for those that were typed here. */
  readonly onMessage?: (message: WireMessage) => void;
  /** A message that is not to be sent, to be typed anew. */
  readonly onRefused: (message: Outgoing, why: ChatError) => void;
}

/** So many messages are fetched each time one scrolls up. */
const pageMessages = 100;
/** The server is told of what was read once in so many milliseconds. */
const markReadEveryMs = 1_000;

/** A chat that goes on over lost connections: keeps the state up to date, sends what was typed, and fetches what is older. */
export class LiveChat {
  readonly #options: LiveChatOptions;
  readonly #queue: SendQueue;
  readonly #pending = new Map<string, Item>();
  /** What was read and the server does not know yet: the seq, by conversation. */
  readonly #untold = new Map<string, number>();
  #first: LoggedIn | undefined;
  #connection: Connection | undefined;
  #markTimer: ReturnType<typeof setTimeout> | undefined;

  /** Nothing happens before {@link run}. */
  constructor(options: LiveChatOptions) {
    this.#options = options;
    this.#first = options.first;
    this.#queue = new SendQueue(
      {
        stored: (message, answer, sealed) => this.#onStored(message, answer, sealed),
        refused: (message, why) => this.#onRefused(message, why),
      },
      options.sealer.seal,
    );
    // What an earlier chat of the same state could not send.
    for (const { to, item } of pendingOf(options.state)) {
      this.#pending.set(item.key, item);
      this.#queue.add(to, item.text, item.key);
    }
  }

  /** How many typed messages the server has not answered. */
  get unsent(): number {
    return this.#queue.size;
  }

  /** Runs until the signal aborts; throws what no new connection cures, `unauthenticated` above all. */
  async run(): Promise<void> {
    const { state, signal, context, firstMessages } = this.#options;
    try {
      const messages = context.host.client.follow({
        open: (sessionEnd) => this.#open(sessionEnd),
        targets: [],
        from: { last: firstMessages },
        cursors: cursorsOf(state),
        signal,
        onState: (following) => {
          state.link =
            following.kind === 'following'
              ? { kind: 'online' }
              : {
                  kind: 'waiting',
                  why: following.cause.message,
                  until: context.host.now() + following.waitMs,
                };
          this.#changed();
        },
      });
      for await (const message of messages) {
        const opened = await this.#opened(message);
        if (!addMessage(state, opened)) continue;
        this.#options.onMessage?.(opened);
        this.#changed();
      }
    } finally {
      clearTimeout(this.#markTimer);
      this.#queue.close();
      await this.#first?.connection.close();
    }
  }

  /** Sends text to a conversation; it shows as on its way until it comes back. */
  send(to: string, text: string): void {
    const { state } = this.#options;
    const message = this.#queue.add(to, text);
    const item: Item = { kind: 'pending', text, sender: state.username, key: message.key };
    this.#pending.set(message.key, item);
    const conversation = conversationOf(state, to);
    conversation.items.push(item);
    conversation.anchor = undefined;
    this.#changed();
  }

  /** The connection there is; throws `unavailable` when there is none now. */
  get connection(): Connection {
    if (this.#connection === undefined)
      throw new ChatError('unavailable', 'not connected now; try again when it is back');
    return this.#connection;
  }

  /** True while there is one. */
  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** Fetches what is older than the first message of a conversation, once at a time. */
  async loadEarlier(conversation: ConversationState): Promise<void> {
    const { earlier } = conversation;
    if (conversation.isLoading || earlier === 0 || this.#connection === undefined) return;
    const after = Math.max(0, (earlier ?? 0) - pageMessages);
    const page =
      earlier === undefined
        ? { from: { last: pageMessages }, limit: pageMessages }
        : { from: { after }, limit: earlier - after };
    await this.#load(conversation, page, (messages) => addEarlier(conversation, messages));
  }

  /** Fetches a part of a gap, from the end at which one has come to it: `down` is the older one. */
  async loadGap(conversation: ConversationState, gap: GapItem, direction: 'up' | 'down'): Promise<void> {
    if (conversation.isLoading || this.#connection === undefined) return;
    const after = direction === 'down' ? gap.after : Math.max(gap.after, gap.before - 1 - pageMessages);
    const limit = Math.min(pageMessages, gap.before - 1 - after);
    await this.#load(conversation, { from: { after }, limit }, (messages) =>
      fillGap(conversation, gap, messages),
    );
  }

  async #load(
    conversation: ConversationState,
    page: { readonly from: StartingPoint; readonly limit: number },
    put: (messages: readonly WireMessage[]) => void,
  ): Promise<void> {
    const { connection } = this;
    conversation.isLoading = true;
    this.#changed();
    try {
      const messages: WireMessage[] = [];
      const { name: to } = conversation;
      const { client } = this.#options.context.host;
      for await (const message of client.history({ connection, to, ...page }))
        messages.push(await this.#opened(message));
      put(messages);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      await this.#options.context.output.note(`older messages did not come: ${error.message}`);
    } finally {
      conversation.isLoading = false;
      this.#changed();
    }
  }

  /** One's own encrypted messages that have these words, newest first, and what could not be looked into. */
  async searchPrivate(q: string): Promise<PrivateMatches> {
    const { context, state } = this.#options;
    const { searchPrivate } = await import('../search-private.ts');
    const session = { connection: this.connection, username: state.username };
    return await searchPrivate(context, session, { q });
  }

  /** A message as it is shown; one that could not be opened now is there, and says why. */
  async #opened(message: WireMessage): Promise<WireMessage> {
    try {
      return await this.#options.reader.open(message);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      return { ...message, unsealed: { kind: 'locked', why: error.message } };
    }
  }

  /** Takes what the current conversation shows for read, and tells the server now and then. */
  markRead(): void {
    const conversation = currentOf(this.#options.state);
    if (!read(conversation)) return;
    this.#untold.set(conversation.name, conversation.readSeq);
    this.#markTimer ??= setTimeout(() => void this.tellRead(), markReadEveryMs);
  }

  /** Tells the server at once what was read; what does not get there is told on the next connection. */
  async tellRead(timeoutMs = callTimeoutMs): Promise<void> {
    clearTimeout(this.#markTimer);
    this.#markTimer = undefined;
    const connection = this.#connection;
    if (connection === undefined) return;
    const tell = async ([to, seq]: [string, number]): Promise<void> => {
      try {
        await connection.call('conversation.mark-read', { to, seq }, { timeoutMs });
        if (this.#untold.get(to) === seq) this.#untold.delete(to);
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
      }
    };
    await Promise.all([...this.#untold].map(tell));
  }

  async #open(sessionEnd?: ChatError): Promise<Connection> {
    const { state, context } = this.#options;
    if (this.#first === undefined) {
      state.link = { kind: 'connecting' };
      this.#changed();
    }
    const { connection, username } = this.#first ?? (await openSession(context, callTimeoutMs, sessionEnd));
    this.#first = undefined;
    if (username !== state.username) {
      await connection.close();
      throw new ChatError('unauthenticated', `the saved login is ${username}'s now; start chat again`);
    }
    connection.onEvent((event) => {
      if (event.type === 'account-notice') {
        const text = accountNoticeText(event);
        if (text !== undefined) addNotice(currentOf(state), text, true);
        this.#changed();
      }
      if (event.type !== 'presence') return;
      if (event.online) state.online.add(event.user);
      else state.online.delete(event.user);
      state.people.add(event.user);
      this.#changed();
    });
    try {
      await listConversations(connection, state);
      this.#changed();
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#options.sealer.use({ connection, username });
    this.#connection = connection;
    void connection.closed.then(() => this.#onLost(connection));
    this.#queue.use(connection);
    void this.tellRead();
    // What fails with the connection is asked for again on the next one.
    listNames(connection, state, () => this.#changed()).catch((error: unknown) => {
      if (!(error instanceof ChatError)) throw error;
    });
    return connection;
  }

  #onLost(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#queue.use(undefined);
    this.#options.state.online = new NameList();
    this.#changed();
  }

  /** The event that brings it back comes a moment later: nothing is to flicker meanwhile. */
  #onStored(message: Outgoing, { id, seq, sent_at }: StoredAnswer, { protection }: Sealed): void {
    const { state } = this.#options;
    const conversation = conversationOf(state, message.to);
    this.#dropPending(conversation, message);
    const { to, text } = message;
    const unsealed = protection === undefined ? {} : { unsealed: { kind: protection } };
    addStored(state, { to, seq, id, sender: state.username, sent_at, text, ...unsealed });
    this.#changed();
  }

  #onRefused(message: Outgoing, why: ChatError): void {
    const { state, onRefused } = this.#options;
    const conversation = conversationOf(state, message.to);
    this.#dropPending(conversation, message);
    addNotice(conversation, `not sent: ${why.message}`, true);
    onRefused(message, why);
    this.#changed();
  }

  #dropPending(conversation: ConversationState, { key }: Outgoing): void {
    const item = this.#pending.get(key);
    this.#pending.delete(key);
    if (item !== undefined) dropItem(conversation, item);
  }

  #changed(): void {
    this.#options.onChange();
  }
}
