import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Terms } from '../../src/core/model/terms.ts';
import { loggedIn, openChat, peer, refusal, register, registration } from './support/chat.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');
const terms: Terms = { text: 'Be kind.\n', sha256: 'a'.repeat(64) };
const later: Terms = { text: 'Be kinder.\n', sha256: 'b'.repeat(64) };

beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

const notAccepted = {
  code: 'forbidden',
  message:
    'only who accepts the terms of this server can register: `chat register` and /api/auth/parameters show them',
  field: 'accept_terms',
};

describe('a server with terms', () => {
  it('shows them to who begins to register, and registers nobody who has not accepted them', async () => {
    const t = await openChat({ terms });
    expect(await t.call(peer(), 'account.begin-register', {})).toMatchObject({ terms });
    for (const accept_terms of [undefined, false, '', 'no', 'TRUE'] as const) {
      const given = {
        ...(await registration('alice')),
        ...(accept_terms === undefined ? {} : { accept_terms }),
      };
      expect(await refusal(t.call(peer(), 'account.register', given))).toEqual(notAccepted);
    }
    expect(await t.store.usernames({ after: '', limit: 9 })).toEqual([]);
  });

  it.each([true, 'true', 'on', 'yes', '1', terms.sha256])(
    'registers who accepts them by %j, and keeps when and where',
    async (accept_terms) => {
      const t = await openChat({ terms });
      const given = { ...(await registration('alice')), accept_terms };
      await t.call(peer({ door: 'cookie' }), 'account.register', given);
      const alice = await loggedIn(t, 'alice');
      expect(await t.call(alice, 'account.me', {})).toMatchObject({
        terms: { sha256: terms.sha256, accepted_at: '2026-03-01T12:00:00.000Z' },
      });
      expect((await t.call(alice, 'account.export', { section: 'consents' })).rows).toEqual([
        { sha256: terms.sha256, accepted_at: '2026-03-01T12:00:00.000Z', door: 'cookie' },
      ]);
    },
  );

  it('does not register who has read another text', async () => {
    const t = await openChat({ terms });
    const given = { ...(await registration('alice')), accept_terms: later.sha256 };
    expect(await refusal(t.call(peer(), 'account.register', given))).toEqual({
      code: 'conflict',
      message: 'accept_terms: these are not the terms of this server any more: read them anew',
      field: 'accept_terms',
    });
  });

  it('says to who has an account that they are new, and takes their acceptance', async () => {
    const before = await openChat();
    await register(before, 'alice');
    const t = await openChat({ beside: before, terms: later });
    const alice = await loggedIn(t, 'alice');
    expect(await t.call(alice, 'account.me', {})).toMatchObject({
      terms: { sha256: later.sha256, accepted_at: null },
    });
    expect(await refusal(t.call(alice, 'account.accept-terms', { accept_terms: false }))).toEqual(
      notAccepted,
    );
    expect(await t.call(alice, 'account.accept-terms', { accept_terms: later.sha256 })).toEqual({
      sha256: later.sha256,
    });
    vi.advanceTimersByTime(5_000);
    await t.call(alice, 'account.accept-terms', { accept_terms: true });
    expect((await t.call(alice, 'account.export', { section: 'consents' })).rows).toEqual([
      { sha256: later.sha256, accepted_at: '2026-03-01T12:00:00.000Z', door: 'line' },
    ]);
  });
});

describe('a server without terms', () => {
  it('has nothing to accept', async () => {
    const t = await openChat();
    await t.call(peer(), 'account.register', { ...(await registration('alice')), accept_terms: true });
    const alice = await loggedIn(t, 'alice');
    expect((await t.call(alice, 'account.me', {})).terms).toBeUndefined();
    expect(await refusal(t.call(alice, 'account.accept-terms', { accept_terms: true }))).toEqual({
      code: 'conflict',
      message: 'this server has no terms to accept',
    });
  });
});
