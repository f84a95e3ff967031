import { METHODS } from 'node:http';

/** Which door the first bytes of a connection knock at (spec: five-systems, introduction). */
export type DoorKind = 'tls' | 'http' | 'line' | 'batch' | 'slash' | 'pipe' | 'text' | 'too-long';

/** Takes the first bytes of one connection piece by piece, until they decide. */
export interface FirstBytes {
  /** Looks at what came next; undefined when more is needed. */
  feed(bytes: Uint8Array): DoorKind | undefined;
  /** The peer sends no more: decides as if the line were finished; undefined when there was none. */
  end(): DoorKind | undefined;
}

const handshakeRecord = 0x16;
const newline = 0x0a;
const carriageReturn = 0x0d;
const bar = 0x7c;

/** Doors that their first byte decides. */
const byFirstByte: ReadonlyMap<number, DoorKind> = new Map([
  [handshakeRecord, 'tls'],
  [0x7b, 'line'], // {
  [0x5b, 'batch'], // [
  [0x2f, 'slash'], // /
  [0x40, 'slash'], // @
]);

/** All that Node's parser knows (RFC 9110 section 9.1, RFC 5789, WebDAV …); PRI begins HTTP/2 (RFC 9113 section 3.4). */
const methods: readonly string[] = [...METHODS, 'PRI'].map((method) => `${method} `);
const bareVerbs: readonly string[] = ['PING', 'USERS', 'LOGOUT', 'QUIT'];
/** Longer than each method with its space, and than each bare verb with its CRLF. */
const headLength =
  1 + Math.max(...[...methods, ...bareVerbs.map((verb) => `${verb}\r\n`)].map((text) => text.length));

/**
 * Builds the detector. Empty lines before the first one are skipped (RFC 9112 section 2.2). A pipe line is known by
 * its first `|`, HTTP by a method and its space; everything else needs its whole first line, at most `maxLineBytes`
 * (0 for any length).
 */
export function firstBytes(maxLineBytes: number): FirstBytes {
  /** The first bytes of the first line, as far as a method or a verb may reach. */
  let head = '';
  let lineBytes = 0;

  function feedHead(bytes: Uint8Array): { verdict?: DoorKind; used: number } {
    let used = 0;
    for (const byte of bytes) {
      used += 1;
      if (head === '') {
        if (byte === newline || byte === carriageReturn) continue;
        const verdict = byFirstByte.get(byte);
        if (verdict) return { verdict, used };
      }
      if (byte === newline) return { verdict: wholeLine(), used };
      if (byte === bar) return { verdict: 'pipe', used };
      head += String.fromCharCode(byte);
      lineBytes += 1;
      if (methods.includes(head)) return { verdict: 'http', used };
      if (head.length === headLength) break;
    }
    return { used };
  }

  function wholeLine(): DoorKind {
    return bareVerbs.includes(head.replace(/\r$/, '')) ? 'pipe' : 'text';
  }

  function feedRest(bytes: Uint8Array): DoorKind | undefined {
    const lineEnd = bytes.indexOf(newline);
    const line = lineEnd < 0 ? bytes : bytes.subarray(0, lineEnd);
    if (line.includes(bar)) return 'pipe';
    lineBytes += line.length;
    if (maxLineBytes !== 0 && lineBytes > maxLineBytes) return 'too-long';
    return lineEnd < 0 ? undefined : 'text';
  }

  return {
    feed(bytes) {
      if (head.length === headLength) return feedRest(bytes);
      const { verdict, used } = feedHead(bytes);
      if (verdict || head.length < headLength) return verdict;
      return feedRest(bytes.subarray(used));
    },
    end() {
      if (head === '') return undefined;
      return wholeLine();
    },
  };
}
