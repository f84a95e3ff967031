import { ChatError, type ErrorCode } from '../errors.ts';
import type { ChatEvent, EventCodec } from '../events.ts';
import { instantText } from '../model/instant.ts';
import { erasedText, type MessageBody } from '../model/message.ts';

/** JSON-RPC 2.0's id of a request; undefined for a notification. */
export type RpcId = string | number | null | undefined;

/** One line or frame taken apart. `answer` is the reply to a request of ours (a ping). */
export type Frame =
  | { readonly kind: 'call'; readonly id: RpcId; readonly method: string; readonly params: unknown }
  | { readonly kind: 'answer'; readonly id: RpcId }
  | {
      readonly kind: 'bad';
      readonly id: null;
      readonly error: ChatError;
      readonly rpcCode: number;
      /** The JSON object that it is, for a door that knows other messages too. */
      readonly object?: Readonly<Record<string, unknown>>;
    };

/** How deep a frame may nest; ours need four levels, and a parser that recurses survives so many. */
const maxDepth = 64;

/** JSON-RPC's numbers for what is no request at all (section 5.1). */
export const jsonRpcNumbers = { notJson: -32_700, notRequest: -32_600 } as const;
const { notJson, notRequest } = jsonRpcNumbers;

/** Why a batch is refused, in every place that meets one; `unit` is what a request travels in there. */
export const batchText = (unit: 'line' | 'message'): string =>
  `batches are not served: send one request per ${unit}`;

/** JSON-RPC's number for each code; clients go by `data.code`, which says more. */
const rpcCodes: Readonly<Record<ErrorCode, number>> = {
  unsupported: -32_601,
  invalid: -32_602,
  internal: -32_603,
  unauthenticated: -32_001,
  'second-factor-required': -32_002,
  forbidden: -32_003,
  'not-found': -32_004,
  conflict: -32_005,
  'too-large': -32_006,
  'rate-limited': -32_007,
  unavailable: -32_008,
  untrusted: -32_009,
  timeout: -32_010,
};

/** Reads one frame (JSON-RPC 2.0 sections 4 and 5); never throws: what does not fit is a `bad` frame with its error. */
export function readFrame(text: string, unit: 'line' | 'message' = 'line'): Frame {
  if (nestsDeeper(text, maxDepth)) return bad(notRequest, `nested deeper than ${maxDepth} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad(notJson, 'not JSON');
  }
  if (Array.isArray(value)) return bad(notRequest, batchText(unit));
  if (typeof value !== 'object' || value === null) return bad(notRequest, 'a request is a JSON object');
  const object = value as Record<string, unknown>;
  const { jsonrpc, id, method, params } = object;
  if (jsonrpc !== '2.0') return { ...bad(notRequest, 'jsonrpc must be "2.0"'), object };
  if (id !== undefined && id !== null && typeof id !== 'string' && typeof id !== 'number') {
    return bad(notRequest, 'id must be a string or a number');
  }
  // An answer carries the very same id: 1e400 would come back as null, and 2^53 + 1 as another one.
  if (typeof id === 'number' && Math.abs(id) > Number.MAX_SAFE_INTEGER) {
    return bad(notRequest, 'an id that is a number is at most 2^53 - 1');
  }
  if (method === undefined && ('result' in value || 'error' in value)) return { kind: 'answer', id };
  if (typeof method !== 'string') return bad(notRequest, 'method must be a string');
  if (params !== undefined && (typeof params !== 'object' || params === null || Array.isArray(params))) {
    return bad(notRequest, 'params must be an object');
  }
  return { kind: 'call', id, method, params: params ?? {} };
}

/** Spells an answer, without a line end. */
export function writeResult(id: RpcId, result: unknown): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id ?? null)},"result":${JSON.stringify(result)}}`;
}

/** Spells an error answer, without a line end; `rpcCode` overrides the number for frames that are no request at all. */
export function writeError(id: RpcId, error: ChatError, rpcCode = rpcCodes[error.code]): string {
  const { field, retryAfterMs, errorId } = error.details;
  return JSON.stringify({
    jsonrpc: '2.0',
    id: id ?? null,
    error: {
      code: rpcCode,
      message: error.message,
      data: { code: error.code, field, retry_after_ms: retryAfterMs, error_id: errorId },
    },
  });
}

/** The server's ping: a request that any JSON-RPC peer answers. */
export function pingRequest(count: number): string {
  return `{"jsonrpc":"2.0","id":"ping-${count}","method":"ping","params":{}}`;
}

const encoder = new TextEncoder();

/** Events as one notification per line. */
export const jsonRpcEvents: EventCodec = {
  name: 'json-rpc',
  encode(events) {
    let text = '';
    for (const event of events) text += `${eventText(event)}\n`;
    return encoder.encode(text);
  },
};

/** One notification, without a line end. */
export function eventText(event: ChatEvent): string {
  return `{"jsonrpc":"2.0","method":"${event.type}","params":${paramsText(event)}}`;
}

function paramsText(event: ChatEvent): string {
  // Names, ids and times need no escapes: their alphabets have none. Only what people write does.
  switch (event.type) {
    case 'message':
      return `{"to":"${event.to}","seq":${event.seq},"id":"${event.id}","sender":"${event.sender}","sent_at":"${instantText(event.sentAt)}",${bodyText(event.body)}}`;
    case 'presence':
      return `{"user":"${event.user}","online":${event.online}}`;
    case 'session-ended':
      return `{"reason":"${event.reason}"}`;
    case 'account-notice': {
      const { kind, door, address, device, failures, at } = event;
      return JSON.stringify({ kind, door, address, device, failures, at: instantText(at) });
    }
    case 'lagging':
      return `{"to":"${event.to}"}`;
    case 'caught-up':
      return `{"to":"${event.to}","seq":${event.seq}}`;
  }
}

function bodyText(body: MessageBody): string {
  if ('text' in body) return `"text":${JSON.stringify(body.text)}`;
  if ('envelope' in body) return `"envelope":${JSON.stringify(body.envelope)}`;
  return `"text":"${erasedText}","erased":true`;
}

function bad(rpcCode: number, message: string): Extract<Frame, { kind: 'bad' }> {
  return { kind: 'bad', id: null, error: new ChatError('invalid', message), rpcCode };
}

/** True when brackets outside of strings nest deeper than `limit`; text that is no JSON may answer either way. */
function nestsDeeper(text: string, limit: number): boolean {
  // A request has one or two of them, and the platform finds them faster than any loop.
  if (hasAtMost(text, limit)) return false;
  let depth = 0;
  let isString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (isString) {
      if (unit === 0x5c) i += 1;
      else if (unit === 0x22) isString = false;
    } else if (unit === 0x22) isString = true;
    else if (unit === 0x7b || unit === 0x5b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (unit === 0x7d || unit === 0x5d) depth -= 1;
  }
  return false;
}

/** True when a text has at most `limit` brackets that open, those in strings counted too. */
function hasAtMost(text: string, limit: number): boolean {
  let count = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      count += 1;
      if (count > limit) return false;
    }
  }
  return true;
}
