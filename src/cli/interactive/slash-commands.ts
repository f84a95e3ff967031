import { passes } from '../../client/backoff.ts';
import type { WireMessage } from '../../client/connection.ts';
import { pages } from '../../client/pages.ts';
import { searchPage } from '../../client/search.ts';
import { ChatError } from '../../core/errors.ts';
import {
  conversationName,
  parseConversationName,
  parseRoomName,
} from '../../core/model/conversation-name.ts';
import { parseUsername } from '../../core/model/username.ts';
import { didYouMean } from '../did-you-mean.ts';
import { messageLine } from '../message-text.ts';
import { callTimeoutMs } from '../session.ts';
import {
  addNotice,
  type ChatState,
  close,
  conversationOf,
  currentOf,
  pendingOf,
  show,
  turnTo,
} from './chat-state.ts';
import type { LiveChat } from './live-chat.ts';

/** What a `/` command may do. */
export interface SlashContext {
  readonly state: ChatState;
  readonly live: Pick<LiveChat, 'send' | 'connection' | 'searchPrivate'>;
  /** Says something in the current conversation, here only. */
  say(text: string): void;
  /** Ends the chat. */
  quit(): void;
}

/** What a `/` command takes, for completion. */
export type Operand = 'room' | 'user' | 'conversation' | 'command' | 'none';

/** One `/` command. */
export interface SlashCommand {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly usage: string;
  readonly summary: string;
  readonly takes: Operand;
  /** True when it leads to another conversation, as soon as the server has answered. */
  readonly turns?: boolean;
  /** Throws {@link ChatError} for what cannot be done. */
  run(rest: string, context: SlashContext): Promise<void> | void;
}

const options = { timeoutMs: callTimeoutMs };

function usageError(text: string): ChatError {
  return new ChatError('invalid', text);
}

/** One word, which must be there and alone. */
function oneWord(rest: string, usage: string): string {
  const words = rest.trim().split(/\s+/);
  const word = words[0] ?? '';
  if (words.length !== 1 || word === '') throw usageError(`usage: ${usage}`);
  return word;
}

/** `ops` and `#ops` name one room. */
const roomFrom = (word: string): string =>
  conversationName({ kind: 'room', room: parseRoomName(word, 'ROOM') });

/** Refuses somebody who is not there before anything is opened or said; what cannot be found out now is left to the sending. */
async function checkUser(name: string, { state, live }: SlashContext): Promise<void> {
  const isKnown = state.people.has(name.slice(1));
  if (isKnown || state.conversations.some((conversation) => conversation.name === name)) return;
  try {
    await live.connection.call('message.history', { to: name, limit: 1, newest: true }, options);
  } catch (error) {
    if (!passes(error)) throw error;
  }
}

/** What is on its way would be lost with its conversation, if it could not be sent. */
function checkAllSent(state: ChatState, name: string): void {
  if (pendingOf(state).some(({ to }) => to === name))
    throw usageError(`not everything in ${name} is sent yet; it can be put away when it is`);
}

const join: SlashCommand = {
  name: 'join',
  usage: '/join ROOM',
  summary: 'join a room; one that is not there is made',
  takes: 'room',
  turns: true,
  async run(rest, { state, live, say }) {
    const name = roomFrom(oneWord(rest, this.usage));
    let isNew = false;
    try {
      await live.connection.call('room.join', { room: name }, options);
    } catch (error) {
      if (!(error instanceof ChatError) || error.code !== 'not-found') throw error;
      await live.connection.call('room.create', { room: name }, options);
      isNew = true;
    }
    state.rooms.add(name);
    conversationOf(state, name);
    show(state, name);
    if (isNew) say(`${name} is new; you are in it`);
  },
};

const leave: SlashCommand = {
  name: 'leave',
  aliases: ['part'],
  usage: '/leave [ROOM]',
  summary: 'leave this room, or another',
  takes: 'room',
  turns: true,
  async run(rest, { state, live }) {
    const name = rest.trim() === '' ? state.current : roomFrom(oneWord(rest, this.usage));
    if (name.startsWith('@')) throw usageError('a private conversation is put away with /close');
    checkAllSent(state, name);
    await live.connection.call('room.leave', { room: name }, options);
    close(state, name);
  },
};

const closeTab: SlashCommand = {
  name: 'close',
  usage: '/close',
  summary: 'put a private conversation away',
  takes: 'none',
  turns: true,
  run(_rest, { state }) {
    if (!state.current.startsWith('@')) throw usageError('a room is left with /leave');
    checkAllSent(state, state.current);
    close(state, state.current);
  },
};

const go: SlashCommand = {
  name: 'go',
  aliases: ['switch'],
  usage: '/go WHERE',
  summary: 'turn to #room, @user or the number of a tab',
  takes: 'conversation',
  turns: true,
  async run(rest, context) {
    const { state } = context;
    const word = oneWord(rest, this.usage);
    if (/^\d+$/.test(word)) {
      if (state.conversations[Number(word) - 1] === undefined) throw usageError(`there is no tab ${word}`);
      show(state, turnTo(state, Number(word)));
      return;
    }
    const name = conversationName(parseConversationName(word));
    const isHere = state.conversations.some((conversation) => conversation.name === name);
    if (!isHere && name.startsWith('#'))
      throw usageError(`you are not in ${name}; join it with /join ${name}`);
    if (name.startsWith('@')) await checkUser(name, context);
    conversationOf(state, name);
    show(state, name);
  },
};

const msg: SlashCommand = {
  name: 'msg',
  aliases: ['query'],
  usage: '/msg USER [TEXT]',
  summary: 'talk to somebody privately',
  takes: 'user',
  turns: true,
  async run(rest, context) {
    const { state, live } = context;
    const [, word = '', text = ''] = /^\s*(\S*)\s*([\s\S]*)$/.exec(rest) ?? [];
    if (word === '') throw usageError(`usage: ${this.usage}`);
    const name = `@${parseUsername(word.replace(/^@/, ''), 'USER')}`;
    await checkUser(name, context);
    conversationOf(state, name);
    show(state, name);
    if (text !== '') live.send(name, text);
  },
};

const users: SlashCommand = {
  name: 'users',
  aliases: ['who'],
  usage: '/users',
  summary: 'who is online',
  takes: 'none',
  run(_rest, { state, say }) {
    if (state.online.size === 0)
      throw new ChatError('unavailable', 'who is online is not known now; try again when connected');
    say(`${state.online.size} online: ${state.online.sorted.join(' ')}`);
  },
};

const rooms: SlashCommand = {
  name: 'rooms',
  usage: '/rooms',
  summary: 'all rooms and how many are in them; * is yours',
  takes: 'none',
  async run(_rest, { live, say }) {
    const lines: string[] = [];
    const { connection } = live;
    for await (const page of pages((after) => connection.call('room.list', { ...after }, options))) {
      for (const { room, members, member } of page.rooms)
        lines.push(`${member ? '*' : ' '} ${room} (${members})`);
    }
    say(lines.join('\n'));
  },
};

const members: SlashCommand = {
  name: 'members',
  usage: '/members [ROOM]',
  summary: 'who is in this room, or in another',
  takes: 'room',
  async run(rest, { state, live, say }) {
    const room = rest.trim() === '' ? state.current : roomFrom(oneWord(rest, this.usage));
    if (room.startsWith('@')) throw usageError('a private conversation has two members; name a room');
    const names: string[] = [];
    const { connection } = live;
    for await (const page of pages((after) => connection.call('room.members', { room, ...after }, options))) {
      for (const { username } of page.members) names.push(username);
    }
    say(`${names.length} in ${room}: ${names.join(' ')}`);
  },
};

/** A screen has room for about so many. */
const shownMatches = 15;

const search: SlashCommand = {
  name: 'search',
  usage: '/search WORDS',
  summary: 'messages that have these words',
  takes: 'none',
  async run(rest, { state, live, say }) {
    if (rest.trim() === '') throw usageError(`usage: ${this.usage}`);
    const page = await searchPage(live.connection, { q: rest, limit: shownMatches }, options);
    const line = { reader: state.username, several: true, paint: { name: same, faint: same, error: same } };
    const hidden = await live.searchPrivate(rest);
    const found = [...page.messages.toReversed(), ...hidden.messages.toReversed()].sort(byTime);
    // The newest at the bottom, as everything here.
    const lines = found.slice(-shownMatches).map((message) => messageLine(message, line));
    if (page.next !== undefined || found.length > shownMatches) lines.unshift('… the newest of more:');
    lines.push(...hidden.notes);
    if (!page.isComplete) lines.push('not everything is indexed yet: there may be more');
    say(found.length === 0 ? ['nothing found', ...lines].join('\n') : lines.join('\n'));
  },
};

const same = (text: string): string => text;

/** The oldest first. */
function byTime(one: WireMessage, other: WireMessage): number {
  return Date.parse(one.sent_at) - Date.parse(other.sent_at);
}

const whoami: SlashCommand = {
  name: 'whoami',
  usage: '/whoami',
  summary: 'who you are, and on which server',
  takes: 'none',
  run(_rest, { state, say }) {
    say(`${state.username} on ${state.server}`);
  },
};

const help: SlashCommand = {
  name: 'help',
  aliases: ['?'],
  usage: '/help',
  summary: 'this list',
  takes: 'none',
  run(_rest, { say }) {
    const width = Math.max(...slashCommands.map(({ usage }) => usage.length));
    const lines = slashCommands.map(({ usage, summary }) => `${usage.padEnd(width)}  ${summary}`);
    say([...lines, ...helpOnKeys].join('\n'));
  },
};

const helpOnKeys = [
  '@sam TEXT is private to sam; //TEXT begins with a slash',
  'Tab completes   Alt-Enter or Ctrl-J: new line   Ctrl-D: leave',
  'Ctrl-N, Ctrl-P: next, previous   Alt-1…9: that tab   Alt-A: unread',
  'PgUp, PgDn: scroll   Up, Down: sent before   Ctrl-L: draw anew',
];

const quit: SlashCommand = {
  name: 'quit',
  aliases: ['exit'],
  usage: '/quit',
  summary: 'leave; you stay logged in',
  takes: 'none',
  run(_rest, { quit: end }) {
    end();
  },
};

/** All `/` commands in the order of `/help`. */
export const slashCommands: readonly SlashCommand[] = [
  help,
  join,
  leave,
  go,
  msg,
  closeTab,
  users,
  rooms,
  members,
  search,
  whoami,
  quit,
];

/** The command of that name or alias. */
export function findSlashCommand(name: string): SlashCommand | undefined {
  return slashCommands.find((command) => command.name === name || command.aliases?.includes(name));
}

/** The line that sends `text` to `to` from the conversation `to`, when that was refused and is to be tried again. */
export function lineFor(to: string, text: string): string {
  if (text.startsWith('/')) return `/${text}`;
  // It would go to somebody else.
  return /^@\S+\s/.test(text) ? `/msg ${to.slice(1)} ${text}` : text;
}

const commandLine = /^\/([^\s/]*)(?:\s+([\s\S]*))?$/;

/** True for a command after which one may be in another conversation. */
export function turnsElsewhere(line: string): boolean {
  const [, name] = commandLine.exec(line) ?? [];
  return name !== undefined && findSlashCommand(name)?.turns === true;
}

/**
 * Does what a line asks for: `/command`, `@user text` privately, `//text` and all else as a message to the current
 * conversation. Throws {@link ChatError} with what is wrong; nothing was sent then.
 */
export async function submit(line: string, context: SlashContext): Promise<void> {
  const { state, live } = context;
  const [, name, rest = ''] = commandLine.exec(line) ?? [];
  if (name !== undefined) {
    const found = findSlashCommand(name);
    if (found === undefined) throw usageError(unknownCommand(name));
    await found.run(rest, context);
    return;
  }
  const [, user, privately] = /^@(\S+)\s+([\s\S]+)$/.exec(line) ?? [];
  if (user !== undefined && privately !== undefined) {
    const to = `@${parseUsername(user.replace(/[:,]$/, ''), 'USER')}`;
    await checkUser(to, context);
    live.send(to, privately);
    if (to !== state.current) addNotice(currentOf(state), `sent to ${to} privately; /go ${to} shows it`);
    return;
  }
  live.send(state.current, line.startsWith('//') ? line.slice(1) : line);
}

function unknownCommand(name: string): string {
  const known = slashCommands.map((command) => command.name);
  return `there is no command /${name}${didYouMean(name, known, '/') || '; /help lists the commands'}`;
}
