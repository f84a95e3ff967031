import { bodyLength, type StoredMessage } from '../model/message.ts';
import { feedPage, feedPageRows, maxEnvelopeBytes } from '../policy.ts';

/** True for a page that was cut by neither bound: nothing was stored after it when it was read. */
export function isLastPage(rows: readonly StoredMessage[]): boolean {
  if (rows.length === feedPageRows) return false;
  const characters = rows.reduce((sum, row) => sum + charactersOf(row), 0);
  return characters + maxEnvelopeBytes <= feedPage.characters;
}

function charactersOf({ body }: StoredMessage): number {
  return bodyLength(body);
}

/** The same messages in the same order, in pages of what a reader is fed at once; nearly always one. */
export function pagesOf(batch: readonly StoredMessage[]): ReadonlyArray<readonly StoredMessage[]> {
  const pages: StoredMessage[][] = [];
  let characters = 0;
  for (const message of batch) {
    characters += charactersOf(message);
    const page = pages.at(-1);
    if (page && characters <= feedPage.characters) page.push(message);
    else {
      pages.push([message]);
      characters = charactersOf(message);
    }
  }
  return pages;
}

/** Sorted by seq, each once; notices of one node come sorted already. */
export function inOrder(messages: StoredMessage[]): StoredMessage[] {
  const isSorted = messages.every((message, index) => {
    const before = messages[index - 1];
    return !before || before.seq < message.seq;
  });
  if (isSorted) return messages;
  const bySeq = new Map(messages.map((message) => [message.seq, message]));
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}
