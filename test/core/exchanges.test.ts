import { expect, it } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { createExchanges, type OpenExchange } from '../../src/core/login/exchanges.ts';
import { FakePeer } from './support/chat.ts';

it('10,000 logins may be under way, from however many addresses, and the next one waits for an end', () => {
  const exchanges = createExchanges();
  // What is kept of a login is nothing to where it is kept.
  const exchange = {} as OpenExchange;
  const open = (number: number): void => {
    const address = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
    exchanges.open(String(number), new FakePeer({ address, events: null }), exchange, 1_000);
  };
  for (let number = 0; number < 10_000; number++) open(number);
  const full = new ChatError('rate-limited', 'too many logins are under way: finish or wait', {
    retryAfterMs: 1_000,
  });
  expect(() => open(10_000)).toThrow(full);
  expect(exchanges.take('7', new FakePeer({ events: null }), 1_001)).toBe(exchange);
  open(10_000);
  expect(() => open(10_001)).toThrow(full);
});
