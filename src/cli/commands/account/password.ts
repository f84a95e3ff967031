import { parsePassword } from '../../../core/model/password.ts';
import { type CommandContext, command, noOperands } from '../../command.ts';
import { endedSessionsText } from '../../ended-sessions.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { sealForNewPassword, takeBackup } from '../../keys-at-password-change.ts';
import { openKnownServers, pinOf } from '../../known-servers.ts';
import { warnOf } from '../../log-in.ts';
import { otpOption } from '../../one-time-code.ts';
import { refuseBoth, usageError } from '../../options.ts';
import {
  checkPasswordSources,
  newPasswordOptions,
  passwordOptions,
  readNewPassword,
  readProofPassword,
} from '../../secret.ts';
import { callTimeoutMs, type LoggedIn, withSession } from '../../session.ts';
import { showStretching } from '../../stretching.ts';

type Privacy = 'private' | 'open';

/** The next login may ask for the new cost, and is to ask for nothing less. */
async function keepCost({ host, settings }: CommandContext, username: string, cost: number): Promise<void> {
  await openKnownServers(host).update(settings.server, (known) => {
    const pin = Object.hasOwn(known.logins, username) ? known.logins[username] : undefined;
    if (!pin || pin.cost >= cost) return known;
    return { ...known, logins: { ...known.logins, [username]: { ...pin, cost } } };
  });
}

async function change(
  context: CommandContext,
  session: LoggedIn,
  given: {
    readonly old: string | undefined;
    readonly next: string;
    readonly privacy: Privacy;
    readonly otp: string | undefined;
  },
) {
  const { host, settings, output } = context;
  const { connection, username } = session;
  try {
    const changed = await host.client.changePassword(connection, {
      username,
      newPassword: given.next,
      privacy: given.privacy,
      prove: () => freshProof(context, session, given.old, given.otp),
      sealKeys: () => sealForNewPassword(context, session, given),
      pin: await pinOf(host, settings.server, username),
      onProgress: showStretching(context),
      onWarning: warnOf(context),
    });
    await keepCost(context, username, changed.cost);
    const hasKeys = await takeBackup(context, session);
    return { ...changed, hasKeys };
  } finally {
    output.progress(undefined);
  }
}

/** Changes the password, and whether doors may be shown it. */
export const password = command({
  usage: ['account password [--open | --private] [flags]'],
  description:
    'Changes the password of the account that is logged in, and ends all its other sessions. Asks for the old password, unless the login is by ' +
    'certificate, then for the new one twice. Neither leaves this machine. A private account logs in with chat; the password of an open one works at every door, which ' +
    'may be shown it. Without --open and --private it stays what it is.',
  options: {
    open: { type: 'flag', describe: 'from now on the password works at every door; it may be the old one' },
    private: {
      type: 'flag',
      describe: 'from now on no door takes the password: chat logs in, others need a token',
    },
    ...otpOption,
    ...passwordOptions,
    ...newPasswordOptions,
  },
  operands: noOperands,
  examples: [
    ['chat account password', 'asks for both passwords'],
    ['chat account password --password-file old --new-password-file new', 'in a script'],
    ['chat account password --private', 'takes the password away from the doors that show it'],
  ],
  async run({ options }, context) {
    refuseBoth(options, 'open', 'private', 'an account is one of them');
    await checkPasswordSources(context, options);
    return await withSession(context, async (session) => {
      const me = await session.connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
      const before: Privacy = me.privacy === 'open' ? 'open' : 'private';
      const privacy: Privacy = options.open ? 'open' : options.private ? 'private' : before;
      const old = await readProofPassword(context, options);
      const next = await readNewPassword(context, options);
      if (!options.open && old !== undefined && parsePassword(next) === parsePassword(old)) {
        throw usageError('the new password is the old one; nothing was done');
      }
      const given = { old, next, privacy, otp: options.otp };
      const { ended_sessions, hasKeys } = await change(context, session, given);
      const switched = privacy === me.privacy ? '' : `; the account is ${privacy} now`;
      await context.output.note(`the password is changed${switched}; ${endedSessionsText(ended_sessions)}`);
      if (hasKeys && privacy === 'open' && me.privacy === 'private') {
        await context.output.note(
          'on other machines the recovery key alone brings the keys of private messages from now on: chat keys backup makes one',
        );
      }
      if (context.output.format === 'json') {
        await context.output.result({ username: session.username, privacy, ended_sessions }, []);
      }
      return exitOk;
    });
  },
});
