import type { ExchangeProof } from '../client/prove-again.ts';
import type { CommandContext } from './command.ts';
import { pinOf } from './known-servers.ts';
import { showStretching } from './log-in.ts';
import type { LoggedIn } from './session.ts';

/**
 * Makes the proof that a risky operation takes from a person who has just given the password, showing on a terminal that it is
 * being stretched. Good for one call on the session's connection.
 */
export async function freshProof(
  context: CommandContext,
  { connection, username }: LoggedIn,
  password: string,
): Promise<ExchangeProof> {
  const pin = await pinOf(context.host, context.settings.server, username);
  try {
    return await context.host.client.proveAgain(connection, {
      username,
      password,
      onProgress: showStretching(context),
      ...(pin === undefined ? {} : { pin }),
    });
  } finally {
    context.output.progress(undefined);
  }
}
