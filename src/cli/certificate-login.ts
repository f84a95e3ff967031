import { formatServerAddress } from '../client/address.ts';
import type { Connection } from '../client/connection.ts';
import { ChatError } from '../core/errors.ts';
import type { Username } from '../core/model/username.ts';
import { withAdvice } from './certificate-advice.ts';
import { type CertificateFiles, isOurKind, makeKey } from './certificate-files.ts';
import type { CommandContext } from './command.ts';
import type { KeptCertificate, NamedFiles } from './kept-certificate.ts';
import { keepRealm } from './known-servers.ts';
import { keepLogin, type LoginRequest, logIn, setUpKeysOf } from './log-in.ts';
import { codePrompt } from './one-time-code.ts';
import { type OptionTable, usageError } from './options.ts';
import type { SavedLogin } from './profile.ts';
import { certificateFilesOf, labelOf, renewCertificate, requestFor } from './renew-certificate.ts';
import { callTimeoutMs, profileOf, savedLogin, withConnection } from './session.ts';

/** The flag by which a command goes by certificate. */
export const certificateOption = {
  certificate: {
    type: 'flag',
    describe: 'with a certificate in the place of a password; its key is made on this machine and stays here',
  },
} as const satisfies OptionTable;

/** Who logs in with a certificate, and on what. */
export interface CertificateLogin extends Omit<LoginRequest, 'password'> {
  /** To go by another certificate from then on, over a new key. */
  readonly isNew?: boolean | undefined;
  /** Files from elsewhere, which are gone by from then on; left out: what is kept here. */
  readonly named?: NamedFiles | undefined;
}

/** Certificates are shown in TLS: throws `invalid` (exit 2) for a server in clear text. */
export function checkCertificateServer({ settings }: CommandContext, what = '--certificate'): void {
  if (settings.server.scheme === 'chat') return;
  throw usageError(`${what} needs TLS, and ${formatServerAddress(settings.server)} is clear text`);
}

const byCertificate = (login: SavedLogin): SavedLogin => ({ ...login, by: 'certificate' });

/** Logs in with the certificate that is kept or named, and keeps the session; throws `unauthenticated` with what to do when it is refused. */
export async function logInByKept(context: CommandContext, request: CertificateLogin): Promise<SavedLogin> {
  const { host } = context;
  const { username, device, otp, recoveryFile, named, isNew = false } = request;
  const files = certificateFilesOf(context, username);
  const kept = await (named ? readNamedWarning(context, named) : files.load());
  if (!kept) throw new ChatError('unauthenticated', `there is no certificate of ${username} here`);
  const work = async (connection: Connection): Promise<SavedLogin> => {
    const before = await profileOf(context).load();
    const own = before?.username === username ? { id: before.device_id } : {};
    const label = device === undefined ? { default_label: host.hostName } : { label: device };
    const asked = { username, device: { ...own, ...label }, otp, askOtp: codePrompt(context) };
    const { session, realm, standing } = await host.client
      .loginByCertificate(connection, asked)
      .catch((error: unknown) => {
        throw withAdvice(error, kept, named !== undefined);
      });
    const login = byCertificate(savedLogin(session, host.now()));
    await keepRealm(host, context.settings.server, { username, realm });
    await keepLogin(context, login, { before, standing });
    if (named) await goBy(connection, files, kept, named);
    if (isNew) await issueNew(context, connection, { username, device });
    await request.onLoggedIn?.(login);
    if (kept.isDue && !isNew) await renewCertificate(context, connection, username);
    await setUpKeysOf(context, connection, { username, password: undefined, realm, recoveryFile }, standing);
    return login;
  };
  return await withConnection(context, work, kept);
}

/** Reads a certificate from elsewhere, and warns of a key that is not its owner's alone. */
export async function readNamedWarning(
  { host, output }: CommandContext,
  files: NamedFiles,
): Promise<KeptCertificate> {
  const { isOpenKey, readNamed } = await import('./certificate-elsewhere.ts');
  const kept = await readNamed(files, host.now());
  if (await isOpenKey(files))
    await output.note(`warning: others on this machine can read ${files.key}: chmod 600 keeps it yours`);
  return kept;
}

/**
 * Goes by a certificate that has just logged in from now on. One from elsewhere stays where it is, since whoever signs it renews it there;
 * one of this server's comes here, where it is renewed as if it had been made here.
 */
async function goBy(
  connection: Connection,
  files: CertificateFiles,
  { certificate, key }: KeptCertificate,
  named: NamedFiles,
): Promise<void> {
  const { certificates } = await connection.call('certificate.list', {}, { timeoutMs: callTimeoutMs });
  const isOurs = certificates.some(({ current, kind }) => current && kind === 'issued');
  await (isOurs && isOurKind(key) ? files.save(certificate, key) : files.name(named));
}

/** Has a certificate signed over a new key for who has just logged in on `connection`, and keeps both. */
async function issueNew(
  context: CommandContext,
  connection: Connection,
  { username, device }: { readonly username: Username; readonly device: string | undefined },
): Promise<void> {
  const files = certificateFilesOf(context, username);
  await files.checkRoom();
  const key = makeKey();
  const signed = await context.host.client.issueCertificate(connection, {
    request: await requestFor(key, username),
    label: labelOf(context, device),
    proof: 'login',
  });
  await files.save(signed.certificate, key);
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
    await issueNew(context, connection, { username, device });
    const kept = byCertificate(login);
    const profile = profileOf(context);
    await profile.locked(() => profile.save(kept));
    await request.onLoggedIn?.(kept);
  };
  return byCertificate(await logIn(context, connection, { ...request, onLoggedIn: issue }));
}
