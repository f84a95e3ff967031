import type { FreshProof } from '../client/prove-again.ts';
import { ChatError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';
import { pinOf } from './known-servers.ts';
import { codePrompt } from './one-time-code.ts';
import { callTimeoutMs, type LoggedIn } from './session.ts';
import { showStretching } from './stretching.ts';

/** Who proves, on which connection. */
export type ProvingSession = Pick<LoggedIn, 'connection' | 'username'> &
  Partial<Pick<LoggedIn, 'showsCertificate'>>;

/**
 * Makes the proof that a risky operation takes from a person who has just given the password, showing on a terminal that it is being
 * stretched; without a password, that the connection has shown a certificate of the account. Good for one call on the session's
 * connection. Where the account has a second factor its code is `otp`, or is asked for; throws `second-factor-required` (exit 11) in a
 * script without one.
 */
export async function freshProof(
  context: CommandContext,
  { connection, username, showsCertificate = false }: ProvingSession,
  password: string | undefined,
  otp?: string,
): Promise<FreshProof> {
  if (password === undefined && !showsCertificate) {
    throw new ChatError(
      'unauthenticated',
      `the certificate of ${username} is not here any more: give the password, or log in again`,
    );
  }
  const { second_factor: factor } = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
  const code = factor.on ? (otp ?? (await askCode(context))) : undefined;
  const withFactor = code === undefined ? {} : { otp: code };
  if (password === undefined) return { certificate: true, ...withFactor };
  const pin = await pinOf(context.host, context.settings.server, username);
  try {
    const proof = await context.host.client.proveAgain(connection, {
      username,
      password,
      onProgress: showStretching(context),
      ...(pin === undefined ? {} : { pin }),
    });
    return { ...proof, ...withFactor };
  } finally {
    context.output.progress(undefined);
  }
}

async function askCode(context: CommandContext): Promise<string> {
  const ask = codePrompt(context);
  if (ask) return await ask();
  throw new ChatError('second-factor-required', 'this account has a second factor: give its code with --otp');
}
