import { initial } from './0001-initial.ts';
import { csrf } from './0002-csrf.ts';
import { totp } from './0003-totp.ts';
import { mail } from './0004-mail.ts';
import { admin } from './0005-admin.ts';
import { audit } from './0006-audit.ts';
import { privacy } from './0007-privacy.ts';
import { search } from './0008-search.ts';
import { certificates } from './0009-certificates.ts';
import { keys } from './0010-keys.ts';
import { factorTaken } from './0011-factor-taken.ts';
import type { Migration } from './migration.ts';

/** Every step there has been, in order; a released one is never changed. */
export const migrations: readonly Migration[] = [
  initial,
  csrf,
  totp,
  mail,
  admin,
  audit,
  privacy,
  search,
  certificates,
  keys,
  factorTaken,
];
