import type { ErrorCode } from '../../../core/errors.ts';
import type { RoomName } from '../../../core/model/conversation-name.ts';
import type { ConversationId, MessageId, UserId } from '../../../core/model/ids.ts';
import type { Username } from '../../../core/model/username.ts';
import type { AppendOutcome, NewMessage } from '../../../core/ports/store/messages.ts';
import type { StoreCall } from '../store-calls.ts';

/**
 * One call of the port as it crosses to the worker. A message to be stored crosses as a flat list: to copy it takes a third of
 * what its object takes, on both sides.
 */
export type CallMessage = readonly [name: Exclude<StoreCall, 'appendMessage'>, input: unknown] | AppendCall;

type AppendCall = readonly [
  name: 'appendMessage',
  id: MessageId,
  senderId: UserId,
  sender: Username,
  isRoom: boolean,
  to: string,
  key: string | undefined,
  sentAt: number,
  isText: boolean,
  body: string,
];

/** What a call came to; errors cross as plain data. A message that was stored is answered by where: the rest is known. */
export type ResultMessage =
  | readonly [conversation: ConversationId, seq: number]
  | { readonly value: unknown }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } }
  | { readonly bug: string };

/** Spells a call for the worker. */
export function callMessage(name: StoreCall, input: unknown): CallMessage {
  if (name !== 'appendMessage') return [name, input];
  const { id, senderId, sender, to, key, sentAt, body } = input as NewMessage;
  const isRoom = to.kind === 'room';
  const isText = 'text' in body;
  return [
    name,
    id,
    senderId,
    sender,
    isRoom,
    isRoom ? to.room : to.peer,
    key,
    sentAt,
    isText,
    isText ? body.text : body.envelope,
  ];
}

/** Reads a call in the worker. */
export function inputOf(call: CallMessage): unknown {
  if (call[0] !== 'appendMessage') return call[1];
  const [, id, senderId, sender, isRoom, to, key, sentAt, isText, body] = call;
  return {
    id,
    senderId,
    sender,
    to: isRoom ? { kind: 'room', room: to as RoomName } : { kind: 'direct', peer: to as Username },
    key,
    sentAt,
    body: isText ? { text: body } : { envelope: body },
  } satisfies NewMessage;
}

/** Spells what a call came to. */
export function resultMessage(call: CallMessage, value: unknown): ResultMessage {
  if (call[0] !== 'appendMessage') return { value };
  const outcome = value as AppendOutcome;
  return outcome.kind === 'stored' ? [outcome.conversation, outcome.seq] : { value };
}
