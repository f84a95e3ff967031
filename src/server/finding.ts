import type { ChatError, ErrorCode } from '../core/errors.ts';

/** One thing that was looked at, and how it is. */
export interface Finding {
  readonly check: string;
  /** `warn`: a start works, and somebody should know; `fail`: it does not. */
  readonly status: 'ok' | 'warn' | 'fail';
  /** What is, and what to do when it should not be so. */
  readonly message: string;
  /** Of a `fail`. */
  readonly code?: ErrorCode;
}

export function fine(check: string, message: string): Finding {
  return { check, status: 'ok', message };
}

export function doubtful(check: string, message: string): Finding {
  return { check, status: 'warn', message };
}

export function failed(check: string, { code, message }: Pick<ChatError, 'code' | 'message'>): Finding {
  return { check, status: 'fail', message, code };
}
