import type { CertificateRegisterOptions } from '../client/certificate.ts';
import type { RegisteredAccount } from '../client/register.ts';
import { ChatError } from '../core/errors.ts';
import { certificateBackdateMs } from '../core/policy.ts';
import { readNamed } from './certificate-elsewhere.ts';
import { makeKey } from './certificate-files.ts';
import type { CommandContext } from './command.ts';
import type { NamedFiles } from './kept-certificate.ts';
import { certificateFilesOf, labelOf, requestFor } from './renew-certificate.ts';
import { withConnection } from './session.ts';

/** Who registers with a key. */
export type KeyRegistration = Omit<CertificateRegisterOptions, 'request' | 'label'> & {
  readonly device: string | undefined;
};

/**
 * Creates an account that has a key in the place of a password, and keeps the certificate. The key is kept before the server hears of it,
 * so that a lost answer loses no account: the next try comes with the same key. Throws `conflict` when the name is taken, also by who
 * registers again.
 */
export async function registerKey(context: CommandContext, registration: KeyRegistration): Promise<void> {
  const { username, device, ...wishes } = registration;
  const files = certificateFilesOf(context, username);
  const before = await files.load();
  const kept = await files.key();
  const key = kept ?? makeKey();
  if (kept === undefined) await files.saveKey(key);
  try {
    const { created_at: createdAt } = await registerWith(context, key, device, { username, ...wishes });
    // The server takes the same key for the same try; here it is known that there was an answer, unless that was of a server before.
    if (before && before.validFrom + certificateBackdateMs + 1_000 > Date.parse(createdAt)) {
      throw new ChatError(
        'conflict',
        `${username} is registered, and logs in with the certificate that is here`,
      );
    }
  } catch (error) {
    // The key that was here is somebody's, or was revoked there: it is no use for this account.
    const isTaken = error instanceof ChatError && error.details.field === 'certificate';
    if (kept === undefined || !isTaken) throw error;
    await registerWith(context, makeKey(), device, { username, ...wishes });
  }
}

async function registerWith(
  context: CommandContext,
  key: string,
  device: string | undefined,
  wishes: Omit<CertificateRegisterOptions, 'request' | 'label'>,
): Promise<RegisteredAccount> {
  const { username } = wishes;
  const request = await requestFor(key, username);
  const files = certificateFilesOf(context, username);
  if ((await files.key()) !== key) await files.saveKey(key);
  return await withConnection(context, async (connection) => {
    const { account, signed } = await context.host.client.registerByCertificate(connection, {
      ...wishes,
      request,
      label: labelOf(context, device),
    });
    if (signed) await files.save(signed.certificate, key);
    return account;
  });
}

/** Creates an account that logs in with a certificate from elsewhere, by its key; throws `conflict` when the name or the key is taken. */
export async function registerNamed(
  context: CommandContext,
  registration: KeyRegistration & { readonly named: NamedFiles },
): Promise<void> {
  const { device, named, ...wishes } = registration;
  const certificate = await readNamed(named, context.host.now());
  await withConnection(
    context,
    async (connection) => {
      const label = labelOf(context, device);
      await context.host.client.registerByCertificate(connection, { ...wishes, label });
    },
    certificate,
  );
}
