import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { ChatError } from '../../core/errors.ts';

/** Where a piece ends: so much is in memory at a time, and is done again after a kill. */
export interface PieceBounds {
  readonly rows: number;
  readonly characters: number;
}

/** Half a second of work for one piece, about. */
export const usualBounds: PieceBounds = { rows: 50_000, characters: 8_388_608 };

/** A piece and its longest row, in bytes: what is larger when it is taken apart was not written here. */
const maxBytes = 4 * usualBounds.characters;

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** Packs rows as they are spelled: the speed counts more than the size. */
export async function packPiece(text: string): Promise<Uint8Array> {
  return await zip(text, { level: constants.Z_BEST_SPEED });
}

/** Unpacks what {@link packPiece} has packed. Throws `unavailable` for anything else, naming the piece. */
export async function unpackPiece(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<string> {
  try {
    return (await unzip(bytes, { maxOutputLength: maxBytes })).toString('utf8');
  } catch (cause) {
    throw new ChatError('unavailable', `${name} is damaged: export again, into another directory`, { cause });
  }
}

/** The rows of a piece, without their line ends. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  lines.pop();
  return lines;
}
