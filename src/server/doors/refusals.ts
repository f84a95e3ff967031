import { batchText, jsonRpcNumbers, writeError } from '../../core/codecs/json-rpc.ts';
import { pipeCodec } from '../../core/codecs/pipe.ts';
import { problem, problemHeaders } from '../../core/codecs/problem.ts';
import { slashCodec } from '../../core/codecs/slash.ts';
import { ChatError, type ErrorCode } from '../../core/errors.ts';
import type { DoorKind } from './first-bytes.ts';
import { securityHeaders, strictTransport } from './http-headers.ts';

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

const spellings: Readonly<Record<DoorKind, (error: ChatError) => Uint8Array>> = {
  tls: (error) => Uint8Array.of(0x15, 3, 3, 0, 2, 2, tlsAlerts[error.code] ?? unexpectedMessage),
  http: (error) => httpRefusal(error),
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

/** What else an {@link httpRefusal} says. */
export interface HttpRefusal {
  /** Where the door knows a nearer one than that of the error's code. */
  readonly status?: number | undefined;
  /** Headers that belong to what is refused. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** True when it goes over TLS. */
  readonly isSecure?: boolean;
}

/** A whole answer over HTTP, for what is refused before there is a request to answer; the connection closes after it. */
export function httpRefusal(error: ChatError, refused: HttpRefusal = {}): Uint8Array {
  const { status = refusalStatuses[error.code], headers: more, isSecure = false } = refused;
  const document = problem(error, status);
  const body = JSON.stringify(document);
  const headers = {
    ...problemHeaders(error, document.status),
    'Content-Length': String(Buffer.byteLength(body)),
    // Whoever has a clock says when (RFC 9110 section 6.6.1).
    Date: new Date().toUTCString(),
    ...securityHeaders,
    ...(isSecure ? strictTransport : {}),
    ...more,
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${document.status} ${document.title}\r\n${lines.join('')}\r\n${body}`);
}

/** Where a connection is refused and not a request: the client was too slow, not somebody behind us. */
const refusalStatuses: Partial<Record<ErrorCode, number>> = { timeout: 408 };

function slash(error: ChatError): Uint8Array {
  return Buffer.from(`${slashCodec.spell(error)}\n`);
}

/** First bytes that open no door. */
export type UnservedKind = 'tls' | 'batch' | 'too-long';

/** Why first bytes open no door. */
export function notServed(kind: UnservedKind): ChatError {
  switch (kind) {
    case 'tls':
      return new ChatError('unsupported', 'TLS inside TLS is not served');
    case 'batch':
      return batchRefused;
    case 'too-long':
      return new ChatError('too-large', 'the line is too long');
  }
}

const batchRefused = new ChatError('invalid', batchText('line'));

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

/** A body in crumbs. */
export function tooManyPieces(): ChatError {
  return new ChatError('too-large', 'the body comes in too many pieces: send it in larger ones');
}

/** What is asked while the server ends. */
export function shuttingDown(): ChatError {
  return new ChatError('unavailable', 'the server is shutting down');
}

/** What was begun has not been finished in time. */
export function tooSlow(what: string, ms: number): ChatError {
  return new ChatError('timeout', `${what} within ${ms === 1_000 ? '1 second' : `${ms / 1_000} seconds`}`);
}
