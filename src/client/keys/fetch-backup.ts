import type { KeyBackup } from '../../core/e2ee/key-backup.ts';
import { ChatError } from '../../core/errors.ts';
import { believed } from '../answers.ts';
import type { Caller } from '../connection.ts';
import { BadFrame, objectIn, textIn } from '../frames.ts';
import type { FreshProof } from '../prove-again.ts';

/** A backup as the server keeps it, nothing of it opened. */
export interface KeptBackup {
  readonly backup: KeyBackup;
  readonly version: number;
}

/** What is sealed, in base64url. */
const sealedShape = /^[\w.-]{1,32768}$/;

/** Asks for the sealed backup that the server keeps; undefined without one. `prove` is for a login that is too old to be given it. */
export async function fetchBackup(
  connection: Caller,
  prove?: () => Promise<FreshProof>,
): Promise<KeptBackup | undefined> {
  const proof = await prove?.();
  const answer = await orUndefined(connection.call('keys.restore', proof === undefined ? {} : { proof }));
  if (answer === undefined) return undefined;
  return believed(connection, answer, (value) => {
    const { backup, version } = objectIn(value, 'an answer');
    const fields = objectIn(backup, 'a backup');
    const { password_wrap: byPassword } = fields;
    if (!Number.isSafeInteger(version)) throw new BadFrame('a wrong version');
    if (byPassword !== undefined && typeof byPassword !== 'string')
      throw new BadFrame('a wrong password_wrap');
    return {
      version: Number(version),
      backup: {
        contents: textIn(fields, 'contents', sealedShape),
        recovery_wrap: textIn(fields, 'recovery_wrap', sealedShape),
        ...(byPassword !== undefined && { password_wrap: byPassword }),
      },
    };
  });
}

/** What there is not is undefined. */
async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ChatError && error.code === 'not-found') return undefined;
    throw error;
  }
}
