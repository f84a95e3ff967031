import { parseUsername } from '../../core/model/username.ts';
import { certificateOption, checkCertificateServer } from '../certificate-login.ts';
import { type CommandContext, command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { canPrompt, type Host } from '../host.ts';
import { warnOf } from '../log-in.ts';
import { type OptionTable, type OptionValues, refuseBoth, usageError } from '../options.ts';
import { resetKey } from '../reset-key.ts';
import {
  checkPasswordSource,
  passwordOptions,
  readName,
  readNamedFile,
  readPassword,
  refusePassword,
} from '../secret.ts';
import { callTimeoutMs, withConnection } from '../session.ts';
import { showStretching } from '../stretching.ts';
import { decodeUtf8, readAll } from '../text-input.ts';

/** The flags by which the code comes; it is as good as a password, and so is never an argument. */
const codeOptions = {
  code: { type: 'flag', describe: 'there is a code: ask for it and for the new password' },
  'code-stdin': { type: 'flag', describe: 'read the code from stdin' },
  'code-file': { type: 'text', value: 'FILE', complete: 'file', describe: 'read the code from a file' },
} as const satisfies OptionTable;

type CodeValues = OptionValues<typeof codeOptions>;

/** Sets a forgotten password anew, by a code. */
export const reset = command({
  usage: ['reset [NAME | ADDRESS]', 'reset NAME --code [flags]'],
  description:
    'Sets a forgotten password anew. Without a code it has one sent to the confirmed e-mail address of the account; the answer is the same ' +
    'whether there is such an account or not. With the code, from the mail or from an administrator, it sets the password, which never ' +
    'leaves this machine, ends all sessions of the account, and revokes its certificates. Nobody is logged in by it, and a second factor stays on. ' +
    'Old private messages were sealed with the password before: the next login asks for their recovery key, without which they stay unread. ' +
    'With --certificate a new key takes the place of a lost one, and of the password.',
  options: { ...codeOptions, ...certificateOption, ...passwordOptions },
  operands: { min: 0, max: 1, names: 'NAME' },
  examples: [
    ['chat reset alice', 'has a code sent by mail'],
    ['chat reset alice --code', 'asks for the code and for the new password'],
    ['chat reset alice --code-file code --password-file pw', 'in a script'],
    ['chat reset alice --code --certificate', 'for who has lost the key of an account without a password'],
  ],
  async run({ options, operands }, context) {
    const hasCode = checkCodeSource(options, context.host);
    if (!hasCode) {
      if (options['password-stdin'] || options['password-file'] !== undefined) {
        throw usageError('a new password needs a code: use --code-stdin or --code-file');
      }
      if (options.certificate)
        throw usageError('a new key needs a code: use --code, --code-stdin or --code-file');
      return await request(context, await readName(context, operands[0]));
    }
    if (options.certificate) return await withCertificate(context, options, operands[0]);
    refuseBoth(options, 'code-stdin', 'password-stdin', 'stdin holds one secret');
    checkPasswordSource(options, context.host);
    const username = parseUsername(await readName(context, operands[0]), 'NAME');
    const code = await readCode(context, options);
    const password = await readPassword(context, options, true);
    return await withConnection(context, async (connection) => {
      try {
        await context.host.client.resetPassword(connection, {
          username,
          code,
          password,
          onProgress: showStretching(context),
          onWarning: warnOf(context),
        });
      } finally {
        context.output.progress(undefined);
      }
      await context.output.note(`the new password is set; log in with: chat login ${username}`);
      if (context.output.format === 'json') await context.output.result({ username }, []);
      return exitOk;
    });
  },
});

async function withCertificate(
  context: CommandContext,
  options: CodeValues & OptionValues<typeof passwordOptions>,
  name: string | undefined,
): Promise<number> {
  checkCertificateServer(context);
  refusePassword(options, 'certificate', 'the key takes the place of a password');
  const username = parseUsername(await readName(context, name), 'NAME');
  const code = await readCode(context, options);
  const { keyPath } = await resetKey(context, { username, code });
  await context.output.note(`the key is ${keyPath}; log in with: chat login ${username} --certificate`);
  if (context.output.format === 'json') await context.output.result({ username }, []);
  return exitOk;
}

async function request(context: CommandContext, typed: string): Promise<number> {
  const named = typed.includes('@') ? { email: typed } : { username: parseUsername(typed, 'NAME') };
  return await withConnection(context, async (connection) => {
    await connection.call('account.request-reset', named, { timeoutMs: callTimeoutMs });
    await context.output.note(
      'if this is an account with a confirmed e-mail address, a code is on its way there; with it: chat reset NAME --code',
    );
    return exitOk;
  });
}

/** True when there is a code; refuses contradicting sources, and a script that nobody can be asked in. */
function checkCodeSource(values: CodeValues, host: Host): boolean {
  refuseBoth(values, 'code-stdin', 'code-file', 'there is one code');
  if (values['code-stdin'] || values['code-file'] !== undefined) return true;
  if (!values.code) return false;
  if (!canPrompt(host)) throw usageError('a code is needed: use --code-stdin or --code-file');
  return true;
}

async function readCode({ host }: CommandContext, values: CodeValues): Promise<string> {
  const path = values['code-file'];
  let typed: string;
  if (values['code-stdin']) typed = decodeUtf8('--code-stdin', await readAll(host.stdin));
  else if (path !== undefined) typed = decodeUtf8('--code-file', await readNamedFile('--code-file', path));
  else typed = await host.prompts.text('Code');
  // A slip of the hand is told before a password is asked for.
  const { mistypedCode, parseOneTimeCode } = await import('../../core/one-time-code.ts');
  const code = parseOneTimeCode(typed);
  if (code === undefined) throw usageError(`code: ${mistypedCode}`);
  return code;
}
