import { describe, expect, it } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { createExchanges, type OpenExchange } from '../../src/core/login/exchanges.ts';
import { exchangeMs } from '../../src/core/policy.ts';
import { FakePeer } from './support/chat.ts';

// What is kept of a login is nothing to where it is kept.
const exchange = {} as OpenExchange;
const now = 1_000;
/** Over HTTP each request is a peer of its own, which nothing can be pushed to. */
const request = (address = '192.0.2.1') => new FakePeer({ address, events: null });

describe('logins under way', () => {
  it('are 10,000 at most, from however many addresses, and the next one waits for an end', () => {
    const limited: string[] = [];
    const exchanges = createExchanges(exchangeMs, { limited: (what) => void limited.push(what) });
    const open = (number: number): void => {
      const address = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
      exchanges.open(String(number), request(address), exchange, now);
    };
    for (let number = 0; number < 10_000; number++) open(number);
    const full = new ChatError('rate-limited', 'too many logins are under way: finish or wait', {
      retryAfterMs: 1_000,
    });
    expect(limited).toEqual([]);
    expect(() => open(10_000)).toThrow(full);
    expect(limited).toEqual(['logins-under-way']);
    expect(exchanges.take('7', request(), now)).toBe(exchange);
    open(10_000);
    expect(() => open(10_001)).toThrow(full);
  });

  it('are the connection’s on which they began, and those of requests are any request’s and no connection’s', () => {
    const exchanges = createExchanges();
    const connection = new FakePeer();
    exchanges.open('on a connection', connection, exchange, now);
    exchanges.open('by requests', request(), exchange, now);
    for (const stranger of [new FakePeer(), request()]) {
      expect(exchanges.take('on a connection', stranger, now)).toBeUndefined();
    }
    expect(exchanges.take('by requests', connection, now)).toBeUndefined();
    expect(exchanges.take('on a connection', connection, now)).toBe(exchange);
    expect(exchanges.take('by requests', request(), now)).toBe(exchange);
  });
});
