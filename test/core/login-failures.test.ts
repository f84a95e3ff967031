import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { badCredentials, ChatError } from '../../src/core/errors.ts';
import { createLoginFailures, type LoginFailures, waitAfter } from '../../src/core/login/failures.ts';
import { localCounter } from '../../src/server/counter/local.ts';
import { FakePeer } from './support/fake-peer.ts';

const at = (address: string): FakePeer => new FakePeer({ address });
const home = '192.0.2.1';
const elsewhere = '198.51.100.7';

let failures: LoginFailures;
/** Who was told of how many failures, and from where. */
const told: unknown[] = [];
const notices: Parameters<typeof createLoginFailures>[2] = {
  tell: (user, { failures, address }) => void told.push([user, failures, address]),
};
beforeEach(() => {
  told.length = 0;
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  failures = createLoginFailures(localCounter(), 5, notices);
});
afterEach(() => void vi.useRealTimers());

/** How long a login has to wait, 0 when it was let in; it fails then. */
async function fail(name: string, address: string): Promise<number> {
  const login = (): Promise<never> => Promise.reject(badCredentials());
  return failures.guard(name, at(address), login).then(
    () => 0,
    (error: ChatError) => {
      if (error.code === 'unauthenticated') return 0;
      expect([error.code, error.message]).toEqual([
        'rate-limited',
        'too many failed logins: wait before the next one',
      ]);
      return error.details.retryAfterMs ?? Number.NaN;
    },
  );
}

async function succeed(name: string, address: string): Promise<void> {
  expect(await failures.guard(name, at(address), async () => 'in')).toBe('in');
}

describe('waits after failed logins', () => {
  it('are none for four, then double from a second to a quarter of an hour', () => {
    expect([0, 4, 5, 6, 7, 14, 15, 16, 1_000].map((failures) => waitAfter(failures, 5))).toEqual([
      0, 0, 1_000, 2_000, 4_000, 512_000, 900_000, 900_000, 900_000,
    ]);
  });

  it('begin with the sixth try, and end to the millisecond', async () => {
    for (let tries = 0; tries < 5; tries++) expect(await fail('alice', home)).toBe(0);
    expect(await fail('alice', home)).toBe(1_000);
    vi.advanceTimersByTime(999);
    expect(await fail('alice', home)).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await fail('alice', home)).toBe(0);
    expect(await fail('alice', home)).toBe(2_000);
  });

  it('are the same for a name that nobody has: nothing here asks whether there is one', async () => {
    const waits = { alice: [] as number[], nobody: [] as number[] };
    for (const name of ['alice', 'nobody'] as const) {
      failures = createLoginFailures(localCounter(), 5, notices);
      for (let tries = 0; tries < 7; tries++) waits[name].push(await fail(name, home));
    }
    expect(waits.nobody).toEqual(waits.alice);
  });

  it('let in no more at once than one after the other', async () => {
    const waits = await Promise.all(Array.from({ length: 200 }, () => fail('alice', home)));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(5);
  });

  it('are none for good logins, however many come at once', async () => {
    const slow = () => new Promise<string>((resolve) => setImmediate(() => resolve('in')));
    const all = Array.from({ length: 200 }, (_, index) =>
      failures.guard(index % 2 ? 'bot' : `user${index}`, at(home), slow),
    );
    expect(new Set(await Promise.all(all))).toEqual(new Set(['in']));
  });

  it('are said to more than may wait for their turn', async () => {
    const never = () => new Promise<never>(() => {});
    for (let count = 0; count < 3 + 256; count++) void failures.guard('bot', at(home), never);
    await expect(failures.guard('bot', at(home), never)).rejects.toMatchObject({
      code: 'rate-limited',
      message: 'too many logins from this address at once',
      details: { retryAfterMs: 1_000 },
    });
    await succeed('bot', elsewhere);
  });

  it('6.3.1: slow twenty wrong tries down', async () => {
    let waitedMs = 0;
    for (let tries = 0; tries < 20; ) {
      const wait = await fail('alice', home);
      if (wait === 0) tries += 1;
      waitedMs += wait;
      vi.advanceTimersByTime(wait);
    }
    // 1 + 2 + … + 512 s, and four times 15 min.
    expect(waitedMs).toBe((2 ** 10 - 1 + 5 * 900) * 1_000);
  });
});

describe('an account whose secret was set anew', () => {
  it('has no failures, and its addresses have theirs', async () => {
    for (let tries = 0; tries < 5; tries++) await fail('alice', home);
    expect(await fail('alice', home)).toBe(1_000);
    await failures.forget(['alice', 'alice@example.org']);
    // The address still waits for what has failed from there.
    expect(await fail('alice', home)).toBe(1_000);
    vi.advanceTimersByTime(1_000);
    await succeed('alice', home);
    for (let tries = 0; tries < 4; tries++) await fail('bob', elsewhere);
    expect(await fail('alice', elsewhere)).toBe(0);
    expect(await fail('alice', elsewhere)).toBe(1_000);
  });

  it('is open again by name and by e-mail address, for who has to wait for others', async () => {
    for (const given of ['alice', 'alice@example.org']) {
      for (let tries = 0; tries < 5; tries++) await fail(given, home);
      for (let tries = 0; tries < 5; tries++) await fail(given, elsewhere);
      vi.advanceTimersByTime(2_000);
      expect(await fail(given, home)).toBeGreaterThan(0);
      await failures.forget(['alice', 'alice@example.org']);
      expect(await fail(given, home)).toBe(0);
      failures = createLoginFailures(localCounter(), 5, notices);
    }
  });
});

describe('an address', () => {
  it('waits for every name after five failures with different ones', async () => {
    for (let tries = 0; tries < 5; tries++) await fail(`user${tries}`, home);
    expect(await fail('somebody-else', home)).toBe(1_000);
  });

  it('does not get out of it by logging in to an account of its own in between', async () => {
    for (let tries = 0; tries < 4; tries++) await fail(`user${tries}`, home);
    await succeed('mallory', home);
    expect(await fail('user5', home)).toBe(0);
    expect(await fail('user6', home)).toBe(1_000);
  });

  it('is one with its neighbours in the same IPv6 /64, and not with those in the next', async () => {
    for (let tries = 0; tries < 5; tries++) await fail(`user${tries}`, `2001:db8:0:1::${tries + 1}`);
    expect(await fail('alice', '2001:db8:0:1:ffff::1')).toBe(1_000);
    expect(await fail('alice', '2001:db8:0:2::1')).toBe(0);
  });
});

describe('an account', () => {
  it('waits from a second address too once three logins failed there', async () => {
    for (let tries = 0; tries < 5; tries++) await fail('alice', home);
    for (let tries = 0; tries < 3; tries++) expect(await fail('alice', elsewhere)).toBe(0);
    expect(await fail('alice', elsewhere)).toBeGreaterThan(0);
  });

  it.each([0, 1, 2])(
    'is not locked out from an address where %i logins failed, whatever is tried from elsewhere, also from new addresses',
    async (mistyped) => {
      for (let tries = 0; tries < mistyped; tries++) expect(await fail('alice', home)).toBe(0);
      for (let tries = 0; tries < 50; tries++) {
        vi.advanceTimersByTime(await fail('alice', elsewhere));
        await fail('alice', `203.0.113.${tries}`);
      }
      expect(await fail('alice', elsewhere)).toBeGreaterThan(0);
      await expect(succeed('alice', home)).resolves.toBeUndefined();
    },
  );

  it('has three new tries at an address after a login that was right there', async () => {
    for (let tries = 0; tries < 2; tries++) await fail('alice', home);
    await succeed('alice', home);
    for (let tries = 0; tries < 10; tries++) await fail('alice', `203.0.113.${tries}`);
    for (let tries = 0; tries < 3; tries++) expect(await fail('alice', home)).toBe(0);
    expect(await fail('alice', home)).toBeGreaterThan(0);
  });

  it('begins anew after a login that was right', async () => {
    for (let tries = 0; tries < 4; tries++) await fail('alice', home);
    await succeed('alice', home);
    for (let tries = 0; tries < 4; tries++) await fail('alice', elsewhere);
    expect(await fail('alice', elsewhere)).toBe(0);
  });

  it('is not counted for a login that had to wait', async () => {
    for (let tries = 0; tries < 5; tries++) await fail('alice', home);
    for (let tries = 0; tries < 10; tries++) expect(await fail('alice', home)).toBe(1_000);
    vi.advanceTimersByTime(1_000);
    await succeed('alice', home);
  });
});

it('a login that failed for another reason than its secret counts for nothing', async () => {
  const busy = new ChatError('unavailable', 'busy');
  for (let tries = 0; tries < 100; tries++) {
    await expect(failures.guard('alice', at(home), () => Promise.reject(busy))).rejects.toBe(busy);
  }
  for (let tries = 0; tries < 5; tries++) expect(await fail('alice', home)).toBe(0);
});

it('a login that failed for another reason opens no account for those who have to wait', async () => {
  const other = '203.0.113.9';
  for (let tries = 0; tries < 3; tries++) await fail('alice', other);
  for (let tries = 0; tries < 2; tries++) await fail('alice', home);
  expect(await fail('alice', other)).toBe(1_000);
  const busy = new ChatError('unavailable', 'busy');
  const login = failures.guard('alice', at(elsewhere), () => Promise.reject(busy));
  await expect(login).rejects.toBe(busy);
  expect(await fail('alice', other)).toBeGreaterThan(0);
});

it('nobody waits where waits are off', async () => {
  failures = createLoginFailures(localCounter(), 0, notices);
  for (let tries = 0; tries < 100; tries++) expect(await fail('alice', home)).toBe(0);
});

describe('the sessions of an account', () => {
  it('are told of the fifth failed login, and each time that they have doubled', async () => {
    for (let tries = 0; tries < 45; tries++) {
      await fail('alice', `192.0.2.${tries + 1}`);
      if (tries === 3) expect(told).toEqual([]);
    }
    expect(told).toEqual([
      ['alice', 5, '192.0.2.5'],
      ['alice', 10, '192.0.2.10'],
      ['alice', 20, '192.0.2.20'],
      ['alice', 40, '192.0.2.40'],
    ]);
  });

  it('are told of none that came before a login that was right, that had to wait, or that was right itself', async () => {
    for (let tries = 0; tries < 4; tries++) await fail('alice', home);
    await succeed('alice', home);
    for (let tries = 0; tries < 4; tries++) await fail('alice', elsewhere);
    await succeed('alice', '203.0.113.1');
    for (let tries = 0; tries < 4; tries++) await fail('bob', '203.0.113.2');
    expect(told).toEqual([]);
    await fail('bob', '203.0.113.2');
    for (let tries = 0; tries < 20; tries++) expect(await fail('bob', '203.0.113.2')).toBe(1_000);
    expect(told).toEqual([['bob', 5, '203.0.113.2']]);
  });

  it('are told of those by its e-mail address, which count by themselves', async () => {
    const login = (): Promise<never> => Promise.reject(badCredentials());
    for (let tries = 0; tries < 5; tries++) {
      await fail('alice', `192.0.2.${tries}`);
      const byMail = failures.guard('a@example.org', at(`203.0.113.${tries}`), login, 'alice');
      await expect(byMail).rejects.toThrow('unknown user or wrong');
    }
    expect(told).toEqual([
      ['alice', 5, '192.0.2.4'],
      ['alice', 5, '203.0.113.4'],
    ]);
  });

  it('are told once of many at once', async () => {
    await Promise.all(Array.from({ length: 9 }, (_, index) => fail('alice', `192.0.2.${index}`)));
    expect(told).toHaveLength(1);
  });
});

it('each refusal is told to the meter, by the limit that refused, and nothing else is', async () => {
  const limited: string[] = [];
  failures = createLoginFailures(localCounter(), 5, notices, { limited: (what) => void limited.push(what) });
  for (let tries = 0; tries < 5; tries++) expect(await fail('alice', home)).toBe(0);
  expect(limited).toEqual([]);
  expect(await fail('bob', home)).toBeGreaterThan(0);
  expect(limited).toEqual(['failed-login']);
  for (let tries = 0; tries < 3; tries++) expect(await fail('alice', elsewhere)).toBe(0);
  expect(await fail('alice', elsewhere)).toBeGreaterThan(0);
  expect(limited).toEqual(['failed-login', 'elsewhere']);
});
