import { parseUsername } from '../../../core/model/username.ts';
import { type Command, type CommandContext, command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { callTimeoutMs, type LoggedIn, withSession } from '../../session.ts';

/** A subcommand that does one thing to one account. */
interface AccountCommand {
  readonly name: string;
  readonly description: string;
  readonly example: string;
  call(connection: LoggedIn['connection'], username: string): Promise<unknown>;
  /** What is said when it was done. */
  done(username: string): string;
}

function accountCommand({ name, description, example, call, done }: AccountCommand): Command {
  return command({
    usage: [`admin ${name} USER`],
    description,
    options: {},
    operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
    examples: [[`chat admin ${name} bob`, example]],
    async run({ operands }, context: CommandContext) {
      const username = parseUsername((operands[0] ?? '').replace(/^@/, ''), 'USER');
      return await withSession(context, async ({ connection }) => {
        await call(connection, username);
        await context.output.note(done(username));
        if (context.output.format === 'json') await context.output.result({ username }, []);
        return exitOk;
      });
    },
  });
}

const timeout = { timeoutMs: callTimeoutMs };

/** Lets nobody log in to an account. */
export const disable = accountCommand({
  name: 'disable',
  description:
    'Lets nobody log in to an account any more: its sessions end at once, its connections close. Its messages stay, ' +
    'and what is written to it is kept for it.',
  example: 'ends all sessions of bob',
  call: (connection, username) => connection.call('admin.disable', { username }, timeout),
  done: (username) => `${username} is disabled, and its sessions have ended`,
});

/** Lets an account be used again. */
export const enable = accountCommand({
  name: 'enable',
  description: 'Lets the owner of a disabled account log in again.',
  example: 'bob may log in again',
  call: (connection, username) => connection.call('admin.enable', { username }, timeout),
  done: (username) => `${username} is enabled`,
});

/** Makes an administrator one no more. */
export const revoke = accountCommand({
  name: 'revoke',
  description: 'Makes an account no administrator any more, at once on its open connections.',
  example: 'bob is no administrator any more',
  call: (connection, username) =>
    connection.call('admin.set-administrator', { username, admin: false }, timeout),
  done: (username) => `${username} is no administrator any more`,
});
