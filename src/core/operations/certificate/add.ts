import * as z from 'zod';
import { shownForKeeps } from '../../login/issue-certificate.ts';
import { operation } from '../../operation.ts';
import { label, listedCertificate } from '../shapes.ts';
import { addCertificate } from './add-certificate.ts';
import { listed } from './listed.ts';
import { certificateProof, proveForCertificate } from './prove-for-certificate.ts';

/**
 * Lets the caller's account log in with the certificate from elsewhere that this connection has shown: it is known by its public key
 * from then on, whoever signs over that. Takes a fresh proof. `conflict` for a key that is taken.
 */
export const add = operation({
  name: 'certificate.add',
  access: 'session',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ label: label.optional(), proof: certificateProof }),
  output: listedCertificate,
  async handle({ label: name = '', proof }, context) {
    const { services, session, note } = context;
    const shown = shownForKeeps(context, name);
    await proveForCertificate(context, proof);
    const { kept } = await addCertificate(services.store, { ...shown, userId: session.userId });
    note({ details: { certificate: kept.id } });
    return listed(kept);
  },
});
