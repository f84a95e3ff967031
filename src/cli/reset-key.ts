import type { Username } from '../core/model/username.ts';
import { type CertificateFiles, makeKey } from './certificate-files.ts';
import type { CommandContext } from './command.ts';
import { certificateFilesOf, labelOf, requestFor } from './renew-certificate.ts';
import { withConnection } from './session.ts';

/** Puts a new key in the place of all that an account could log in with, by a code, and keeps the certificate; answers where. */
export async function resetKey(
  context: CommandContext,
  { username, code }: { readonly username: Username; readonly code: string },
): Promise<CertificateFiles> {
  const files = certificateFilesOf(context, username);
  await files.checkRoom();
  const key = makeKey();
  const request = await requestFor(key, username);
  await withConnection(context, async (connection) => {
    const { certificate } = await context.host.client.resetByCertificate(connection, {
      username,
      code,
      request,
      label: labelOf(context),
    });
    await files.save(certificate, key);
  });
  return files;
}
