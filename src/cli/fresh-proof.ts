import type { ExchangeProof } from '../client/prove-again.ts';
import { ChatError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';
import { pinOf } from './known-servers.ts';
import { codePrompt } from './one-time-code.ts';
import { callTimeoutMs, type LoggedIn } from './session.ts';
import { showStretching } from './stretching.ts';

/**
 * Makes the proof that a risky operation takes from a person who has just given the password, showing on a terminal that it is
 * being stretched. Good for one call on the session's connection. Where the account has a second factor its code is `otp`, or is asked for;
 * throws `second-factor-required` (exit 11) in a script without one.
 */
export async function freshProof(
  context: CommandContext,
  { connection, username }: Pick<LoggedIn, 'connection' | 'username'>,
  password: string,
  otp?: string,
): Promise<ExchangeProof> {
  const { second_factor: factor } = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
  const code = factor.on ? (otp ?? (await askCode(context))) : undefined;
  const pin = await pinOf(context.host, context.settings.server, username);
  try {
    const proof = await context.host.client.proveAgain(connection, {
      username,
      password,
      onProgress: showStretching(context),
      ...(pin === undefined ? {} : { pin }),
    });
    return code === undefined ? proof : { ...proof, otp: code };
  } finally {
    context.output.progress(undefined);
  }
}

async function askCode(context: CommandContext): Promise<string> {
  const ask = codePrompt(context);
  if (ask) return await ask();
  throw new ChatError('second-factor-required', 'this account has a second factor: give its code with --otp');
}
