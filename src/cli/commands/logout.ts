import { ChatError } from '../../core/errors.ts';
import { type CommandContext, command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { forgetLogin } from '../forget-login.ts';
import { callTimeoutMs, profileOf, withSession } from '../session.ts';

/** Ends the session on the server, then forgets it here. */
export const logout = command({
  usage: ['logout [--everywhere]'],
  description:
    'Ends the session on the server, then forgets it here. When the server cannot be reached the session is kept (exit 3), ' +
    'so that it can be ended later. Logging out without a login is no error.',
  options: {
    everywhere: { type: 'flag', describe: 'end all sessions of this account, on every device' },
  },
  operands: noOperands,
  examples: [['chat logout --everywhere', 'after a device was lost']],
  async run({ options }, context) {
    const { output } = context;
    const ended = await end(context, options.everywhere);
    await output.note(
      ended === undefined
        ? 'not logged in'
        : `${ended} is logged out${options.everywhere ? ' everywhere' : ''}`,
    );
    if (output.format === 'json')
      await output.result({ logged_out: ended !== undefined, username: ended ?? null }, []);
    return exitOk;
  },
});

/** Answers who was logged out; undefined when nobody was logged in, or no longer. */
async function end(context: CommandContext, everywhere: boolean): Promise<string | undefined> {
  try {
    return await withSession(context, async (session) => {
      if (everywhere)
        await session.connection.call('session.revoke', { all: true }, { timeoutMs: callTimeoutMs });
      else await session.connection.call('session.end', {}, { timeoutMs: callTimeoutMs });
      await forgetLogin(context, session, everywhere);
      return session.username;
    });
  } catch (error) {
    if (!(error instanceof ChatError) || error.code !== 'unauthenticated') throw error;
    if (context.host.env.CHAT_TOKEN === undefined) {
      const profile = profileOf(context);
      await profile.locked(() => profile.remove());
    }
    return undefined;
  }
}
