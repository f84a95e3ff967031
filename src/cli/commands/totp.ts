import { formatServerAddress } from '../../client/address.ts';
import { ChatError } from '../../core/errors.ts';
import type { OutputOf } from '../../core/operations/index.ts';
import { type CommandContext, command, noOperands } from '../command.ts';
import { endedSessionsText } from '../ended-sessions.ts';
import { escapeForTerminal } from '../escape.ts';
import { exitOk } from '../exit-codes.ts';
import { factorText } from '../factor-text.ts';
import { freshProof } from '../fresh-proof.ts';
import { canPrompt } from '../host.ts';
import { otpOption } from '../one-time-code.ts';
import { refuseBoth } from '../options.ts';
import { qrCodeLines } from '../qr-code.ts';
import { checkProofSource, passwordOptions, readProofPassword } from '../secret.ts';
import { callTimeoutMs, type LoggedIn, withSession } from '../session.ts';

/** Ten slow hashes on a server that may be busy. */
const codesTimeoutMs = 60_000;

/** Recovery codes are data, and are shown this once: an output that did not take them is an error, also one that nobody reads. */
async function showCodes(
  { output, host }: CommandContext,
  answer: { readonly recovery_codes: readonly string[] },
): Promise<void> {
  try {
    await output.result(answer, answer.recovery_codes.map(escapeForTerminal));
    await host.stdout.flush();
  } catch (error) {
    const why = error instanceof ChatError ? error.message : 'nobody reads the output';
    throw new ChatError(
      'invalid',
      `${why}; the recovery codes were not shown: make others with chat totp codes`,
    );
  }
  await output.note(
    'these recovery codes are shown this once: keep them where you would look without your authenticator; ' +
      'each works once in place of a code',
  );
}

/** Shows a new secret to a person: talk, since the recovery codes are the data. */
async function showSecret(context: CommandContext, begun: OutputOf<'account.totp-begin'>): Promise<void> {
  const { output } = context;
  for (const line of (await qrCodeLines(context, begun.uri)) ?? []) await output.log(line);
  await output.log(
    'scan this with an authenticator app, or type its secret there (time based, 6 digits, 30 s):',
  );
  await output.log(begun.secret.match(/.{1,4}/g)?.join(' ') ?? begun.secret);
}

/** Before the password and a code are asked for in vain. */
async function refuseSecond({ connection }: LoggedIn): Promise<void> {
  const { second_factor } = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
  if (second_factor.on) throw new ChatError('conflict', 'this account has a second factor already');
}

async function begin(context: CommandContext, session: LoggedIn, password: string | undefined) {
  const proof = await freshProof(context, session, password);
  const server = formatServerAddress(context.settings.server).replace(/^\w+:\/\//, '');
  const issuer = `chat ${server}`.slice(0, 128);
  return await session.connection.call('account.totp-begin', { proof, issuer }, { timeoutMs: callTimeoutMs });
}

async function confirm(context: CommandContext, { connection }: LoggedIn, code: string): Promise<void> {
  const on = await connection.call('account.totp-confirm', { code }, { timeoutMs: codesTimeoutMs });
  await context.output.note(`the second factor is on; ${endedSessionsText(on.ended_sessions)}`);
  await showCodes(context, on);
}

/** Whose code was wrong may type another one: the secret need not be scanned again. */
async function confirmTyped(context: CommandContext, session: LoggedIn): Promise<void> {
  for (let triesLeft = 3; ; triesLeft -= 1) {
    const code = (await context.host.prompts.text('One-time code')).trim();
    try {
      await confirm(context, session, code);
      return;
    } catch (error) {
      const isWrong = error instanceof ChatError && error.code === 'unauthenticated';
      if (!isWrong || triesLeft === 1) throw error;
      await context.output.log(error.message);
    }
  }
}

const on = command({
  usage: ['totp on [flags]', 'totp on --otp CODE'],
  description:
    'Sets up a second factor: shows its secret, as a QR code too, for an authenticator app, asks for a code of it, and turns it ' +
    'on. Prints ten recovery codes on stdout, once, and ends the other sessions of the account. In a script it prints the ' +
    "secret and its URI; within 15 minutes 'chat totp on --otp CODE' turns it on.",
  options: {
    otp: {
      type: 'text',
      value: 'CODE',
      describe: 'turn on what was set up before: a code that its authenticator shows',
    },
    ...passwordOptions,
  },
  operands: noOperands,
  examples: [
    ['chat totp on', 'asks for the password, then for a code'],
    ['chat totp on -o json | jq -r .uri', 'in a script: what an authenticator reads'],
    ['chat totp on --otp 123456 > recovery-codes', '… and turns it on'],
  ],
  async run({ options }, context) {
    const { otp } = options;
    if (otp !== undefined) {
      for (const name of ['password-stdin', 'password-file'] as const) {
        refuseBoth(options, 'otp', name, 'the password was proven before');
      }
      return await withSession(context, async (session) => {
        await confirm(context, session, otp);
        return exitOk;
      });
    }
    await checkProofSource(context, options);
    return await withSession(context, async (session) => {
      await refuseSecond(session);
      const begun = await begin(context, session, await readProofPassword(context, options));
      if (!canPrompt(context.host)) {
        await context.output.result(begun, [begun.secret, begun.uri].map(escapeForTerminal));
        await context.output.note('not on yet; turn it on within 15 minutes: chat totp on --otp CODE');
        return exitOk;
      }
      await showSecret(context, begun);
      await confirmTyped(context, session);
      return exitOk;
    });
  },
});

const off = command({
  usage: ['totp off [flags]'],
  description:
    'Turns the second factor off, with its recovery codes, and ends the other sessions of the account.',
  options: { ...otpOption, ...passwordOptions },
  operands: noOperands,
  examples: [['chat totp off', 'asks for the password and a code']],
  async run({ options }, context) {
    await checkProofSource(context, options);
    return await withSession(context, async (session) => {
      const password = await readProofPassword(context, options);
      const proof = await freshProof(context, session, password, options.otp);
      const answer = await session.connection.call(
        'account.totp-off',
        { proof },
        { timeoutMs: callTimeoutMs },
      );
      await context.output.note(`the second factor is off; ${endedSessionsText(answer.ended_sessions)}`);
      if (context.output.format === 'json') await context.output.result(answer, []);
      return exitOk;
    });
  },
});

const codes = command({
  usage: ['totp codes [flags]'],
  description: 'Prints ten new recovery codes, once; those from before are worth nothing from then on.',
  options: { ...otpOption, ...passwordOptions },
  operands: noOperands,
  examples: [['chat totp codes > recovery-codes', 'asks for the password and a code']],
  async run({ options }, context) {
    await checkProofSource(context, options);
    return await withSession(context, async (session) => {
      const password = await readProofPassword(context, options);
      const proof = await freshProof(context, session, password, options.otp);
      const call = { timeoutMs: codesTimeoutMs };
      await showCodes(context, await session.connection.call('account.recovery-codes', { proof }, call));
      return exitOk;
    });
  },
});

/** Tells whether the second factor is on, and sets it up. */
export const totp = command({
  usage: ['totp', 'totp on', 'totp off', 'totp codes'],
  description:
    'Tells whether the account has a second factor: codes of an authenticator app (TOTP, RFC 6238), which every login is asked ' +
    'for besides the password, and how many recovery codes are left.',
  options: {},
  operands: noOperands,
  examples: [['chat totp on', 'set it up']],
  subcommands: [
    { name: 'on', summary: 'set up a second factor', load: async () => on },
    { name: 'off', summary: 'turn it off', load: async () => off },
    { name: 'codes', summary: 'make new recovery codes', load: async () => codes },
  ],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const { second_factor: factor } = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
      await context.output.result(factor, factorText(factor));
      return exitOk;
    });
  },
});
