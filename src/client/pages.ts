import { ChatError } from '../core/errors.ts';

/**
 * Asks for one page after the other until there is no next one; throws `unavailable` for a server that goes round in a circle of one,
 * which would never end.
 */
export async function* pages<Page extends { readonly next: string | null }>(
  fetch: (cursor: { readonly after?: string }) => Promise<Page>,
): AsyncIterable<Page> {
  let page = await fetch({});
  yield page;
  while (page.next !== null) {
    const after = page.next;
    page = await fetch({ after });
    if (page.next === after)
      throw new ChatError('unavailable', 'the server answers with the same page again and again');
    yield page;
  }
}
