import type { OutputOf } from '../../../core/operations/index.ts';
import { type CommandContext, command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { usageError } from '../../options.ts';
import { callTimeoutMs } from '../../session.ts';
import { withOwnProof } from './with-own-proof.ts';
import { recoveryOptions, withoutLogin } from './without-login.ts';

const off = command({
  usage: [
    'admin totp off USER [flags]',
    'admin totp off USER --data DIR',
    'admin totp off USER --cluster-secret FILE',
  ],
  description:
    'Takes the second factor of an account away, with its recovery codes, for an owner who has lost both: be sure that it is the owner who ' +
    'asks. All sessions of the account end; the next login asks for the password alone, and says what was done. Asks for your own password.\n\n' +
    "Two ways need no login, for the last administrator: --data on the server's machine while the server is stopped, and " +
    '--cluster-secret in the database that CHAT_STORE names, while its nodes run or not.',
  options: recoveryOptions,
  operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
  examples: [
    ['chat admin totp off alice', 'asks for your password, and alice logs in without a code'],
    ['chat admin totp off alice --password-file pw', 'in a script'],
    ['chat admin totp off alice --data /var/lib/chat', 'nobody is left who could log in and do it'],
    [
      'chat admin totp off alice --cluster-secret /etc/chat/cluster-secret',
      'the same, of a server over PostgreSQL',
    ],
  ],
  async run(args, context) {
    const done = await withoutLogin(args, context, async (recovery, username) =>
      show(context, { username, ended_sessions: await recovery.takeSecondFactor(username) }),
    );
    if (done !== undefined) return done;
    return await withOwnProof(args, context, async (connection, input) =>
      show(context, await connection.call('admin.take-second-factor', input, { timeoutMs: callTimeoutMs })),
    );
  },
});

async function show(
  { output }: CommandContext,
  answer: OutputOf<'admin.take-second-factor'>,
): Promise<number> {
  const { username, ended_sessions: ended } = answer;
  await output.note(
    `${username} has no second factor any more; ended ${ended === 1 ? '1 session' : `${ended} sessions`}`,
  );
  if (output.format === 'json') await output.result(answer, []);
  return exitOk;
}

/** Takes second factors away. */
export const totp = command({
  usage: ['admin totp off USER [flags]'],
  description: 'Takes the second factor of an account away, for an owner who cannot give its codes any more.',
  options: {},
  operands: noOperands,
  examples: [['chat admin totp off alice', 'asks for your password, and alice logs in without a code']],
  subcommands: [{ name: 'off', summary: 'take it away', load: async () => off }],
  async run() {
    throw usageError('chat admin totp takes a subcommand: see chat admin totp --help');
  },
});
