import { constants } from 'node:fs';
import type { Connection } from './connection.ts';
import type { HostFiles } from './host-files.ts';
import { unusedOf } from './unused-bytes.ts';

/** Pages that one piece looks at: 16 MB, some tens of milliseconds. */
const pagesAtOnce = 4_096;
/** A page beyond this many could begin, as a number of a page, like a page of a tree does: 128 GB. */
const maxPages = 0x02_00_00_00;

/**
 * One piece of taking out of the file what was deleted (storage, "Erase"): `secure_delete` overwrites what is deleted where it is,
 * but not the copies that a page keeps in its unused space of what has moved to another page when it was full. First the log goes
 * into the file; then SQLite forgets its copies of the pages, which it would write again, and the unused bytes of some are zeroed.
 * That needs no journal: no byte that means anything changes. Answers the page to go on with; undefined at the end.
 */
export function scrub(opened: Connection, files: HostFiles, name: string, from: number): number | undefined {
  const [checkpoint] = opened.once('PRAGMA wal_checkpoint(TRUNCATE)');
  if (Number(checkpoint?.busy) !== 0) throw new Error('the log could not be emptied');
  opened.once('PRAGMA shrink_memory');
  const size = Number(opened.once('PRAGMA page_size')[0]?.page_size);
  const pages = Math.min(Number(opened.once('PRAGMA page_count')[0]?.page_count), maxPages);
  // SQLite's own first page came back with the questions.
  opened.once('PRAGMA shrink_memory');
  const end = Math.min(from + pagesAtOnce, pages);
  const file = files.open(name, constants.O_RDWR);
  try {
    const page = new Uint8Array(size);
    let isChanged = false;
    for (let number = from; number < end; number++) {
      const start = number * size;
      if (file.read(page, start) < size) break;
      for (const [first, after] of unusedOf(page, number === 0 ? 100 : 0)) {
        const unused = page.subarray(first, after);
        if (unused.every((byte) => byte === 0)) continue;
        file.write(unused.fill(0), start + first);
        isChanged = true;
      }
    }
    if (isChanged) file.sync();
  } finally {
    file.close();
  }
  return end < pages ? end : undefined;
}
