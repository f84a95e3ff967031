import { readFile, stat } from 'node:fs/promises';
import { ChatError } from '../../core/errors.ts';

const leastBytes = 32;
/** Nobody's secret is longer: it is another file. */
const mostBytes = 4_096;
/** Fewer different bytes are no chance: a line of one character, or a word written many times. */
const leastDifferent = 12;

/**
 * Reads what all nodes of a server know and nobody else: a file of at least 32 random bytes or characters, for its owner alone; what
 * stands around a text (a newline) is no part of it. Throws `invalid` that names the file, and what to do.
 */
export async function readClusterSecret(path: string): Promise<Uint8Array> {
  const bytes = await contentsOf(path);
  const secret = isText(bytes) ? Buffer.from(bytes.toString('latin1').trim(), 'latin1') : bytes;
  if (secret.length < leastBytes) {
    const has = bytes.length === 0 ? 'is empty' : `has ${secret.length} bytes`;
    throw refused(path, `${has}, and ${leastBytes} are the least: ${making(path)}`);
  }
  if (secret.length > mostBytes)
    throw refused(path, `has more than ${mostBytes} bytes: it is no such secret`);
  if (new Set(secret).size < leastDifferent) throw refused(path, `is not random: ${making(path)}`);
  return new Uint8Array(secret);
}

async function contentsOf(path: string): Promise<Buffer> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw refused(path, 'is no file: give the path of one');
    if (process.platform !== 'win32' && (found.mode & 0o077) !== 0) {
      throw refused(path, `can be read or written by others: run chmod 600 ${path}`);
    }
    if (found.size > mostBytes) throw refused(path, `has more than ${mostBytes} bytes: it is no such secret`);
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof ChatError || code === undefined) throw error;
    if (code === 'ENOENT') throw refused(path, `is not there: ${making(path)}`);
    throw refused(path, `cannot be read (${code}): it must be a file that this server's user can read`);
  }
}

const isText = (bytes: Buffer): boolean => /^[\t\r\n\x20-\x7e]*$/.test(bytes.toString('latin1'));

const making = (path: string): string =>
  `make it once with (umask 077; head -c 32 /dev/urandom | base64 > ${path}), and give every node the same`;

const refused = (path: string, why: string): ChatError =>
  new ChatError('invalid', `--cluster-secret: ${path} ${why}`, { field: 'cluster-secret' });
