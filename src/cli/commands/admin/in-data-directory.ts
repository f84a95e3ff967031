import { parseUsername, type Username } from '../../../core/model/username.ts';
import type { Recovery } from '../../../server/recovery.ts';
import { type OptionTable, refuseBoth } from '../../options.ts';
import { ownProofOptions } from './with-own-proof.ts';

/** The flags of what an administrator does with a fresh proof, and whoever has the data directory without one. */
export const recoveryOptions = {
  ...ownProofOptions,
  data: {
    type: 'text',
    value: 'DIR',
    complete: 'file',
    describe:
      "do it on the server's machine, in the data directory of a server that is stopped, without a login",
  },
} as const satisfies OptionTable;

/** Does to the account that the operand names what `work` does, in the data directory `directory` of a server that does not run. */
export async function inDataDirectory<Result>(
  directory: string,
  { operands, options }: { operands: readonly string[]; options: Readonly<Record<string, unknown>> },
  work: (recovery: Recovery, username: Username) => Promise<Result>,
): Promise<Result> {
  const username = parseUsername((operands[0] ?? '').replace(/^@/, ''), 'USER');
  for (const name of ['otp', 'password-stdin', 'password-file'])
    refuseBoth(options, 'data', name, 'nobody logs in there');
  const { recoverIn } = await import('../../../server/recovery.ts');
  return await recoverIn(directory, (recovery) => work(recovery, username));
}
