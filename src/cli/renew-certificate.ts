import type { Connection } from '../client/connection.ts';
import { ChatError } from '../core/errors.ts';
import { type CertificateFiles, openCertificateFiles } from './certificate-files.ts';
import type { CommandContext } from './command.ts';
import { openProfile } from './profile.ts';

/** The files of an account at this run's server. */
export function certificateFilesOf({ host, settings }: CommandContext, username: string): CertificateFiles {
  return openCertificateFiles(host, settings.server, username);
}

/** Makes the request over a key, loading what that needs only now. */
export async function requestFor(key: string, username: string): Promise<string> {
  const { makeRequest } = await import('./certificate-request.ts');
  return await makeRequest(key, username);
}

/** What the list of certificates calls one that is made here. */
export function labelOf({ host }: CommandContext, device?: string): string {
  return device ?? (host.hostName === '' ? 'this machine' : host.hostName.slice(0, 128));
}

/**
 * Has the certificate that `connection` has shown signed anew over the same key, and keeps that, unless another process has done so. The
 * old one goes on being good, so what fails here is told, and tried again by the next command.
 */
export async function renewCertificate(
  context: CommandContext,
  connection: Connection,
  username: string,
): Promise<void> {
  const { host, settings, output } = context;
  const files = certificateFilesOf(context, username);
  try {
    await openProfile(host, settings.server, settings.context).locked(async () => {
      const kept = await files.load();
      if (!kept?.isDue) return;
      const signed = await host.client.issueCertificate(connection, {
        request: await requestFor(kept.key, username),
        label: labelOf(context),
        proof: 'renewal',
      });
      await files.save(signed.certificate, kept.key);
      await output.detail(`the certificate of ${username} is renewed, until ${signed.expires_at}`);
    });
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    await output.note(`warning: the certificate of ${username} could not be renewed: ${error.message}`);
  }
}
