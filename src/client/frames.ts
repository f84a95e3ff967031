import { ChatError, isErrorCode } from '../core/errors.ts';
import { shown } from './shown.ts';

/** A message as its reader gets it; exactly one of `text` and `envelope` is there. */
export interface WireMessage {
  /** The reader's name for the conversation, `#room` or `@user`. */
  readonly to: string;
  /** Counts from 1 in its conversation without a gap. */
  readonly seq: number;
  readonly id: string;
  readonly sender: string;
  /** RFC 3339, UTC. */
  readonly sent_at: string;
  readonly text?: string;
  readonly envelope?: string;
  /** There when what was sent is gone; `text` then says so. */
  readonly erased?: true;
  /** What this reader's own client has found out of an envelope; no server says it. */
  readonly unsealed?: Unsealed;
}

/**
 * What came of opening an envelope. Of `verified` and `encrypted` ones, whose text is there, all was right; the keys of a verified one
 * were compared by two people, and a stale one was sealed for keys of this account from before its newest. `failed` ones did not hold,
 * and `locked` ones are for keys that are not here: they have no text.
 */
export type Unsealed =
  | { readonly kind: 'verified' | 'encrypted'; readonly stale?: true }
  | { readonly kind: 'failed' | 'locked'; readonly why: string };

/** What a server says unasked (protocol, "JSON-RPC 2.0 door"). */
export type WireEvent =
  | ({ readonly type: 'message' } & WireMessage)
  | { readonly type: 'presence'; readonly user: string; readonly online: boolean }
  | { readonly type: 'session-ended'; readonly reason: string }
  | {
      readonly type: 'account-notice';
      /** `new-device`, `failed-logins`, or what a newer server knows. */
      readonly kind: string;
      readonly door: string;
      readonly address: string;
      readonly device?: string;
      readonly failures?: number;
      readonly at: string;
    }
  | { readonly type: 'lagging'; readonly to: string }
  | { readonly type: 'caught-up'; readonly to: string; readonly seq: number };

/** One line from a server, checked. */
export type ServerFrame =
  | { readonly kind: 'answer'; readonly id: number; readonly result: object }
  | { readonly kind: 'failure'; readonly id: number | null; readonly error: ChatError }
  | { readonly kind: 'event'; readonly event: WireEvent }
  | { readonly kind: 'request'; readonly id: string | number; readonly method: string }
  /** A notification that a newer server knows and we do not. */
  | { readonly kind: 'unknown' };

/** A line that no chat server writes; the message says what is wrong with it. */
export class BadFrame extends Error {}

/** A JSON object whose members nobody has checked yet. */
export type Fields = Readonly<Record<string, unknown>>;

const name = '[a-z0-9][a-z0-9._-]{0,31}';
const nameShape = new RegExp(`^${name}$`);
const conversationShape = new RegExp(`^[#@]${name}$`);
const idShape = /^[A-Za-z0-9._-]{1,64}$/;
const instantShape = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;
const wordShape = /^[a-z0-9-]{1,64}$/;

/** Reads one line of a server (JSON-RPC 2.0 sections 4 and 5); throws {@link BadFrame} for everything else. */
export function readServerFrame(line: string): ServerFrame {
  const frame = objectIn(parseJson(line), 'a line');
  if (frame.jsonrpc !== '2.0') throw new BadFrame('a line that is no JSON-RPC 2.0');
  const { id, method } = frame;
  if (method !== undefined) return readCall(id, method, frame.params);
  if (frame.error !== undefined) {
    if (id !== null && !Number.isSafeInteger(id)) throw new BadFrame('an error for no call of ours');
    return { kind: 'failure', id: id as number | null, error: readError(objectIn(frame.error, 'an error')) };
  }
  if (!Number.isSafeInteger(id)) throw new BadFrame('an answer to no call of ours');
  return { kind: 'answer', id: id as number, result: objectIn(frame.result, 'a result') };
}

/** Checks a message, in an event and in a page of history alike; throws {@link BadFrame}. */
export function readMessage(value: unknown): WireMessage {
  const fields = objectIn(value, 'a message');
  const { text, envelope, erased } = fields;
  const message = {
    to: textIn(fields, 'to', conversationShape),
    seq: seqIn(fields, 1),
    id: textIn(fields, 'id', idShape),
    sender: textIn(fields, 'sender', nameShape),
    sent_at: textIn(fields, 'sent_at', instantShape),
  };
  if (typeof text === 'string' && envelope === undefined) {
    return erased === true ? { ...message, text, erased } : { ...message, text };
  }
  if (typeof envelope === 'string' && text === undefined) return { ...message, envelope };
  throw new BadFrame('a message that has not exactly one of text and envelope');
}

/** Checks where a message was stored, the answer of `message.send`; throws {@link BadFrame}. */
export function readStored(value: unknown): { id: string; seq: number; sent_at: string } {
  const fields = objectIn(value, 'an answer');
  return {
    id: textIn(fields, 'id', idShape),
    seq: seqIn(fields, 1),
    sent_at: textIn(fields, 'sent_at', instantShape),
  };
}

/** Checks a position in a conversation, `to` and the seq under `field`, which may be 0; throws {@link BadFrame}. */
export function readPosition(value: unknown, field: string): { to: string; seq: number } {
  const fields = objectIn(value, 'a position');
  return { to: textIn(fields, 'to', conversationShape), seq: seqIn(fields, 0, field) };
}

/** Checks where followed conversations begin, the answer of `conversation.follow`; throws {@link BadFrame}. */
export function readFollowing(value: unknown): { at: string; starts: ReadonlyMap<string, number> } {
  const fields = objectIn(value, 'an answer');
  const positions = listIn(fields, 'following').map((one) => readPosition(one, 'after'));
  return { at: instantIn(fields, 'at'), starts: new Map(positions.map(({ to, seq }) => [to, seq])) };
}

/** The same for one conversation, which must be among them. */
export function readFollowed(value: unknown, to: string): number {
  const after = readFollowing(value).starts.get(to);
  if (after === undefined) throw new BadFrame(`no position for ${to}`);
  return after;
}

/** An object that is not an array; throws {@link BadFrame} naming `what`. */
export function objectIn(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadFrame(`${what} that is no object`);
  }
  return value as Fields;
}

/** The text in `field`; throws {@link BadFrame} when it is none or does not fit `shape`. */
export function textIn(fields: Fields, field: string, shape: RegExp = /^[\x20-\x7e]{1,512}$/): string {
  const value = fields[field];
  if (typeof value !== 'string' || !shape.test(value)) throw new BadFrame(`a wrong ${field}`);
  return value;
}

/** The list in `field`; throws {@link BadFrame} when it is none. */
export function listIn(fields: Fields, field: string): readonly unknown[] {
  const value = fields[field];
  if (!Array.isArray(value)) throw new BadFrame(`a wrong ${field}`);
  return value;
}

/** A moment in `field`; throws {@link BadFrame} when it is none. */
export function instantIn(fields: Fields, field: string): string {
  return textIn(fields, field, instantShape);
}

function seqIn(fields: Fields, min: number, field = 'seq'): number {
  const value = fields[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min)
    throw new BadFrame(`a wrong ${field}`);
  return value;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new BadFrame('a line that is no JSON');
  }
}

function readCall(id: unknown, method: unknown, params: unknown): ServerFrame {
  if (typeof method !== 'string') throw new BadFrame('a wrong method');
  if (id === undefined) return readEvent(method, params);
  if (typeof id !== 'string' && typeof id !== 'number') throw new BadFrame('a wrong id');
  return { kind: 'request', id, method };
}

function readEvent(type: string, params: unknown): ServerFrame {
  switch (type) {
    case 'message':
      return { kind: 'event', event: { type, ...readMessage(params) } };
    case 'presence': {
      const fields = objectIn(params, 'an event');
      if (typeof fields.online !== 'boolean') throw new BadFrame('a wrong online');
      return {
        kind: 'event',
        event: { type, user: textIn(fields, 'user', nameShape), online: fields.online },
      };
    }
    case 'session-ended':
      return {
        kind: 'event',
        event: { type, reason: textIn(objectIn(params, 'an event'), 'reason', wordShape) },
      };
    case 'account-notice':
      return { kind: 'event', event: { type, ...readAccountNotice(params) } };
    case 'lagging':
      return {
        kind: 'event',
        event: { type, to: textIn(objectIn(params, 'an event'), 'to', conversationShape) },
      };
    case 'caught-up':
      return { kind: 'event', event: { type, ...readPosition(params, 'seq') } };
    default:
      return { kind: 'unknown' };
  }
}

function readAccountNotice(params: unknown) {
  const fields = objectIn(params, 'an event');
  const { device, failures } = fields;
  if (device !== undefined && typeof device !== 'string') throw new BadFrame('a wrong device');
  if (failures !== undefined && (typeof failures !== 'number' || !Number.isSafeInteger(failures))) {
    throw new BadFrame('a wrong failures');
  }
  return {
    kind: textIn(fields, 'kind', wordShape),
    door: textIn(fields, 'door', wordShape),
    address: textIn(fields, 'address'),
    ...(device !== undefined && { device }),
    ...(failures !== undefined && { failures }),
    at: instantIn(fields, 'at'),
  };
}

/** What a server calls an error, made ours; a code that we do not know is `internal`, and its text is kept. */
function readError(error: Fields): ChatError {
  const data = error.data === undefined ? {} : objectIn(error.data, 'an error');
  const { code, field, retry_after_ms: retryAfterMs, error_id: errorId } = data;
  const text = typeof error.message === 'string' ? shown(error.message, 1_000) : 'the server gave no reason';
  return new ChatError(isErrorCode(code) ? code : 'internal', text, {
    ...(typeof field === 'string' ? { field: shown(field) } : {}),
    ...(typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? { retryAfterMs } : {}),
    ...(typeof errorId === 'string' ? { errorId: shown(errorId) } : {}),
  });
}
