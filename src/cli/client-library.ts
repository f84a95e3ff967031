import type {
  issueCertificate,
  loginByCertificate,
  registerByCertificate,
  resetByCertificate,
} from '../client/certificate.ts';
import type { changePassword } from '../client/change-password.ts';
import type { Connection, connect } from '../client/connection.ts';
import type { follow, history } from '../client/follow.ts';
import type { hashPassword } from '../client/hash-password.ts';
import type { SetUpKeys, SetUpOptions } from '../client/keys/set-up.ts';
import type { login } from '../client/login.ts';
import type { proveAgain } from '../client/prove-again.ts';
import type { register } from '../client/register.ts';
import type { resetPassword } from '../client/reset-password.ts';
import type { resume } from '../client/resume.ts';
import type { sendMany, sendReliably } from '../client/send.ts';

/** What the commands use of `src/client`, as one object that a test can replace. */
export interface ClientLibrary {
  connect(...parameters: Parameters<typeof connect>): ReturnType<typeof connect>;
  register(...parameters: Parameters<typeof register>): ReturnType<typeof register>;
  login(...parameters: Parameters<typeof login>): ReturnType<typeof login>;
  resume(...parameters: Parameters<typeof resume>): ReturnType<typeof resume>;
  loginByCertificate(
    ...parameters: Parameters<typeof loginByCertificate>
  ): ReturnType<typeof loginByCertificate>;
  registerByCertificate(
    ...parameters: Parameters<typeof registerByCertificate>
  ): ReturnType<typeof registerByCertificate>;
  issueCertificate(...parameters: Parameters<typeof issueCertificate>): ReturnType<typeof issueCertificate>;
  resetByCertificate(
    ...parameters: Parameters<typeof resetByCertificate>
  ): ReturnType<typeof resetByCertificate>;
  proveAgain(...parameters: Parameters<typeof proveAgain>): ReturnType<typeof proveAgain>;
  changePassword(...parameters: Parameters<typeof changePassword>): ReturnType<typeof changePassword>;
  hashPassword(...parameters: Parameters<typeof hashPassword>): ReturnType<typeof hashPassword>;
  resetPassword(...parameters: Parameters<typeof resetPassword>): ReturnType<typeof resetPassword>;
  setUpKeys(connection: Connection, options: Omit<SetUpOptions, 'stretch'>): Promise<SetUpKeys>;
  sendReliably(...parameters: Parameters<typeof sendReliably>): ReturnType<typeof sendReliably>;
  sendMany(...parameters: Parameters<typeof sendMany>): ReturnType<typeof sendMany>;
  follow(...parameters: Parameters<typeof follow>): ReturnType<typeof follow>;
  history(...parameters: Parameters<typeof history>): ReturnType<typeof history>;
}

/** The real library, each module loaded at its first call: `chat send` never loads the password hash. */
export const lazyClientLibrary: ClientLibrary = {
  async connect(...parameters) {
    return (await import('../client/connection.ts')).connect(...parameters);
  },
  async register(...parameters) {
    return (await import('../client/register.ts')).register(...parameters);
  },
  async login(...parameters) {
    return (await import('../client/login.ts')).login(...parameters);
  },
  async resume(...parameters) {
    return (await import('../client/resume.ts')).resume(...parameters);
  },
  async loginByCertificate(...parameters) {
    return (await import('../client/certificate.ts')).loginByCertificate(...parameters);
  },
  async registerByCertificate(...parameters) {
    return (await import('../client/certificate.ts')).registerByCertificate(...parameters);
  },
  async issueCertificate(...parameters) {
    return (await import('../client/certificate.ts')).issueCertificate(...parameters);
  },
  async resetByCertificate(...parameters) {
    return (await import('../client/certificate.ts')).resetByCertificate(...parameters);
  },
  async proveAgain(...parameters) {
    return (await import('../client/prove-again.ts')).proveAgain(...parameters);
  },
  async changePassword(...parameters) {
    return (await import('../client/change-password.ts')).changePassword(...parameters);
  },
  async hashPassword(...parameters) {
    return (await import('../client/hash-password.ts')).hashPassword(...parameters);
  },
  async resetPassword(...parameters) {
    return (await import('../client/reset-password.ts')).resetPassword(...parameters);
  },
  async setUpKeys(connection, options) {
    const [{ setUpKeys }, { stretchForBackup }] = await Promise.all([
      import('../client/keys/set-up.ts'),
      import('../client/keys/stretch-password.ts'),
    ]);
    return setUpKeys(connection, { ...options, stretch: stretchForBackup });
  },
  async sendReliably(...parameters) {
    return (await import('../client/send.ts')).sendReliably(...parameters);
  },
  async sendMany(...parameters) {
    return (await import('../client/send.ts')).sendMany(...parameters);
  },
  async *follow(...parameters) {
    yield* (await import('../client/follow.ts')).follow(...parameters);
  },
  async *history(...parameters) {
    yield* (await import('../client/follow.ts')).history(...parameters);
  },
};
