import type { ChatError, ErrorCode } from '../errors.ts';

/** HTTP's status for each code (protocol, "Errors"); a door that knows better (405, 415, 431) gives its own. */
export const httpStatuses: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  unauthenticated: 401,
  'second-factor-required': 401,
  forbidden: 403,
  'not-found': 404,
  unsupported: 404,
  conflict: 409,
  'too-large': 413,
  'rate-limited': 429,
  internal: 500,
  unavailable: 503,
  timeout: 504,
  // The client's own code: no server sends it.
  untrusted: 500,
};

/** RFC 9110 section 15, and RFC 6585: the phrases of the statuses that are sent. */
const phrases: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

/** The media type of a {@link Problem}. */
export const problemType = 'application/problem+json';

/** A problem document (RFC 9457 section 3): its members, and ours beside them. */
export interface Problem {
  /** `about:blank`: the status says all that the type would (RFC 9457 section 4.2.1). */
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly field?: string;
  readonly retry_after_ms?: number;
  readonly error_id?: string;
}

/** Spells an error for HTTP; `status` where the door knows a nearer one than its code's. */
export function problem(error: ChatError, status = httpStatuses[error.code]): Problem {
  const { field, retryAfterMs, errorId } = error.details;
  return {
    type: 'about:blank',
    title: httpPhrase(status),
    status,
    detail: error.message,
    code: error.code,
    ...(field === undefined ? {} : { field }),
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
    ...(errorId === undefined ? {} : { error_id: errorId }),
  };
}

/** What a status is called. */
export function httpPhrase(status: number): string {
  return phrases[status] ?? 'Error';
}

/** The headers that go with an error: when to come again (RFC 9110 10.2.3), and how to say who one is (11.6.1). */
export function problemHeaders(error: ChatError, status = httpStatuses[error.code]): Record<string, string> {
  const { retryAfterMs } = error.details;
  return {
    'Content-Type': problemType,
    ...(retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterMs / 1_000)) }),
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
  };
}
