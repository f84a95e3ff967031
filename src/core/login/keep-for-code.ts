import { ChatError, type ErrorCode } from '../errors.ts';
import type { CallContext } from '../operation.ts';
import { exchangeWithFactorMs, wrongCodesPerLogin } from '../policy.ts';
import type { OpenExchange } from './exchanges.ts';

/** How a code is asked for, refused, and put off. */
const awaitsCode: ReadonlySet<ErrorCode> = new Set([
  'second-factor-required',
  'unauthenticated',
  'rate-limited',
]);

/** Takes an exchange out for its one proof, or once more for the code of a proof that was right; undefined for any other id. */
export function takeExchange({ services, peer, now }: CallContext, id: string): OpenExchange | undefined {
  const exchange = services.exchanges.take(id, peer, now) ?? services.provenExchanges.take(id, peer, now);
  return exchange?.code && now >= exchange.code.endsAt ? undefined : exchange;
}

/**
 * Keeps an exchange whose proof was right and whose code was missing or wrong: the same proof with a code is taken a few times
 * within two minutes of the first (security 1.5). `error` is what this try was answered with.
 */
export function keepForCode(
  { services, peer, now }: CallContext,
  id: string,
  exchange: OpenExchange,
  error: unknown,
): void {
  if (!(error instanceof ChatError) || !awaitsCode.has(error.code)) return;
  const asked = exchange.code ?? { triesLeft: wrongCodesPerLogin, endsAt: now + exchangeWithFactorMs };
  const triesLeft = error.code === 'unauthenticated' ? asked.triesLeft - 1 : asked.triesLeft;
  if (triesLeft === 0) return;
  services.provenExchanges.open(id, peer, { ...exchange, code: { ...asked, triesLeft } }, now);
}
