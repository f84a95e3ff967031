import { DatabaseError } from 'pg';
import { ChatError } from '../../../core/errors.ts';

/**
 * What kept a statement from being done. `conflict`: another transaction came between, and this one may be tried again; `race`: a key
 * was there already, which after a look that found none is the same; `locked`: a row is held by somebody; `slow`: it took too long;
 * `lost`: the connection is gone, and with it what was not committed; `full`: no room to write; `down`: no connection could be made;
 * `damaged`: the database has found its own files to be so; `other`: anything else, which is a bug.
 */
export type TroubleKind =
  | 'conflict'
  | 'race'
  | 'locked'
  | 'slow'
  | 'lost'
  | 'full'
  | 'down'
  | 'damaged'
  | 'other';

const kinds: Readonly<Record<string, TroubleKind>> = {
  '40001': 'conflict',
  '40P01': 'conflict',
  '23505': 'race',
  '55P03': 'locked',
  '57014': 'slow',
  // Ended by an administrator, by a crash of another process, by a standby, or after standing still within a transaction.
  '57P01': 'lost',
  '57P02': 'lost',
  '57P03': 'lost',
  '57P05': 'lost',
  '25P03': 'lost',
  // A server that has become a standby: the next connection may find the one that is none.
  '25006': 'lost',
  '53000': 'full',
  '53100': 'full',
  '53200': 'full',
  '53300': 'down',
  '53400': 'full',
  '58030': 'full',
  XX001: 'damaged',
  XX002: 'damaged',
};

/** An error of the database or of the way to it. */
export class Trouble extends Error {
  readonly kind: TroubleKind;

  constructor(kind: TroubleKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** What an error of a statement, or of a commit, means. What has no code of PostgreSQL comes from the way there. */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof DatabaseError)) return new Trouble('lost', message, error);
  const code = error.code ?? '';
  const known = kinds[code];
  const kind = known ?? (error.severity === 'FATAL' || code.startsWith('08') ? 'lost' : 'other');
  return new Trouble(kind, `${message} (${code})`, error);
}

const texts: Readonly<Record<Exclude<TroubleKind, 'other'>, string>> = {
  conflict: 'the database has too much to do at once: try again later',
  race: 'the database has too much to do at once: try again later',
  locked: 'the database is held up by somebody else: try again later',
  slow: 'the database takes too long: try again later',
  lost: 'the connection to the database was lost: try again later',
  full: "the database's disk or memory is full: nothing was stored, try again later",
  down: 'the database cannot be reached: try again later',
  damaged: "the server's database is damaged",
};

/** What a caller of the port gets for it: words that are safe for everybody, or the error itself for a bug. */
export function answerTo(error: unknown): unknown {
  if (!(error instanceof Trouble)) return error;
  if (error.kind === 'other') return new Error(error.message, { cause: error });
  return new ChatError('unavailable', texts[error.kind], { cause: error });
}
