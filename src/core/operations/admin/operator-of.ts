import { ChatError } from '../../errors.ts';
import type { Operator } from '../../ports/operator.ts';
import type { Services } from '../../services.ts';

/** The machine under the server; `unsupported` where nobody answers for it. */
export function operatorOf({ operator }: Services): Operator {
  if (operator) return operator;
  throw new ChatError('unsupported', 'this server cannot be asked about its machine');
}
