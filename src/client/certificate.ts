import { parseUsername } from '../core/model/username.ts';
import { believed } from './answers.ts';
import { beginRegistration, type RegistrationWishes, settleWishes } from './begin-registration.ts';
import type { Connection } from './connection.ts';
import { BadFrame, instantIn, objectIn, textIn } from './frames.ts';
import { confirm, type LoginOptions, type OpenedSession, readSession, type Standing } from './login.ts';
import { type RegisteredAccount, readRegistered } from './register.ts';
import { withCode } from './second-factor.ts';

/** Who logs in with the certificate that the connection has shown. */
export type CertificateLoginOptions = Pick<LoginOptions, 'username' | 'device' | 'otp' | 'askOtp'>;

/** A certificate as the server has signed it, in PEM; what is in it is yet to be looked at. */
export interface SignedCertificate {
  readonly id: string;
  readonly certificate: string;
  readonly expires_at: string;
}

/** Who registers with a key in the place of a password. */
export interface CertificateRegisterOptions extends RegistrationWishes {
  readonly username: string;
  /** PKCS#10 in PEM; left out for the certificate from elsewhere that the connection has shown. */
  readonly request?: string | undefined;
  /** What the list of certificates calls it. */
  readonly label: string;
}

/**
 * Logs in with the certificate that `connection` was opened with: TLS has proven its key, and the server's own key was judged before.
 * Throws `unauthenticated` for every certificate that does not log in to this account.
 */
export async function loginByCertificate(
  connection: Connection,
  options: CertificateLoginOptions,
): Promise<{ session: OpenedSession; realm: string; standing?: Standing | undefined }> {
  const username = parseUsername(options.username);
  const answer = await withCode(options, (code) =>
    connection.call('login.certificate', {
      username,
      ...(options.device === undefined ? {} : { device: options.device }),
      ...code,
    }),
  );
  const { session, realm } = believed(connection, answer, (value) => ({
    session: readSession(value, username),
    realm: textIn(objectIn(value, 'a session'), 'realm'),
  }));
  return { session, realm, standing: await confirm(connection, session) };
}

/** Creates an account that has no password: whoever has the request's key logs in, or that of the certificate that was shown. Throws `conflict` when the name or the key is taken. */
export async function registerByCertificate(
  connection: Connection,
  options: CertificateRegisterOptions,
): Promise<{ account: RegisteredAccount; signed: SignedCertificate | undefined }> {
  const username = parseUsername(options.username);
  const wishes = await settleWishes(await beginRegistration(connection), options);
  const answer = await connection.call('account.register', {
    username,
    ...(options.request === undefined
      ? { certificate: true as const }
      : { certificate_request: options.request }),
    certificate_label: options.label,
    ...wishes,
  });
  return believed(connection, answer, (value) => ({
    account: readRegistered(value, username),
    signed: options.request === undefined ? undefined : readSigned(objectIn(value, 'an account').certificate),
  }));
}

/** What is proven before a certificate is signed for the account that is logged in; nothing for a renewal of the one that was shown. */
export type CertificateProof = 'login' | 'renewal';

/** Has a certificate signed over the key of a request for the account that is logged in. */
export async function issueCertificate(
  connection: Connection,
  {
    request,
    label,
    proof,
  }: { readonly request: string; readonly label: string; readonly proof: CertificateProof },
): Promise<SignedCertificate> {
  const answer = await connection.call('certificate.issue', {
    request,
    label,
    ...(proof === 'login' ? { proof: { login: true as const } } : {}),
  });
  return believed(connection, answer, readSigned);
}

/** Has a certificate signed in the place of whatever an account could log in with before, by a one-time code. */
export async function resetByCertificate(
  connection: Connection,
  {
    code,
    request,
    label,
    ...options
  }: { readonly username: string; readonly code: string; readonly request: string; readonly label: string },
): Promise<SignedCertificate> {
  const username = parseUsername(options.username);
  const answer = await connection.call('account.reset-password', {
    username,
    code,
    certificate_request: request,
    certificate_label: label,
  });
  return believed(connection, answer, (value) => readSigned(objectIn(value, 'an answer').certificate));
}

/** Reads what a server says that it has signed. */
function readSigned(value: unknown): SignedCertificate {
  const fields = objectIn(value, 'a certificate');
  const certificate = fields.certificate;
  if (typeof certificate !== 'string' || !pemShape.test(certificate))
    throw new BadFrame('a wrong certificate');
  return { id: textIn(fields, 'id'), certificate, expires_at: instantIn(fields, 'expires_at') };
}

const pemShape = /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]{1,16384}-----END CERTIFICATE-----\s*$/;
