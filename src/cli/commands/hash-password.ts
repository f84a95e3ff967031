import { parseUsername } from '../../core/model/username.ts';
import { command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { openKnownServers } from '../known-servers.ts';
import { checkPasswordSource, passwordOptions, readName, readPassword } from '../secret.ts';
import { withConnection } from '../session.ts';
import { showStretching } from '../stretching.ts';

/** Prints what the pipe door takes in place of a password. */
export const hashPassword = command({
  usage: ['hash-password [NAME] [flags]'],
  description:
    'Prints the hashed password of NAME for the pipe door, as REGISTER and AUTH take it; the password itself never ' +
    'leaves this machine. It is the same before and after NAME is registered. ' +
    'Whoever has it can log in to this server as NAME until the password changes.',
  options: passwordOptions,
  operands: { min: 0, max: 1, names: 'NAME' },
  examples: [
    ['chat hash-password bot --password-file pw', 'prints v1.…'],
    ['printf "AUTH|bot|%s\\n" "$(chat hash-password bot)"', 'a line for the pipe door'],
  ],
  async run({ options, operands }, context) {
    const { host, output, settings } = context;
    checkPasswordSource(options, host);
    const username = parseUsername(await readName(context, operands[0]), 'NAME');
    const known = await openKnownServers(host).load(settings.server);
    const password = await readPassword(context, options, false);
    return await withConnection(context, async (connection) => {
      const hashed = await host.client.hashPassword(connection, {
        username,
        password,
        pin: Object.hasOwn(known.logins, username) ? known.logins[username] : undefined,
        onProgress: showStretching(context),
      });
      output.progress(undefined);
      if (host.stdout.isTerminal) {
        await output.note(`warning: whoever sees this can log in as ${username} until the password changes`);
      }
      await output.result(hashed, hashed.hashed_password);
      return exitOk;
    });
  },
});
