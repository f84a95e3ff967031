/** Asks for one page after the other until there is no next one. */
export async function* pages<Page extends { readonly next: string | null }>(
  fetch: (cursor: { readonly after?: string }) => Promise<Page>,
): AsyncIterable<Page> {
  let page = await fetch({});
  yield page;
  while (page.next !== null) {
    page = await fetch({ after: page.next });
    yield page;
  }
}
