import * as z from 'zod';
import { equalDigests } from '../../crypto/bytes.ts';
import { authorityOf, issuedAnswer, signCertificate } from '../../login/issue-certificate.ts';
import { judgeCertificate } from '../../login/judge-certificate.ts';
import { type CallContext, operation } from '../../operation.ts';
import { issuedCertificate, label, signingRequest } from '../shapes.ts';
import { addCertificate } from './add-certificate.ts';
import { certificateProof, proveForCertificate } from './prove-for-certificate.ts';

/**
 * Signs a certificate for the caller's account over the key of a request (PKCS#10): for logging in here, and for 90 days. It takes a fresh
 * proof, but for a renewal: over the key of the certificate that this connection has shown and that logs in to this very account, since
 * who renews has that already. The session whose own login is the proof goes on by the certificate, and ends with it. `conflict` for a key
 * that is taken.
 */
export const issue = operation({
  name: 'certificate.issue',
  access: 'session',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    request: signingRequest,
    label: label.optional(),
    proof: certificateProof.optional(),
  }),
  output: issuedCertificate.extend({ renewed: z.boolean() }),
  async handle({ request: pem, label: name = '', proof }, context) {
    const { services, session, note } = context;
    const request = await authorityOf(context).readRequest(pem);
    const isRenewed = await isShownKey(context, request.keyHash);
    if (!isRenewed) await proveForCertificate(context, proof);
    const { username, userId, id } = session;
    const goesOnByIt = !isRenewed && proof !== undefined && 'login' in proof;
    const signed = await signCertificate(context, { request, username, label: name });
    const { kept, isRenewal } = await addCertificate(services.store, {
      ...signed.entry,
      userId,
      ...(goesOnByIt && { session: id }),
    });
    note({ details: { certificate: kept.id, renewed: isRenewal } });
    return { ...issuedAnswer(signed, kept.id), renewed: isRenewal };
  },
});

/** True for the key of a certificate with which this connection could log in to the caller's account right now. */
async function isShownKey(context: CallContext<'session'>, keyHash: Uint8Array): Promise<boolean> {
  const judged = await judgeCertificate(context, context.session.username);
  return judged.kind === 'good' && equalDigests(judged.certificate.keyHash, keyHash);
}
