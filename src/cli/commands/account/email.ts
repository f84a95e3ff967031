import type { OutputOf } from '../../../core/operations/index.ts';
import { type CommandContext, command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { otpOption } from '../../one-time-code.ts';
import { usageError } from '../../options.ts';
import { checkProofSource, passwordOptions, readProofPassword } from '../../secret.ts';
import { callTimeoutMs, type LoggedIn, withSession } from '../../session.ts';

const howToConfirm = 'a code is on its way; confirm it with: chat account email --verify CODE';

/** Shows, sets and confirms the account's e-mail address. */
export const email = command({
  usage: [
    'account email',
    'account email ADDRESS [flags]',
    'account email --send',
    'account email --verify CODE',
  ],
  description:
    'Prints the e-mail address of the account and whether it is confirmed. ADDRESS takes its place, for the password; the old one, if it ' +
    'was confirmed, is told. A server that sends mail sends a code there, and --verify with it confirms the address: a forgotten ' +
    'password can be set anew through a confirmed address only.',
  options: {
    verify: {
      type: 'text',
      value: 'CODE',
      describe: 'confirm the address by the code that was sent there; it works once, for an hour',
    },
    send: { type: 'flag', describe: 'have a code sent again; the one before it is dead' },
    ...passwordOptions,
    ...otpOption,
  },
  operands: { min: 0, max: 1, names: 'ADDRESS' },
  examples: [
    ['chat account email alice@example.org', 'asks for the password'],
    ['chat account email --verify K7QM-2F0V-…', 'with the code from the mail'],
  ],
  async run({ options, operands }, context) {
    const [address] = operands;
    const { verify, send } = options;
    const wishes = [address, verify, send ? send : undefined].filter((wish) => wish !== undefined);
    if (wishes.length > 1) throw usageError('ADDRESS, --verify and --send are three things: give one');
    if (address !== undefined) await checkProofSource(context, options);
    return await withSession(context, async (session) => {
      if (address !== undefined) {
        const password = await readProofPassword(context, options);
        await set(context, session, { address, password, otp: options.otp });
      } else if (verify !== undefined) await confirm(context, session, verify);
      else if (send) await sendCode(context, session);
      else await show(context, session);
      return exitOk;
    });
  },
});

async function set(
  context: CommandContext,
  session: LoggedIn,
  { address, password, otp }: { address: string; password: string | undefined; otp: string | undefined },
) {
  const proof = await freshProof(context, session, password, otp);
  const answer = await session.connection.call(
    'account.set-email',
    { email: address, proof },
    { timeoutMs: callTimeoutMs },
  );
  const state = answer.email_verified
    ? 'it is confirmed'
    : answer.mail_sent
      ? howToConfirm
      : 'it is not confirmed, and no code was sent';
  await context.output.note(`the e-mail address is ${answer.email}; ${state}`);
  await told(context, answer);
}

async function confirm(context: CommandContext, { connection }: LoggedIn, code: string) {
  const answer = await connection.call('account.verify-email', { code }, { timeoutMs: callTimeoutMs });
  await context.output.note(`${answer.email} is confirmed`);
  await told(context, { ...answer, email_verified: true });
}

async function sendCode(context: CommandContext, { connection }: LoggedIn) {
  const answer = await connection.call(
    'account.request-email-verification',
    {},
    { timeoutMs: callTimeoutMs },
  );
  await context.output.note(
    answer.email_verified ? `${answer.email} is confirmed already` : `${answer.email}: ${howToConfirm}`,
  );
  await told(context, answer);
}

/** What was done is talk, but a program may want to know. */
async function told({ output }: CommandContext, answer: object) {
  if (output.format === 'json') await output.result(answer, []);
}

async function show(context: CommandContext, { connection }: LoggedIn) {
  const me: OutputOf<'account.me'> = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
  const { email: address, email_verified } = me;
  await context.output.result({ email: address, email_verified }, address === null ? [] : [address]);
  if (address === null) await context.output.note('this account has no e-mail address');
  else if (!email_verified)
    await context.output.note('it is not confirmed; where the server sends mail: chat account email --send');
}
