import { batchText, jsonRpcNumbers, writeError } from '../../core/codecs/json-rpc.ts';
import { pipeCodec } from '../../core/codecs/pipe.ts';
import { slashCodec } from '../../core/codecs/slash.ts';
import { ChatError, type ErrorCode } from '../../core/errors.ts';
import type { DoorKind } from './first-bytes.ts';

/** One last word to a connection that is not served, in the language of the door that it knocked at. */
export function refusal(kind: DoorKind, error: ChatError): Uint8Array {
  return spellings[kind](error);
}

/** RFC 8446 section 6: the answer to TLS where none is spoken. */
const tlsAlerts: Partial<Record<ErrorCode, number>> = {
  // internal_error says "not now"; a client that looks no further tries again.
  unavailable: 80,
  'rate-limited': 80,
};
const unexpectedMessage = 10;

/** HTTP's status for what can be refused before a request is read (protocol, "Errors"; 501: RFC 9110 15.6.2). */
const httpStatus: Partial<Record<ErrorCode, string>> = {
  invalid: '400 Bad Request',
  forbidden: '403 Forbidden',
  timeout: '408 Request Timeout',
  'too-large': '413 Content Too Large',
  'rate-limited': '429 Too Many Requests',
  unsupported: '501 Not Implemented',
  unavailable: '503 Service Unavailable',
};

const spellings: Readonly<Record<DoorKind, (error: ChatError) => Uint8Array>> = {
  tls: (error) => Uint8Array.of(0x15, 3, 3, 0, 2, 2, tlsAlerts[error.code] ?? unexpectedMessage),
  http,
  line: (error) => Buffer.from(`${writeError(null, error)}\n`),
  // A batch is no request at all in this protocol (JSON-RPC 2.0 section 5.1); other refusals carry their own number.
  batch: (error) =>
    Buffer.from(
      `${writeError(null, error, error === batchRefused ? jsonRpcNumbers.notRequest : undefined)}\n`,
    ),
  slash,
  text: slash,
  'too-long': slash,
  pipe: (error) => Buffer.from(`${pipeCodec.spell(error)}\n`),
};

function http(error: ChatError): Uint8Array {
  const status = httpStatus[error.code] ?? '500 Internal Server Error';
  const body = JSON.stringify({
    type: 'about:blank',
    title: status.slice(4),
    status: Number(status.slice(0, 3)),
    detail: error.message,
    code: error.code,
  });
  const { retryAfterMs } = error.details;
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterMs / 1_000)}`]),
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    'Connection: close',
    '',
    '',
  ];
  return Buffer.from(head.join('\r\n') + body);
}

function slash(error: ChatError): Uint8Array {
  return Buffer.from(`${slashCodec.spell(error)}\n`);
}

/** First bytes that open no door. */
export type UnservedKind = 'tls' | 'http' | 'batch' | 'too-long';

/** Why first bytes open no door. */
export function notServed(kind: UnservedKind): ChatError {
  switch (kind) {
    case 'tls':
      return new ChatError('unsupported', 'TLS inside TLS is not served');
    case 'http':
      return new ChatError('unsupported', 'HTTP and WebSocket are not served by this version');
    case 'batch':
      return batchRefused;
    case 'too-long':
      return new ChatError('too-large', 'the line is too long');
  }
}

const batchRefused = new ChatError('invalid', batchText);

/** Why clear text is refused by a server that speaks TLS only. */
export function clearTextRefused(): ChatError {
  return new ChatError(
    'forbidden',
    'this server speaks TLS only: connect with TLS, for example chat://HOST:PORT',
  );
}

/** More open connections than the server takes; `retry_after_ms` is a guess that spreads the next tries. */
export function tooManyConnections(whose: 'server' | 'address'): ChatError {
  return whose === 'address'
    ? new ChatError('rate-limited', 'too many connections from your address', { retryAfterMs: 10_000 })
    : new ChatError('unavailable', 'the server has too many connections', { retryAfterMs: 10_000 });
}

/** What was begun has not been finished in time. */
export function tooSlow(what: string, ms: number): ChatError {
  return new ChatError('timeout', `${what} within ${ms === 1_000 ? '1 second' : `${ms / 1_000} seconds`}`);
}
