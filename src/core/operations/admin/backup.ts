import * as z from 'zod';
import { toHex } from '../../crypto/bytes.ts';
import { operation } from '../../operation.ts';
import { operatorOf } from './operator-of.ts';

/**
 * Copies the database to the server's directory for backups, under a name that the server makes: nobody writes elsewhere on its
 * machine from afar.
 */
export const backup = operation({
  name: 'admin.backup',
  access: 'admin',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({}),
  output: z.object({ name: z.string(), bytes: z.number(), sha256: z.string() }),
  async handle(_input, { services, now, note }) {
    const { name, bytes, sha256 } = await operatorOf(services).backUp(now);
    note({ details: { backup: name } });
    return { name, bytes, sha256: toHex(sha256) };
  },
});
