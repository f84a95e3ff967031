import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { operations } from '../../src/core/operations/index.ts';
import { settings } from '../../src/server/settings.ts';
import { loggedIn, openChat, peer, refusal, register, type TestChat } from './support/chat.ts';

const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');

const units = { s: 1_000, min: 60_000, h: 3_600_000 } as const;

/** The rows of the table under "Limits": what each says that is free, and in which time. */
const rows = [
  ...page.matchAll(
    /^\| `([a-z-]+)` \| [^|]+ \| (account|address|account and address) \| (\d+) \| (\d+) (s|min|h) \| (?:`--([a-z-]+)`(?: \(\d+\))?|–) \|$/gm,
  ),
].map(([, kind = '', by, free, time, unit, flag]) => ({
  kind,
  by,
  free: Number(free),
  windowMs: Number(time) * units[unit as keyof typeof units],
  flag,
}));

const start = Date.parse('2026-03-01T12:00:00.000Z');
beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

/** Calls that count for each kind, as cheap ones as there are: a limit comes before what is asked is looked at. */
async function callsOf(t: TestChat, kind: string): Promise<(address: string) => Promise<unknown>> {
  if (kind === 'failed-login') {
    const wrong = { username: 'alice', password: 'no such words' };
    return (address) => t.send(peer({ address }), 'login.password', wrong);
  }
  if (kind === 'export') {
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    // Only the beginning of one counts, in whichever section, so that it is no cost of the whole operation.
    return () => t.send(alice, 'account.export', { section: 'messages' });
  }
  const ofKind = operations.filter(({ cost }) => cost === kind);
  const operation = ofKind.find(({ access }) => access === 'anyone') ?? ofKind[0];
  if (!operation) throw new Error(`no operation costs a ${kind}`);
  if (operation.access === 'anyone') return (address) => t.send(peer({ address }), operation.name, {});
  await register(t, 'alice');
  const alice = await loggedIn(t, 'alice');
  return () => t.send(alice, operation.name, {});
}

/** How many are served now, whatever they are answered, before one is told to wait. */
async function free(call: () => Promise<unknown>): Promise<number> {
  for (let count = 0; ; count++) {
    const isRefused = await call().then(
      () => false,
      (error: unknown) => error instanceof ChatError && error.code === 'rate-limited',
    );
    if (isRefused) return count;
  }
}

it('each limit stands in the table of docs/security.md, and each row is of one that there is', () => {
  const costs = new Set<string>(operations.map(({ cost }) => cost).filter((cost) => cost !== 'none'));
  const kinds = rows.map(({ kind }) => kind);
  expect([...costs].filter((cost) => !kinds.includes(cost))).toEqual([]);
  expect(new Set(kinds).size).toBe(kinds.length);
  const flags: readonly string[] = Object.values(settings).map(({ flag }) => flag);
  expect(rows.filter(({ flag }) => flag !== undefined && !flags.includes(flag))).toEqual([]);
  expect(page.match(/^\| `[a-z-]+` \|.*\| \d+ \| \d+ /gm)).toHaveLength(rows.length);
});

const ofFailures = ['failed-login', 'elsewhere'];

it.each(rows.filter(({ kind }) => !ofFailures.includes(kind)))(
  'lets $free of $kind pass by $by in $windowMs ms, as documented',
  async ({ kind, by, free: documented, windowMs }) => {
    const t = await openChat();
    const call = await callsOf(t, kind);
    expect(await free(() => call('2001:db8:0:1::1'))).toBe(documented);
    // Of the same /64 it is the same address, and of the next it is another.
    expect(await free(() => call('2001:db8:0:1:ffff::2'))).toBe(0);
    if (by === 'address') expect((await refusal(call('2001:db8:0:2::1'))).code).not.toBe('rate-limited');
    vi.setSystemTime(start + windowMs - 1);
    expect(await free(() => call('2001:db8:0:1::1'))).toBeLessThan(documented);
    vi.setSystemTime(start + 2 * windowMs);
    vi.advanceTimersByTime(windowMs);
    expect(await free(() => call('2001:db8:0:1::1'))).toBe(documented);
  },
);

it.each(rows.filter(({ kind }) => kind === 'failed-login'))(
  'lets $free failed logins pass in $windowMs ms before the next waits a second, as documented',
  async ({ free: documented, windowMs }) => {
    const t = await openChat();
    await register(t, 'alice');
    const call = await callsOf(t, 'failed-login');
    expect(await free(() => call('192.0.2.1'))).toBe(documented);
    expect(await refusal(call('192.0.2.1'))).toMatchObject({ code: 'rate-limited', retryAfterMs: 1_000 });
    vi.advanceTimersByTime(windowMs - 1);
    expect(await free(() => call('192.0.2.1'))).toBe(1);
    vi.advanceTimersByTime(1 + windowMs);
    expect(await free(() => call('192.0.2.1'))).toBe(documented);
  },
);

it.each(rows.filter(({ kind }) => kind === 'elsewhere'))(
  'lets $free failed logins from elsewhere pass in $windowMs ms while an account waits, as documented',
  async ({ free: documented, windowMs }) => {
    const t = await openChat();
    await register(t, 'alice');
    const call = await callsOf(t, 'failed-login');
    let guesser = 0;
    const close = async (): Promise<void> => {
      for (let tries = 0; tries < 8; tries++) await refusal(call(`192.0.2.${guesser++}`));
    };
    await close();
    expect(await free(() => call('2001:db8:0:1::1'))).toBe(documented);
    expect(await free(() => call('2001:db8:0:1:ffff::2'))).toBe(0);
    expect(await free(() => call('2001:db8:0:2::1'))).toBe(documented);
    vi.advanceTimersByTime(windowMs - 1);
    await close();
    expect(await free(() => call('2001:db8:0:1::1'))).toBe(0);
    vi.advanceTimersByTime(1);
    expect(await free(() => call('2001:db8:0:1::1'))).toBe(documented);
  },
);
