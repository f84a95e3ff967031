import type { WireMessage } from '../client/connection.ts';
import { erasedText } from '../core/model/message.ts';
import { escapeForTerminal } from './escape.ts';
import type { Paint } from './output.ts';

/** What a line needs to know besides the message. */
export interface LineContext {
  /** The reader's own username: it is the other end of a private message. */
  readonly reader: string;
  /** True when lines of several conversations come mixed, so that each must say which it is from. */
  readonly several: boolean;
  readonly paint: Paint;
}

/**
 * A message as `-o json` prints it: exactly one of `text` and `envelope` is there; `erased` says that the text is only what stands for one.
 * A private one has `protection`, with an envelope `why` it was not opened, and `stale` when it was sealed for old keys.
 */
export function messageRecord(message: WireMessage): object {
  const { to, seq, id, sender, sent_at, text, envelope, erased, unsealed } = message;
  // A text that a server gives for an erased one is nobody's.
  const body = erased ? { text: erasedText, erased } : text === undefined ? { envelope } : { text };
  const protection = protectionOf(message);
  return {
    to,
    seq,
    id,
    sender,
    sent_at,
    ...body,
    ...(protection !== undefined && { protection }),
    ...(unsealed && 'why' in unsealed && { why: unsealed.why }),
    ...(unsealed && 'stale' in unsealed && { stale: true }),
  };
}

/**
 * How a private message has come: `clear` when the server could read it, otherwise what has come of opening it; undefined in a room, and
 * for what is erased.
 */
export function protectionOf({
  to,
  text,
  erased,
  unsealed,
}: WireMessage): 'clear' | 'verified' | 'encrypted' | 'failed' | 'locked' | undefined {
  if (!to.startsWith('@') || erased) return undefined;
  if (unsealed) return unsealed.kind;
  return text === undefined ? 'locked' : 'clear';
}

/** A message's text with how it has come before it, which no text can pretend: every private message begins with one of these. */
export function markedText(message: WireMessage): string {
  const { text, erased, unsealed } = message;
  if (erased) return erasedText;
  const protection = protectionOf(message);
  if (protection === undefined) return text ?? '[encrypted: it is no private message]';
  const why = unsealed && 'why' in unsealed ? unsealed.why : 'it was not opened';
  if (protection === 'failed') return `[failed: ${why}]`;
  if (protection === 'locked') return `[encrypted: ${why}]`;
  const isStale = unsealed && 'stale' in unsealed;
  return `[${protection}${isStale ? ' for old keys' : ''}] ${text ?? ''}`;
}

/** How a text in a room begins that could be taken for a private message's: in a line, with its recipient; in the live chat, with its mark. */
const imitations = { line: /^\s*@.*\[/s, chat: /^\s*\[/ } as const;

/** True for a text in a room that could be taken for a private message where only these stand in such lines: its room belongs before it. */
export function looksPrivate({ to, text = '' }: WireMessage, where: keyof typeof imitations): boolean {
  return !to.startsWith('@') && imitations[where].test(text);
}

/** `2019-11-01 09:30:00`, UTC, as document 5 prints times. */
export function lineTime(instant: string): string {
  const at = Date.parse(instant);
  return Number.isNaN(at)
    ? escapeForTerminal(instant)
    : new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/**
 * A message as one line (five-systems, section 5): `2019-11-01 09:30:00 sam: text`, private `… erik: @sam text`; among
 * several conversations a room's line begins with the room: `… #ops sam: text`, and so it does when its text looks like a private message.
 * A private text has how it has come before it. All of it is escaped.
 */
export function messageLine(message: WireMessage, { reader, several, paint }: LineContext): string {
  const isPrivate = message.to.startsWith('@');
  const recipient = message.sender === reader ? message.to : `@${reader}`;
  const room = !isPrivate && (several || looksPrivate(message, 'line')) ? `${message.to} ` : '';
  const addressed = isPrivate ? `${recipient} ` : '';
  const text = markedText(message);
  const time = paint.faint(lineTime(message.sent_at));
  const sender = paint.name(escapeForTerminal(message.sender));
  return `${time} ${escapeForTerminal(room)}${sender}: ${escapeForTerminal(`${addressed}${text}`)}`;
}
