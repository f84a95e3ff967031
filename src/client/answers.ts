import { ChatError } from '../core/errors.ts';
import { formatServerAddress } from './address.ts';
import type { Caller } from './connection.ts';
import { BadFrame } from './frames.ts';

/** Believes an answer only after `read` has checked it; otherwise the connection is closed and `unavailable` thrown. */
export function believed<T>(connection: Caller, answer: unknown, read: (answer: unknown) => T): T {
  try {
    return read(answer);
  } catch (error) {
    if (!(error instanceof BadFrame)) throw error;
    void connection.close();
    throw new ChatError(
      'unavailable',
      `${formatServerAddress(connection.server)}: the server answered with ${error.message}`,
      { cause: error },
    );
  }
}
