import type fs from 'node:fs';

/** Bytes that wait in one file at most: what a commit of some hundred messages appends to the log. */
const maxBytes = 262_144;

/**
 * Joins writes to one file that follow one another into one: SQLite writes a log's frame in two parts and each page on its own,
 * which is most of what a commit costs. Nothing may rely on what waits here before `flush`, which every sync, read, stat and
 * truncation of the file does first; so the order in which things reach the disk is SQLite's.
 */
export interface WriteBehind {
  /** Takes bytes for `position`; throws what the host throws for those that waited. Answers how many it took: all. */
  write(bytes: Uint8Array, position: number): number;
  /** Hands over what waits. Throws what the host throws; what waited is given up then, as SQLite gives up its transaction. */
  flush(): void;
}

/** Write-behind for one open file of the host. */
export function writeBehind(host: Pick<typeof fs, 'writeSync'>, hostFd: number): WriteBehind {
  let waiting: Uint8Array | undefined;
  let start = 0;
  let length = 0;

  function hand(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      const wrote = host.writeSync(hostFd, bytes, done, bytes.length - done, position + done);
      if (wrote === 0) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' });
      done += wrote;
    }
  }

  function flush(): void {
    if (length === 0 || waiting === undefined) return;
    const bytes = waiting.subarray(0, length);
    length = 0;
    hand(bytes, start);
  }

  return {
    write(bytes, position) {
      if (length > 0 && (position !== start + length || length + bytes.length > maxBytes)) flush();
      if (bytes.length > maxBytes) {
        hand(bytes, position);
        return bytes.length;
      }
      waiting ??= new Uint8Array(maxBytes);
      if (length === 0) start = position;
      waiting.set(bytes, length);
      length += bytes.length;
      return bytes.length;
    },
    flush,
  };
}
