import { accounts } from './accounts.ts';
import { audit } from './audit.ts';
import { certificates } from './certificates.ts';
import { codes } from './codes.ts';
import { doors } from './doors.ts';
import { factor } from './factor.ts';
import { keeping } from './keeping.ts';
import { keys } from './keys.ts';
import { library } from './library.ts';
import { limits } from './limits.ts';
import { login } from './login.ts';
import { moving } from './moving.ts';
import type { Mutant } from './mutant.ts';
import { privacy } from './privacy.ts';
import { releases } from './releases.ts';
import { sessions } from './sessions.ts';

/**
 * Every rule of security that a test can see, each taken away once. Left out: that comparisons take the same time whatever they
 * compare, which no test of outcomes sees.
 */
export const mutants: readonly Mutant[] = [
  ...login,
  ...limits,
  ...factor,
  ...sessions,
  ...doors,
  ...accounts,
  ...codes,
  ...certificates,
  ...privacy,
  ...audit,
  ...keeping,
  ...keys,
  ...library,
  ...moving,
  ...releases,
];
