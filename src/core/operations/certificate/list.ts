import * as z from 'zod';
import { equalDigests } from '../../crypto/bytes.ts';
import { operation } from '../../operation.ts';
import { listedCertificate } from '../shapes.ts';
import { listed } from './listed.ts';

/** The caller's certificates, in the order in which they were added; revoked ones too, until they have expired. */
export const list = operation({
  name: 'certificate.list',
  access: 'session',
  cost: 'none',
  needsNoFactor: true,
  audited: false,
  overlaps: false,
  whileErasing: true,
  input: z.strictObject({}),
  output: z.object({
    certificates: z.array(
      listedCertificate.extend({
        /** True for the one that this connection has shown. */
        current: z.boolean(),
      }),
    ),
  }),
  async handle(_input, { services, session, peer }) {
    const shown = peer.channel.certificate?.();
    const certificates = await services.store.certificates({ userId: session.userId });
    return {
      certificates: certificates.map((one) => ({
        ...listed(one),
        current: shown !== undefined && equalDigests(shown.keyHash, one.keyHash),
      })),
    };
  },
});
