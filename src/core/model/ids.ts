import type { Brand } from './brand.ts';

/** An account's id, a UUID version 7. */
export type UserId = Brand<string, 'UserId'>;
/** A session's public id, a UUID version 7; it is not a credential. */
export type SessionId = Brand<string, 'SessionId'>;
/** A device's id, a UUID version 7; it belongs to one account. */
export type DeviceId = Brand<string, 'DeviceId'>;
/** A message's id, a UUID version 7. */
export type MessageId = Brand<string, 'MessageId'>;
/** A conversation's number inside one store; it never crosses a door. */
export type ConversationId = Brand<number, 'ConversationId'>;
