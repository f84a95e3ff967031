import type { WireMessage } from '../client/connection.ts';
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

/** A message as `-o json` prints it: exactly one of `text` and `envelope` is there; `erased` says that the text is only what stands for one. */
export function messageRecord({ to, seq, id, sender, sent_at, text, envelope, erased }: WireMessage): object {
  const body = text === undefined ? { envelope } : { text, ...(erased && { erased }) };
  return { to, seq, id, sender, sent_at, ...body };
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
 * several conversations a room's line begins with the room: `… #ops sam: text`. All of it is escaped.
 */
export function messageLine(message: WireMessage, { reader, several, paint }: LineContext): string {
  const isPrivate = message.to.startsWith('@');
  const recipient = message.sender === reader ? message.to : `@${reader}`;
  const room = several && !isPrivate ? `${message.to} ` : '';
  const addressed = isPrivate ? `${recipient} ` : '';
  const text = message.text ?? '[encrypted: this version of chat cannot read it]';
  const time = paint.faint(lineTime(message.sent_at));
  const sender = paint.name(escapeForTerminal(message.sender));
  return `${time} ${escapeForTerminal(room)}${sender}: ${escapeForTerminal(`${addressed}${text}`)}`;
}
