import { ChatError } from '../../core/errors.ts';

/** An error for which a door of HTTP knows a nearer status than its code's. */
export class StatusError extends Error {
  readonly status: number;
  readonly error: ChatError;

  constructor(status: number, error: ChatError) {
    super(error.message);
    this.status = status;
    this.error = error;
  }
}

/** Nothing is served at an address. */
export function nothingHere(): ChatError {
  return new ChatError(
    'not-found',
    'there is nothing at this address; what there is stands in /openapi.json',
  );
}

/** RFC 9110 section 15.5.6: a resource has other methods than this one; `allowed` goes into the Allow header too. */
export function methodRefused(method: string, allowed: string): StatusError {
  return new StatusError(405, new ChatError('unsupported', `${method} is not served here; ${allowed} are`));
}

/** A method that no resource here has (RFC 9110 section 15.6.2). */
export function methodUnknown(method: string): StatusError {
  return new StatusError(501, new ChatError('unsupported', `${method} is not a method that is known here`));
}
