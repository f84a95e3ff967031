import type { InputOf } from '../core/operations/index.ts';
import { believed } from './answers.ts';
import type { CallOptions, Connection } from './connection.ts';
import { BadFrame, listIn, objectIn, readMessage, type WireMessage } from './frames.ts';

/** Matches, newest first. */
export interface SearchPage {
  readonly messages: readonly WireMessage[];
  /** The `before` of the next page; undefined when there is nothing more. */
  readonly next: string | undefined;
  /** False when the server has not indexed everything yet, so that there may be more. */
  readonly isComplete: boolean;
}

/** Asks for one page of a search; throws `unavailable` when the server answers with what is none. */
export async function searchPage(
  connection: Connection,
  query: InputOf<'message.search'>,
  options: CallOptions,
): Promise<SearchPage> {
  const answer = await connection.call('message.search', query, options);
  return believed(connection, answer, (value) => {
    const fields = objectIn(value, 'a page');
    const messages = listIn(fields, 'messages').map(readMessage);
    const { next } = fields;
    // A server that answers nothing and says that there is more would be asked for ever.
    if (next !== null && (typeof next !== 'string' || messages.length === 0))
      throw new BadFrame('a wrong next');
    return { messages, next: next ?? undefined, isComplete: fields.complete === true };
  });
}
