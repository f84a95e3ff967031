import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Account } from '../../src/core/model/account.ts';
import type { ConversationRef } from '../../src/core/model/conversation-name.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { examineAccounts } from './store/accounts.ts';
import { examineAdministration } from './store/administration.ts';
import { examineAudit } from './store/audit.ts';
import { examineCertificates } from './store/certificates.ts';
import { examineCredentialChange } from './store/change-credential.ts';
import { examineCodes } from './store/codes.ts';
import { examineConversations } from './store/conversations.ts';
import { examineKeys } from './store/keys.ts';
import { examineMessages } from './store/messages.ts';
import { examinePrivacy } from './store/privacy.ts';
import { examineRefresh } from './store/refresh.ts';
import { examineRooms } from './store/rooms.ts';
import { examineSearch } from './store/search.ts';
import { examineSecondFactor } from './store/second-factor.ts';
import { examineSessions } from './store/sessions.ts';
import { examineShared } from './store/shared.ts';
import type { Examined } from './support/examined.ts';
import {
  digest,
  inRoom,
  message,
  opening,
  people,
  person,
  room,
  verifier,
  withUser,
} from './support/people.ts';

/** A store that is empty, and can be closed and opened again with what it holds. */
export interface StoreUnderExam {
  open(): Promise<Store>;
  /** False where calls that nobody waited for have no order, but for what is sent to one conversation. */
  readonly isInOrder?: false;
  /** Removes what the store kept. */
  remove(): Promise<void>;
}

/** The exam that every store passes: the port's contract, both sides of each boundary, and calls at once. */
export const wholeExam: readonly ((on: Examined) => void)[] = [
  examineAccounts,
  examineShared,
  examineCredentialChange,
  examineCodes,
  examineAdministration,
  examineSecondFactor,
  examineCertificates,
  examineSessions,
  examineRefresh,
  examineRooms,
  examineMessages,
  examineKeys,
  examineConversations,
  examineAudit,
  examineSearch,
  examinePrivacy,
  examineAcrossParts,
  examineRestarts,
];

/** Has a store, a new one for each test, pass the exam or parts of it. */
export function describeStore(
  name: string,
  make: () => StoreUnderExam | Promise<StoreUnderExam>,
  parts = wholeExam,
): void {
  describe(name, () => {
    let under: StoreUnderExam;
    let store: Store;
    beforeEach(async () => {
      under = await make();
      store = await under.open();
    });
    afterEach(async () => {
      await store.close();
      await under.remove();
    });
    const examined: Examined = {
      get store() {
        return store;
      },
      get isInOrder() {
        return under.isInOrder ?? true;
      },
      async reopen() {
        await store.close();
        store = await under.open();
        return store;
      },
    };
    for (const examine of parts) examine(examined);
  });
}

/** Texts that would do harm if any of them were ever read as SQL (ASVS 1.2.4). */
const sqlLooking = [
  "'; DROP TABLE messages; --",
  "' OR '1'='1",
  '"; DELETE FROM users; --',
  "' UNION SELECT stored_key FROM credentials --",
  '%_\\%?1 :name @name $name [users] `users`',
  '/* */ -- \u0000\u0000 ;',
];

/** Sends what is not to be refused. */
async function sentOn(
  on: Examined,
  from: Account,
  to: ConversationRef,
  other: Parameters<typeof message>[2] = {},
) {
  const outcome = await on.store.appendMessage(message(from, to, other));
  if (!('seq' in outcome)) throw new Error(`was refused: ${outcome.kind}`);
  return outcome;
}

/** What concerns more than one part of the port: text is only text, and limits of one call. */
function examineAcrossParts(on: Examined): void {
  const send = (from: Account, to: ConversationRef, other?: Parameters<typeof message>[2]) =>
    sentOn(on, from, to, other);
  async function open(user: Account, ref: ConversationRef) {
    const view = await on.store.openConversation({ userId: user.id, ref, now: 5 });
    if ('kind' in view) throw new Error(`was refused: ${view.kind}`);
    return view;
  }

  describe('1.2.4: text that looks like SQL', () => {
    test.each(sqlLooking)('is kept as it was written, wherever it is written: %j', async (text) => {
      const alice = person('alice', { email: `${text}@example.org` });
      expect(await on.store.createAccount({ account: alice, verifier })).toEqual({ kind: 'created' });
      const opened = opening(alice, { deviceLabel: text, address: text });
      await on.store.openSession(opened);
      const first = await send(alice, inRoom('lobby'), { key: text, body: { text } });
      await send(alice, inRoom('lobby'), { body: { envelope: text } });
      const store = await on.reopen();
      expect(await store.account(alice.username)).toEqual(alice);
      expect(await store.sessionByToken(opened.tokenHash)).toEqual(opened.session);
      expect(
        (await store.messages({ conversation: first.conversation, limit: 9 })).map(({ body }) => body),
      ).toEqual([{ text }, { envelope: text }]);
      expect(await send(alice, inRoom('lobby'), { key: text })).toEqual({ ...first, kind: 'repeated' });
    });

    test.each(sqlLooking)('names nothing that is there: %j', async (text) => {
      const [alice] = await people(on.store, 'alice');
      const username = text as typeof alice.username;
      expect(await on.store.account(username)).toBeUndefined();
      expect(await on.store.credential(username)).toBeUndefined();
      expect(await on.store.roomMembers({ room: room(text), after: '', limit: 9 })).toBeUndefined();
      expect(await on.store.joinRoom({ room: room(text), userId: alice.id, now: 1 })).toBe('missing');
      expect(await on.store.appendMessage(message(alice, inRoom(text)))).toEqual({ kind: 'no-room' });
      expect(await on.store.appendMessage(message(alice, withUser(text)))).toEqual({ kind: 'no-user' });
      // Every one of them sorts before the letters, so that a page after it is the whole list.
      expect(await on.store.usernames({ after: text, limit: 9 })).toEqual(['alice']);
    });
  });

  describe('registering', () => {
    test('100 registrations by one email alone at once, in any case, make one account', async () => {
      const all = Array.from({ length: 100 }, (_, i) =>
        person(`user${i}`, { email: i % 2 ? 'Team@Example.org' : 'team@example.ORG' }),
      );
      const outcomes = await Promise.all(
        all.map((account) => on.store.createAccount({ account, verifier, isNamedByEmail: true })),
      );
      expect(outcomes).toEqual([
        { kind: 'created' },
        ...Array.from({ length: 99 }, () => ({ kind: 'taken', field: 'email' })),
      ]);
      expect(await on.store.usernames({ after: '', limit: 1_000 })).toEqual(['user0']);
    });

    test('a name that is taken is told before an email that is taken too', async () => {
      const account = person('alice', { email: 'a@example.org' });
      await on.store.createAccount({ account, verifier });
      const other = person('alice', { email: 'a@example.org' });
      expect(await on.store.createAccount({ account: other, verifier, isNamedByEmail: true })).toEqual({
        kind: 'taken',
        field: 'username',
      });
    });
  });

  describe('sweeping sessions', () => {
    test('one call takes 1,000 of 1,001, and the next one takes the last', async () => {
      const [alice] = await people(on.store, 'alice');
      const openings = Array.from({ length: 1_001 }, () =>
        opening(alice, { familyExpiresAt: 5_000 }, { maxPerAccount: 0 }),
      );
      await Promise.all(openings.map((one) => on.store.openSession(one)));
      const ids = openings.map(({ session }) => session.id);
      expect(await on.store.sweepSessions({ now: 5_000 })).toBe(1_000);
      expect(await on.store.existingSessions(ids)).toHaveLength(1);
      expect(await on.store.sweepSessions({ now: 5_000 })).toBe(1);
      expect(await on.store.existingSessions(ids)).toEqual([]);
      expect(await on.store.sweepSessions({ now: 5_000 })).toBe(0);
    });

    test('takes the refresh tokens too', async () => {
      const [alice] = await people(on.store, 'alice');
      const { refreshHash, ...rest } = opening(alice, { familyExpiresAt: 5_000 });
      await on.store.openSession({ refreshHash, ...rest });
      await on.store.sweepSessions({ now: 5_000 });
      const refresh = { refreshHash, nextTokenHash: digest(1), nextRefreshHash: digest(2), graceMs: 1 };
      expect(await on.store.refreshSession({ ...refresh, now: 4_999, absoluteMs: 1 })).toEqual({
        kind: 'unknown',
      });
    });
  });

  describe('a direct conversation', () => {
    test('is listed on both sides, each by the other’s name and with its own marker', async () => {
      const [alice, bob, carol] = await people(on.store, 'alice', 'bob', 'carol');
      const { conversation: id } = await send(alice, withUser('bob'));
      await send(bob, withUser('alice'));
      expect(await on.store.markRead({ conversation: id, userId: bob.id, seq: 1 })).toBe(1);
      const hers = { id, ref: withUser('bob'), lastSeq: 2, readSeq: 0 };
      const his = { id, ref: withUser('alice'), lastSeq: 2, readSeq: 1 };
      const store = await on.reopen();
      expect(await open(alice, withUser('bob'))).toEqual(hers);
      expect(await open(bob, withUser('alice'))).toEqual(his);
      expect(await store.conversations({ userId: alice.id })).toContainEqual(hers);
      expect(await store.conversations({ userId: bob.id })).toContainEqual(his);
      expect((await store.conversations({ userId: carol.id })).map(({ ref }) => ref)).toEqual([
        inRoom('lobby'),
      ]);
    });

    test('with oneself is listed once', async () => {
      const [alice] = await people(on.store, 'alice');
      const { conversation: id } = await send(alice, withUser('alice'));
      const own = { id, ref: withUser('alice'), lastSeq: 1, readSeq: 0 };
      expect(await open(alice, withUser('alice'))).toEqual(own);
      const views = await on.store.conversations({ userId: alice.id });
      expect(views.filter(({ ref }) => ref.kind === 'direct')).toEqual([own]);
    });

    test('that 50 at once begin from both sides is one, its messages counted without a gap', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const sent = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          i % 2 ? send(alice, withUser('bob')) : send(bob, withUser('alice')),
        ),
      );
      expect(new Set(sent.map(({ conversation }) => conversation)).size).toBe(1);
      expect(sent.map(({ seq }) => seq)).toEqual(sent.map((_, i) => i + 1));
    });
  });

  describe('coming back into a room', () => {
    test('counts what was said meanwhile as read, and the numbers go on', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const his = { room: room('dev'), userId: bob.id, now: 1 };
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      await on.store.joinRoom(his);
      await send(alice, inRoom('dev'));
      expect(await open(bob, inRoom('dev'))).toMatchObject({ lastSeq: 1, readSeq: 0 });
      await on.store.leaveRoom(his);
      await send(alice, inRoom('dev'));
      expect(await on.store.joinRoom(his)).toBe('joined');
      expect(await open(bob, inRoom('dev'))).toMatchObject({ lastSeq: 2, readSeq: 2 });
      expect((await send(bob, inRoom('dev'))).seq).toBe(3);
    });
  });
}

/** What a restart keeps, and calls that are under way while the store closes. */
export function examineRestarts(on: Examined): void {
  const send = (from: Account, to: ConversationRef, other?: Parameters<typeof message>[2]) =>
    sentOn(on, from, to, other);

  describe('a restart', () => {
    const refresh = {
      nextTokenHash: digest(11),
      nextRefreshHash: digest(12),
      graceMs: 20,
      absoluteMs: 7_000,
    };

    test('keeps the grace of a used refresh token, to the millisecond', async () => {
      const [alice] = await people(on.store, 'alice');
      const { refreshHash, ...rest } = opening(alice);
      await on.store.openSession({ refreshHash, ...rest });
      const present = (now: number) => on.store.refreshSession({ ...refresh, refreshHash, now });
      const first = await present(2_000);
      expect(first.kind).toBe('rotated');
      await on.reopen();
      expect(await present(2_019)).toEqual(first);
      await on.reopen();
      expect(await present(2_020)).toMatchObject({ kind: 'reused' });
      await on.reopen();
      expect(await present(2_001)).toEqual({ kind: 'unknown' });
    });

    test('keeps who is in which room, and which sessions were ended', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      await on.store.joinRoom({ room: room('dev'), userId: bob.id, now: 1 });
      await on.store.leaveRoom({ room: room('dev'), userId: alice.id });
      const [stays, ends] = [opening(alice), opening(alice)];
      for (const one of [stays, ends]) await on.store.openSession(one);
      await on.store.touchSession({ id: stays.session.id, lastUsedAt: 1_500 });
      await on.store.endSession({ id: ends.session.id, userId: alice.id });
      const store = await on.reopen();
      expect(await store.rooms({ userId: alice.id, after: '', limit: 9 })).toEqual([
        { room: 'dev', members: 1, isMember: false, lastSeq: 0 },
        { room: 'lobby', members: 2, isMember: true, lastSeq: 0 },
      ]);
      expect(await store.sessionByToken(ends.tokenHash)).toBeUndefined();
      expect(await store.sessions({ userId: alice.id, now: 1_500, idleMs: 1_000 })).toEqual([
        { ...stays.session, lastUsedAt: 1_500 },
      ]);
    });

    test('keeps what was sent just before closing, without waiting for the answers', async () => {
      const [alice] = await people(on.store, 'alice');
      const sent = Array.from({ length: 100 }, () => send(alice, inRoom('lobby')));
      const store = await on.reopen();
      const outcomes = await Promise.all(sent);
      expect(outcomes.map(({ seq }) => seq)).toEqual(outcomes.map((_, i) => i + 1));
      const [first] = outcomes;
      const kept = first && (await store.messages({ conversation: first.conversation, limit: 1_000 }));
      expect(kept?.map(({ id }) => id)).toEqual(outcomes.map(({ id }) => id));
    });
  });
}
