import { formatServerAddress } from '../client/address.ts';
import type { Connection } from '../client/connection.ts';
import { ChatError } from '../core/errors.ts';
import { type CertificateFiles, makeKey } from './certificate-files.ts';
import type { CommandContext } from './command.ts';
import { keepRealm } from './known-servers.ts';
import { keepLogin, type LoginRequest, logIn, setUpKeysOf } from './log-in.ts';
import { codePrompt } from './one-time-code.ts';
import { type OptionTable, usageError } from './options.ts';
import type { SavedLogin } from './profile.ts';
import { certificateFilesOf, labelOf, renewCertificate, requestFor } from './renew-certificate.ts';
import { profileOf, savedLogin, withConnection } from './session.ts';

/** The flag by which a command goes by certificate. */
export const certificateOption = {
  certificate: {
    type: 'flag',
    describe: 'with a certificate in the place of a password; its key is made on this machine and stays here',
  },
} as const satisfies OptionTable;

/** Who logs in with a certificate, and on what. */
export type CertificateLogin = Omit<LoginRequest, 'password'>;

/** Certificates are shown in TLS: throws `invalid` (exit 2) for a server in clear text. */
export function checkCertificateServer({ settings }: CommandContext): void {
  if (settings.server.scheme === 'chat') return;
  throw usageError(`--certificate needs TLS, and ${formatServerAddress(settings.server)} is clear text`);
}

const byCertificate = (login: SavedLogin): SavedLogin => ({ ...login, by: 'certificate' });

/** Logs in with the certificate that is kept here, and keeps the session; throws `unauthenticated` with what to do when it is refused. */
export async function logInByKept(context: CommandContext, request: CertificateLogin): Promise<SavedLogin> {
  const { host } = context;
  const { username, device, otp, recoveryFile } = request;
  const files = certificateFilesOf(context, username);
  const kept = await files.load();
  if (!kept) throw new ChatError('unauthenticated', `there is no certificate of ${username} here`);
  const work = async (connection: Connection): Promise<SavedLogin> => {
    const before = await profileOf(context).load();
    const own = before?.username === username ? { id: before.device_id } : {};
    const label = device === undefined ? { default_label: host.hostName } : { label: device };
    const asked = { username, device: { ...own, ...label }, otp, askOtp: codePrompt(context) };
    const { session, realm, standing } = await host.client
      .loginByCertificate(connection, asked)
      .catch((error: unknown) => {
        throw withAdvice(error, files);
      });
    const login = byCertificate(savedLogin(session, host.now()));
    await keepRealm(host, context.settings.server, { username, realm });
    await keepLogin(context, login, { before, standing });
    await request.onLoggedIn?.(login);
    if (kept.isDue) await renewCertificate(context, connection, username);
    await setUpKeysOf(context, connection, { username, password: undefined, realm, recoveryFile }, standing);
    return login;
  };
  return await withConnection(context, work, kept);
}

/** True for a login that the server has refused for its certificate's sake: only who has shown a good one hears of a code. */
export function isRefusedCertificate(error: unknown): error is ChatError {
  const isRefused = error instanceof ChatError && error.code === 'unauthenticated';
  return isRefused && !error.message.includes('one-time code');
}

/** What to do about a certificate that the server refuses, which says no more than that. */
function withAdvice(error: unknown, { certificatePath }: CertificateFiles): unknown {
  if (!isRefusedCertificate(error)) return error;
  return new ChatError(
    'unauthenticated',
    `${error.message}: ${certificatePath} may have expired or been revoked. With a password, chat login --certificate --new has ` +
      'another one signed; without one, an administrator gives a code for chat reset --certificate',
    { cause: error },
  );
}

/** Logs in with a password and has a certificate signed over a new key, with which every later login goes. */
export async function logInAndIssue(
  context: CommandContext,
  connection: Connection,
  request: LoginRequest,
): Promise<SavedLogin> {
  const { username, device } = request;
  // The login proves the account for a minute: the keys, which may ask a person something, come after.
  const issue = async (login: SavedLogin): Promise<void> => {
    const key = makeKey();
    const signed = await context.host.client.issueCertificate(connection, {
      request: await requestFor(key, username),
      label: labelOf(context, device),
      proof: 'login',
    });
    await certificateFilesOf(context, username).save(signed.certificate, key);
    const kept = byCertificate(login);
    const profile = profileOf(context);
    await profile.locked(() => profile.save(kept));
    await request.onLoggedIn?.(kept);
  };
  return byCertificate(await logIn(context, connection, { ...request, onLoggedIn: issue }));
}
