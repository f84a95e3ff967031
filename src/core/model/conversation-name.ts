import { ChatError } from '../errors.ts';
import type { Brand } from './brand.ts';
import { parseUsername, type Username } from './username.ts';

/** A room's name without its `#`, `[a-z0-9][a-z0-9._-]{0,31}`. */
export type RoomName = Brand<string, 'RoomName'>;

/** What a person writes to name a conversation: `#room` or `@user`, lower-cased. */
export type ConversationName = Brand<string, 'ConversationName'>;

/** A conversation as its reader names it, taken apart. */
export type ConversationRef =
  | { readonly kind: 'room'; readonly room: RoomName }
  | { readonly kind: 'direct'; readonly peer: Username };

/** The room that always exists and to which everybody belongs. */
export const lobby = 'lobby' as RoomName;

/** Checks a room's name, with or without its `#`; throws `invalid` naming `field`. */
export function parseRoomName(input: string, field = 'room'): RoomName {
  return parseUsername(input.startsWith('#') ? input.slice(1) : input, field) as string as RoomName;
}

/** Takes `#room` or `@user` apart; throws `invalid` naming `field` for anything else. */
export function parseConversationName(input: string, field = 'to'): ConversationRef {
  if (input.startsWith('#')) return { kind: 'room', room: parseRoomName(input, field) };
  if (input.startsWith('@')) return { kind: 'direct', peer: parseUsername(input.slice(1), field) };
  throw new ChatError('invalid', `${field}: a conversation is written #room or @user`, { field });
}

/** Spells a conversation the way its reader writes it. */
export function conversationName(ref: ConversationRef): ConversationName {
  return (ref.kind === 'room' ? `#${ref.room}` : `@${ref.peer}`) as ConversationName;
}

/** True for the room to which everybody belongs. */
export function isLobby(ref: ConversationRef): boolean {
  return ref.kind === 'room' && ref.room === lobby;
}
