import { constants } from 'node:fs';
import { ChatError } from '../../../core/errors.ts';
import type { HostFile, HostFiles } from './host-files.ts';

/** The log's own header, and what stands before each page in it (SQLite's file format, section 4.1). */
const headerBytes = 32;
const frameHeaderBytes = 24;
/** The first four bytes; the lowest bit says in which byte order the checksums are made. */
const magic = 0x377f0682;

type Checksum = readonly [number, number];

/**
 * Throws `unavailable` for a write-ahead log that was changed after it was on disk. SQLite takes whatever it cannot read for the end of the
 * log, as if a power cut had come amid a commit, and would leave out every commit after it without a word.
 *
 * A power cut can only spoil the last commit: each is synced before the next one is written. So where a page cannot be read, and later on
 * the page after some commit's last one goes on from that commit's checksum, the commits between were whole once. Not seen is what was
 * done to the last commit, and a log that was cut off.
 */
export function refuseDamagedLog(files: HostFiles, name: string, path: string): void {
  let log: HostFile;
  try {
    log = files.open(`${name}-wal`, constants.O_RDONLY);
  } catch {
    // None is there, or SQLite will say what keeps it from being read.
    return;
  }
  try {
    if (!isDamaged(log)) return;
  } finally {
    log.close();
  }
  throw new ChatError(
    'unavailable',
    `${path}-wal is damaged: messages that were acknowledged could be missing; restore a backup; the file was left as it is`,
  );
}

function isDamaged(log: HostFile): boolean {
  const header = new DataView(new ArrayBuffer(headerBytes));
  const { size } = log.stat();
  if (size <= headerBytes) return false;
  log.read(new Uint8Array(header.buffer), 0);
  const isLittleEndian = (header.getUint32(0) & 1) === 0;
  let before = checksumAt(header, 24);
  // It was on disk before anything came after it.
  if ((header.getUint32(0) & ~1) >>> 0 !== magic) return true;
  if (!isSame(checksum([0, 0], header, 0, 24, isLittleEndian), before)) return true;
  const pageBytes = header.getUint32(8);
  const frame = new DataView(new ArrayBuffer(frameHeaderBytes + pageBytes));
  let isWhole = true;
  let wasCommit = false;
  for (let at = headerBytes; at + frame.byteLength <= size; at += frame.byteLength) {
    log.read(new Uint8Array(frame.buffer), at);
    // What an earlier round of the log has left has other salts.
    const isOfThisRound =
      frame.getUint32(8) === header.getUint32(16) && frame.getUint32(12) === header.getUint32(20);
    const own = checksumAt(frame, 16);
    const isCommit = isOfThisRound && frame.getUint32(4) !== 0;
    if (isWhole || wasCommit) {
      const start = checksum(before, frame, 0, 8, isLittleEndian);
      const goesOn =
        isOfThisRound && isSame(checksum(start, frame, frameHeaderBytes, pageBytes, isLittleEndian), own);
      if (!isWhole && goesOn) return true;
      isWhole &&= goesOn;
    }
    wasCommit = isCommit;
    before = own;
  }
  return false;
}

/** SQLite's file format, section 4.2. */
function checksum(
  [start0, start1]: Checksum,
  view: DataView,
  offset: number,
  length: number,
  isLittleEndian: boolean,
): Checksum {
  let [s0, s1] = [start0, start1];
  for (let at = offset; at < offset + length; at += 8) {
    s0 = (s0 + view.getUint32(at, isLittleEndian) + s1) >>> 0;
    s1 = (s1 + view.getUint32(at + 4, isLittleEndian) + s0) >>> 0;
  }
  return [s0, s1];
}

function checksumAt(view: DataView, at: number): Checksum {
  return [view.getUint32(at), view.getUint32(at + 4)];
}

function isSame(one: Checksum, other: Checksum): boolean {
  return one[0] === other[0] && one[1] === other[1];
}
