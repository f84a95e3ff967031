import { ChatError } from '../../../core/errors.ts';
import { filesAt, keyFileOption } from '../../certificate-elsewhere.ts';
import { checkCertificateServer, readNamedWarning } from '../../certificate-login.ts';
import { type Command, command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { otpOption } from '../../one-time-code.ts';
import { usageError } from '../../options.ts';
import { certificateFilesOf, labelOf } from '../../renew-certificate.ts';
import { checkPasswordSource, passwordOptions, readPassword } from '../../secret.ts';
import { callTimeoutMs, resumeAny, withConnection } from '../../session.ts';

const add: Command = command({
  usage: ['sessions certificate add FILE [--key-file FILE] [--name LABEL] [flags]'],
  description:
    'Lets this account log in with a certificate from elsewhere too: a PEM file, those between it and its authority after it. The account is ' +
    'known by its key from then on, whoever signs over that. Takes the password. The files stay where they are, and chat login ' +
    'NAME --certificate goes by them from now on; on another machine --certificate-file names them.',
  options: {
    ...keyFileOption,
    name: {
      type: 'text',
      value: 'LABEL',
      describe: "what the list of certificates calls it; default: this machine's name",
    },
    ...otpOption,
    ...passwordOptions,
  },
  operands: { min: 1, max: 1, names: 'FILE', complete: ['file'] },
  examples: [['chat sessions certificate add mine.crt --key-file mine.key', 'asks for the password']],
  async run({ options, operands }, context) {
    checkCertificateServer(context, 'a certificate');
    const files = filesAt(operands[0] ?? '', options['key-file']);
    const certificate = await readNamedWarning(context, files);
    checkPasswordSource(options, context.host);
    const work = async (connection: Parameters<typeof resumeAny>[1]): Promise<number> => {
      const session = await resumeAny(context, connection);
      const { username } = session;
      const { privacy } = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
      // A connection shows one certificate: the one that is to be added, and not the one that would prove the account.
      if (privacy === 'certificate') {
        throw new ChatError(
          'forbidden',
          `${username} has no password to prove itself with beside this certificate: chat account password gives it one`,
        );
      }
      const password = await readPassword(context, options, false);
      const added = await connection.call(
        'certificate.add',
        {
          label: labelOf(context, options.name),
          proof: await freshProof(context, session, password, options.otp),
        },
        { timeoutMs: callTimeoutMs },
      );
      await certificateFilesOf(context, username).name(files);
      await context.output.note(`added; it logs in with: chat login ${username} --certificate`);
      if (context.output.format === 'json') await context.output.result({ certificate: added }, []);
      return exitOk;
    };
    return await withConnection(context, work, certificate);
  },
});

/** Certificates from elsewhere. */
export const certificate = command({
  usage: ['sessions certificate add FILE [--key-file FILE] [flags]'],
  description:
    'Lets this account log in with a certificate from elsewhere too. chat sessions lists certificates, and chat sessions revoke ID revokes one.',
  options: {},
  operands: noOperands,
  examples: [['chat sessions certificate add mine.crt --key-file mine.key', 'asks for the password']],
  subcommands: [{ name: 'add', summary: 'let one from elsewhere log in', load: async () => add }],
  async run() {
    throw usageError('chat sessions certificate takes a subcommand: see chat sessions certificate --help');
  },
});
