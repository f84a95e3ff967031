import { ChatError } from '../core/errors.ts';
import { formatServerAddress, type ServerAddress } from './address.ts';
import { BadFrame } from './frames.ts';

/** Whose answer it is, as far as that has to be named and ended. */
interface Answering {
  readonly server: ServerAddress;
  close(): Promise<void>;
}

/** Believes an answer only after `read` has checked it; otherwise the connection is closed and `unavailable` thrown. */
export function believed<T>(connection: Answering, answer: unknown, read: (answer: unknown) => T): T {
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
