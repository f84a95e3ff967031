import { parseUsername, type Username } from '../../../core/model/username.ts';
import type { CommandContext } from '../../command.ts';
import { freshProof } from '../../fresh-proof.ts';
import { otpOption } from '../../one-time-code.ts';
import type { OptionValues } from '../../options.ts';
import { checkProofSource, passwordOptions, readProofPassword } from '../../secret.ts';
import { type LoggedIn, withSession } from '../../session.ts';

/** The flags by which an administrator proves who asks. */
export const ownProofOptions = { ...otpOption, ...passwordOptions } as const;

/**
 * Does to the account that the operand names what a session alone may not: `work` gets a fresh proof of the administrator's own
 * password or certificate.
 */
export async function withOwnProof<T>(
  { operands, options }: { operands: readonly string[]; options: OptionValues<typeof ownProofOptions> },
  context: CommandContext,
  work: (
    connection: LoggedIn['connection'],
    input: { username: Username; proof: Awaited<ReturnType<typeof freshProof>> },
  ) => Promise<T>,
): Promise<T> {
  const username = parseUsername((operands[0] ?? '').replace(/^@/, ''), 'USER');
  await checkProofSource(context, options);
  return await withSession(context, async (session) => {
    const password = await readProofPassword(context, options);
    const proof = await freshProof(context, session, password, options.otp);
    return await work(session.connection, { username, proof });
  });
}
