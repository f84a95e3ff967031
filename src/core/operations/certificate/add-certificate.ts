import { badToken, ChatError } from '../../errors.ts';
import { keyTaken } from '../../login/issue-certificate.ts';
import type { Certificate } from '../../model/certificate.ts';
import { maxCertificatesPerAccount } from '../../policy.ts';
import type { NewCertificateOf } from '../../ports/store/certificates.ts';
import type { Store } from '../../ports/store.ts';

/** Keeps a certificate and answers it as it is kept; `conflict` for a key that is taken, and for an account that has too many. */
export async function addCertificate(
  store: Pick<Store, 'addCertificate'>,
  certificate: NewCertificateOf,
): Promise<{ readonly kept: Certificate; readonly isRenewal: boolean }> {
  const outcome = await store.addCertificate(certificate);
  switch (outcome.kind) {
    case 'added':
    case 'renewed':
      return { kept: outcome.certificate, isRenewal: outcome.kind === 'renewed' };
    case 'taken':
      throw keyTaken();
    case 'too-many':
      throw new ChatError(
        'conflict',
        `an account has at most ${maxCertificatesPerAccount} certificates; those of this server go when they have expired`,
      );
    case 'no-account':
      throw badToken();
  }
}
