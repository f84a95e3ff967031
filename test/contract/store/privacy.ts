import { describe, expect, test } from 'vitest';
import { auditChain } from '../../../src/core/audit-chain.ts';
import type { Account } from '../../../src/core/model/account.ts';
import type { ConversationRef } from '../../../src/core/model/conversation-name.ts';
import type { ConversationId, DeviceId } from '../../../src/core/model/ids.ts';
import type { InviteId } from '../../../src/core/model/invite.ts';
import type { Username } from '../../../src/core/model/username.ts';
import type { Device, SentPage, SentPlace } from '../../../src/core/ports/store/own-data.ts';
import { uuidV7 } from '../../../src/core/random.ts';
import { parseSearch } from '../../../src/core/search-terms.ts';
import type { Examined } from '../support/examined.ts';
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
} from '../support/people.ts';

const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32) });

const later = Number.MAX_SAFE_INTEGER;

/** What people may ask of what is kept of them: to take it with them, to have it erased, and that it ends at an age. */
export function examinePrivacy(on: Examined): void {
  async function send(from: Account, to: ConversationRef, other: Parameters<typeof message>[2] = {}) {
    const outcome = await on.store.appendMessage(message(from, to, other));
    if (!('seq' in outcome)) throw new Error(`was refused: ${outcome.kind}`);
    return outcome;
  }
  async function bodies(conversation: ConversationId) {
    const kept = await on.store.messages({ conversation, limit: 10_000 });
    return kept.map(({ sender, body }) => ({ sender, ...body }));
  }
  /** Does all that is due at `now`; answers the kinds of the steps without repetition. */
  async function erase(now: number): Promise<string[]> {
    const kinds: string[] = [];
    for (;;) {
      const { kind } = await on.store.eraseNext({ now, skip: 0, chain });
      if (kind === 'none') return kinds;
      if (kinds.at(-1) !== kind) kinds.push(kind);
    }
  }
  async function erased(account: Account): Promise<void> {
    await on.store.requestErasure({ userId: account.id, dueAt: 0 });
    expect(await erase(0)).toEqual(['begun', 'going-on', 'finished']);
  }
  async function expire(before: number): Promise<number> {
    let expired = 0;
    let after: ConversationId | undefined;
    do {
      const step = await on.store.expireMessages({ before, after });
      expired += step.expired;
      after = step.next;
    } while (after !== undefined);
    return expired;
  }
  async function administrator(account: Account, n: number): Promise<void> {
    if (await on.store.offerClaim({ codeHash: digest(n) })) {
      await on.store.claimAdministration({ codeHash: digest(n), userId: account.id });
    } else await on.store.setAdministrator({ username: account.username, isAdmin: true });
  }
  /** All that an account has sent, by as many calls as it takes. */
  async function sent(account: Account, limit = 1_000) {
    const all: Array<SentPage['messages'][number]> = [];
    let after: SentPlace | undefined;
    do {
      const page = await on.store.sentMessages({ userId: account.id, after, limit });
      expect(page.messages.length).toBeLessThanOrEqual(limit);
      all.push(...page.messages);
      after = page.next;
    } while (after !== undefined);
    return all;
  }

  describe('the wish to be erased', () => {
    test('ends the sessions and stands with its account and with sessions that are opened later, also after a restart', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const [one, two, other] = [opening(alice), opening(alice), opening(bob)];
      for (const opened of [one, two, other]) await on.store.openSession(opened);
      const wish = await on.store.requestErasure({ userId: alice.id, dueAt: 5_000 });
      expect(wish).toMatchObject({ kind: 'asked', dueAt: 5_000 });
      expect(new Set('ended' in wish ? wish.ended : [])).toEqual(new Set([one.session.id, two.session.id]));
      const store = await on.reopen();
      const waiting = { ...alice, erasesAt: 5_000 };
      expect(await store.account(alice.username)).toEqual(waiting);
      expect((await store.credential(alice.username))?.account).toEqual(waiting);
      expect(await store.accounts({ after: '', limit: 9 })).toEqual([waiting, bob]);
      expect(await store.sessionByToken(one.tokenHash)).toBeUndefined();
      expect(await store.sessionByToken(other.tokenHash)).toEqual(other.session);
      expect(await store.openSession(opening(alice))).toEqual({ kind: 'stale' });
      const back = opening(alice, { erasesAt: 5_000 });
      expect(await store.openSession(back)).toMatchObject({ kind: 'opened' });
      expect(await store.sessionByToken(back.tokenHash)).toEqual(back.session);
    });

    test('stands as it was said first, and ends what was opened since when it is said again', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.requestErasure({ userId: alice.id, dueAt: 5_000 });
      const since = opening(alice, { erasesAt: 5_000 });
      await on.store.openSession(since);
      for (const [dueAt, ended] of [
        [9_000, [since.session.id]],
        [1_000, []],
      ] as const)
        expect(await on.store.requestErasure({ userId: alice.id, dueAt })).toEqual({
          kind: 'repeated',
          dueAt: 5_000,
          ended,
        });
      expect(await on.store.eraseNext({ now: 4_999, skip: 0, chain })).toEqual({ kind: 'none' });
    });

    test('of many at once is one', async () => {
      const [alice] = await people(on.store, 'alice');
      const wishes = await Promise.all(
        [5_000, 6_000, 7_000].map((dueAt) => on.store.requestErasure({ userId: alice.id, dueAt })),
      );
      expect(wishes).toEqual([
        { kind: 'asked', dueAt: 5_000, ended: [] },
        { kind: 'repeated', dueAt: 5_000, ended: [] },
        { kind: 'repeated', dueAt: 5_000, ended: [] },
      ]);
    });

    test('can be taken back once, and the account is as it was', async () => {
      const [alice] = await people(on.store, 'alice');
      const mine = { userId: alice.id };
      expect(await on.store.cancelErasure(mine)).toBe(false);
      await on.store.requestErasure({ ...mine, dueAt: 5_000 });
      expect(await on.store.cancelErasure(mine)).toBe(true);
      expect(await on.store.cancelErasure(mine)).toBe(false);
      expect(await on.store.account(alice.username)).toEqual(alice);
      expect(await on.store.eraseNext({ now: later, skip: 0, chain })).toEqual({ kind: 'none' });
      expect(await on.store.requestErasure({ ...mine, dueAt: 9_000 })).toMatchObject({
        kind: 'asked',
        dueAt: 9_000,
      });
    });

    test('cannot be taken back when the work has begun, and is not heard of a tombstone or of nobody', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.requestErasure({ userId: alice.id, dueAt: 5_000 });
      expect(await on.store.eraseNext({ now: 5_000, skip: 0, chain })).toMatchObject({ kind: 'begun' });
      for (const userId of [alice.id, person('nobody').id]) {
        expect(await on.store.cancelErasure({ userId })).toBe(false);
        expect(await on.store.requestErasure({ userId, dueAt: 1 })).toEqual({ kind: 'no-account' });
      }
      expect(await erase(5_000)).toEqual(['going-on', 'finished']);
    });

    test('is refused to the last administrator, who is that also when all others can log in no more or are to be erased', async () => {
      const [alice, bob, carol] = await people(on.store, 'alice', 'bob', 'carol');
      await administrator(alice, 1);
      const wish = (account: Account) => on.store.requestErasure({ userId: account.id, dueAt: 5_000 });
      const kept = opening(alice);
      await on.store.openSession(kept);
      const isLast = (account: Account) => on.store.isLastAdministrator({ userId: account.id });
      expect([await isLast(alice), await isLast(bob)]).toEqual([true, false]);
      expect(await wish(alice)).toEqual({ kind: 'last-admin' });
      for (const other of [bob, carol]) await administrator(other, 2);
      expect(await isLast(alice)).toBe(false);
      await on.store.disableAccount({ username: carol.username, now: 1 });
      expect(await wish(bob)).toMatchObject({ kind: 'asked' });
      expect(await isLast(alice)).toBe(true);
      expect(await wish(alice)).toEqual({ kind: 'last-admin' });
      expect(await on.store.sessionByToken(kept.tokenHash)).toEqual(kept.session);
      expect(await on.store.account(alice.username)).toEqual({ ...alice, isAdmin: true });
      await on.store.enableAccount({ username: carol.username });
      expect(await wish(alice)).toMatchObject({ kind: 'asked', ended: [kept.session.id] });
    });

    test('of two administrators at once is refused to one', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      for (const each of [alice, bob]) await administrator(each, 1);
      const wishes = await Promise.all(
        [alice, bob].map(({ id }) => on.store.requestErasure({ userId: id, dueAt: 5_000 })),
      );
      expect(wishes.map(({ kind }) => kind)).toEqual(['asked', 'last-admin']);
    });
  });

  describe('erasing an account', () => {
    test('begins at its time, not a millisecond before, and with whose time came first', async () => {
      const [alice, bob, carol] = await people(on.store, 'alice', 'bob', 'carol');
      for (const [account, dueAt] of [
        [alice, 5_000],
        [bob, 4_000],
        [carol, 5_001],
      ] as const)
        await on.store.requestErasure({ userId: account.id, dueAt });
      expect(await on.store.eraseNext({ now: 3_999, skip: 0, chain })).toEqual({ kind: 'none' });
      const finished: Array<string | undefined> = [];
      for (let step = await on.store.eraseNext({ now: 5_000, skip: 0, chain }); step.kind !== 'none'; ) {
        if (step.kind === 'finished') finished.push(step.entry.user);
        step = await on.store.eraseNext({ now: 5_000, skip: 0, chain });
      }
      expect(finished).toEqual(['bob', 'alice']);
      expect(await on.store.usernames({ after: '', limit: 9 })).toEqual(['carol']);
    });

    test('ends the sessions that were opened since, and lets nobody in from its beginning on', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.requestErasure({ userId: alice.id, dueAt: 5_000 });
      const late = opening(alice, { erasesAt: 5_000 });
      await on.store.openSession(late);
      expect(await on.store.eraseNext({ now: 5_000, skip: 0, chain })).toEqual({
        kind: 'begun',
        username: 'alice',
        ended: [late.session.id],
      });
      const store = await on.reopen();
      expect(await store.account(alice.username)).toBeUndefined();
      expect(await store.credential(alice.username)).toBeUndefined();
      expect(await store.sessionByToken(late.tokenHash)).toBeUndefined();
      expect(await store.openSession(opening(alice))).toEqual({ kind: 'no-account' });
      expect(
        await store.refreshSession({
          refreshHash: late.refreshHash,
          nextTokenHash: digest(1),
          nextRefreshHash: digest(2),
          now: 2_000,
          graceMs: 20,
          absoluteMs: 7_000,
        }),
      ).toEqual({ kind: 'unknown' });
    });

    test('leaves a name that stays taken, an address that is free, and nothing in lists and counts', async () => {
      const alice = person('alice', { email: 'A@example.org' });
      await on.store.createAccount({ account: alice, verifier });
      const [bob] = await people(on.store, 'bob');
      await on.store.disableAccount({ username: alice.username, now: 1 });
      await send(bob, inRoom('lobby'));
      await erased(alice);
      const store = await on.reopen();
      expect(await store.createAccount({ account: person('alice'), verifier })).toEqual({
        kind: 'taken',
        field: 'username',
      });
      expect(await store.usernameByEmail('a@example.org')).toBeUndefined();
      expect(await store.usernames({ after: '', limit: 9 })).toEqual(['bob']);
      expect(await store.accounts({ after: '', limit: 9 })).toEqual([bob]);
      expect(await store.roomMembers({ room: room('lobby'), after: '', limit: 9 })).toEqual(['bob']);
      expect(await store.rooms({ userId: bob.id, after: '', limit: 9 })).toMatchObject([{ members: 1 }]);
      expect(await store.counts()).toMatchObject({ accounts: 1, disabled: 0, messages: 1 });
      const heir = person('heir', { email: 'a@EXAMPLE.org' });
      expect(await store.createAccount({ account: heir, verifier })).toEqual({ kind: 'created' });
    });

    test('takes the text and the envelopes that the account sent, wherever that was, and leaves their places', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      for (const name of ['dev', 'left']) {
        await on.store.createRoom({ room: room(name), by: alice.id, now: 1 });
        await on.store.joinRoom({ room: room(name), userId: bob.id, now: 1 });
      }
      const places: ConversationId[] = [];
      for (const to of [inRoom('dev'), inRoom('left'), inRoom('lobby'), withUser('bob')]) {
        places.push(
          (await send(alice, to, { body: { text: 'hers' }, key: `key ${places.length}` })).conversation,
        );
        await send(alice, to, { body: { envelope: 'hers' } });
        await send(bob, to.kind === 'room' ? to : withUser('alice'), { body: { text: 'his' } });
      }
      await on.store.leaveRoom({ room: room('left'), userId: alice.id });
      const own = await send(alice, withUser('alice'), { body: { text: 'for herself' } });
      await erased(alice);
      await on.reopen();
      const gone = { sender: 'alice', erased: true };
      for (const place of places) {
        expect(await bodies(place)).toEqual([gone, gone, { sender: 'bob', text: 'his' }]);
      }
      expect(await bodies(own.conversation)).toEqual([gone]);
      expect((await send(bob, inRoom('dev'))).seq).toBe(4);
    });

    test('takes the words of what it sent from the search, and leaves those of others', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const { conversation, id } = await send(alice, inRoom('lobby'), { body: { text: 'secret plan' } });
      await send(bob, inRoom('lobby'), { body: { text: 'secret too' } });
      const search = async () => {
        const [step] = await on.store.searchMessages({
          userId: bob.id,
          conversations: [{ id: conversation, before: later }],
          terms: parseSearch('secret'),
          limit: 9,
        });
        expect(step?.isWhole).toBe(true);
        return (step?.found ?? []).map(({ seq }) => seq);
      };
      expect(await search()).toEqual([2, 1]);
      await erased(alice);
      expect(await search()).toEqual([2]);
      await on.reopen();
      expect(await search()).toEqual([2]);
      // Where it was is still known to who pages through what is older.
      expect(await on.store.messagePosition({ userId: bob.id, id })).toMatchObject({ seq: 1 });
    });

    test('takes devices, codes, invites, consents, keys and the second factor', async () => {
      const alice = person('alice', { email: 'a@example.org' });
      const consent = { digest: 'd', at: 1, door: 'line' } as const;
      await on.store.createAccount({ account: alice, verifier, consent });
      const [bob] = await people(on.store, 'bob');
      for (const [account, n] of [
        [alice, 1],
        [bob, 20],
      ] as const) {
        await on.store.openSession(opening(account));
        await on.store.putCode({
          hash: digest(n),
          kind: 'reset-by-admin',
          userId: account.id,
          email: null,
          expiresAt: later,
        });
        await on.store.createInvite({
          id: uuidV7() as InviteId,
          codeHash: digest(n + 1),
          by: account.id,
          createdAt: 1,
          expiresAt: later,
          uses: 3,
        });
        await on.store.addConsent({ ...consent, digest: 'e', userId: account.id });
        for (const seq of [1, 2])
          await on.store.publishKeyRecord({ userId: account.id, seq, record: 'r', now: 1 });
        const backup = { contents: 'c', recovery_wrap: 'w', password_wrap: 'p' };
        await on.store.putKeyBackup({ userId: account.id, version: 0, backup });
        await on.store.beginSecondFactor({ userId: account.id, secret: digest(n + 2), now: 1 });
        await on.store.confirmSecondFactor({
          userId: account.id,
          secret: digest(n + 2),
          step: 1,
          now: 1,
          codes: [{ number: 0, salt: digest(1), hash: digest(2) }],
          except: opening(account).session.id,
        });
      }
      await erased(alice);
      const store = await on.reopen();
      const page = { after: '', limit: 9 };
      const left = async ({ id: userId }: Account, n: number) => ({
        devices: (await store.devices({ userId, ...page })).length,
        consents: (await store.consents({ userId })).map((one) => one.digest),
        factor: (await store.secondFactor(userId)) !== undefined,
        code: (await store.recoveryCode({ userId, number: 0 })) !== undefined,
        reset: (await store.accountOfResetCode({ hash: digest(n), now: 2 }))?.username,
        admits: await store.isAdmitted({ codeHash: digest(n + 1), takesInvites: true, now: 2 }),
        records: (await store.keyRecords({ userId, after: 0, limit: 9 })).length,
        backup: (await store.keyBackup({ userId }))?.version,
      });
      expect(await left(alice, 1)).toEqual({
        devices: 0,
        consents: [],
        factor: false,
        code: false,
        reset: undefined,
        admits: false,
        records: 0,
        backup: undefined,
      });
      expect(await store.keyRecord({ username: alice.username })).toBeUndefined();
      expect(await left(bob, 20)).toEqual({
        devices: 1,
        consents: ['e'],
        factor: true,
        code: true,
        reset: 'bob',
        admits: true,
        records: 2,
        backup: 1,
      });
      expect(await store.invites({ ...page, now: 2 })).toMatchObject([{ by: 'bob' }]);
    });

    test('goes on after a restart where it was, through more messages than one step takes', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const outcomes = await Promise.all(
        Array.from({ length: 1_201 }, (_, i) => send(i % 3 ? alice : bob, inRoom('lobby'))),
      );
      await on.store.requestErasure({ userId: alice.id, dueAt: 5 });
      const kinds: string[] = [];
      while (kinds.at(-1) !== 'finished') {
        kinds.push((await on.store.eraseNext({ now: 5, skip: 0, chain })).kind);
        await on.reopen();
      }
      expect(kinds.slice(0, 4)).toEqual(['begun', 'going-on', 'going-on', 'going-on']);
      expect(await erase(5)).toEqual([]);
      const kept = await bodies(outcomes[0]?.conversation as ConversationId);
      expect(kept).toEqual(
        outcomes.map((_, i) =>
          i % 3 ? { sender: 'alice', erased: true } : { sender: 'bob', text: 'hello' },
        ),
      );
    });

    test('has a row in the audit trail with its last piece, and steps over those that are left alone', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.requestErasure({ userId: alice.id, dueAt: 4 });
      await on.store.requestErasure({ userId: bob.id, dueAt: 5 });
      const step = () => on.store.eraseNext({ now: 5, skip: 1, chain });
      expect(await step()).toMatchObject({ kind: 'begun', username: 'bob' });
      let last = await step();
      while (last.kind === 'going-on') last = await step();
      expect(last).toMatchObject({ kind: 'finished', entry: { user: 'bob' } });
      expect(await step()).toEqual({ kind: 'none' });
      expect(await on.store.eraseNext({ now: 5, skip: 2, chain })).toEqual({ kind: 'none' });
      const { rows } = await (await on.reopen()).auditPage({ limit: 10 });
      expect(rows).toMatchObject([{ at: 5, operation: 'account.erased', user: 'bob', outcome: 'ok' }]);
      expect(await on.store.account(alice.username)).toBeDefined();
    });

    test('lets the tombstone write nothing and gives it nothing, from its beginning on', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const { id: userId } = alice;
      await send(alice, inRoom('lobby'));
      await send(alice, withUser('bob'));
      await send(bob, withUser('alice'));
      await on.store.requestErasure({ userId, dueAt: 5 });
      await on.store.eraseNext({ now: 5, skip: 0, chain });
      /** Calls of a session that were under way when it ended. */
      async function tryAll(): Promise<void> {
        const { store } = on;
        expect(await store.appendMessage(message(alice, inRoom('lobby')))).toEqual({ kind: 'not-member' });
        expect(await store.appendMessage(message(alice, withUser('bob')))).toEqual({ kind: 'no-user' });
        expect(await store.appendMessage(message(bob, withUser('alice')))).toEqual({ kind: 'no-user' });
        const open = (user: Account, ref: ConversationRef) =>
          store.openConversation({ userId: user.id, ref, now: 6 });
        expect(await open(alice, inRoom('lobby'))).toEqual({ kind: 'not-member' });
        expect(await open(bob, withUser('alice'))).toMatchObject({ lastSeq: 2 });
        const look = (user: Account, ref: ConversationRef) => store.conversation({ userId: user.id, ref });
        expect(await look(alice, inRoom('lobby'))).toEqual({ kind: 'not-member' });
        expect(await look(bob, withUser('alice'))).toMatchObject({ lastSeq: 2 });
        await store.leaveRoom({ room: room('lobby'), userId });
        await store.createRoom({ room: room('hers'), by: userId, now: 6 });
        expect(await store.joinRoom({ room: room('hers'), userId, now: 6 })).toBe('missing');
        expect(await store.setEmail({ userId, email: 'a@example.org' })).toBe(false);
        expect(await store.beginSecondFactor({ userId, secret: digest(1), now: 6 })).toBe(false);
        await store.createInvite({
          id: uuidV7() as InviteId,
          codeHash: digest(3),
          by: userId,
          createdAt: 6,
          expiresAt: later,
          uses: 1,
        });
        await store.addConsent({ userId, digest: 'late', at: 6, door: 'line' });
        const backup = { contents: 'c', recovery_wrap: 'w' };
        expect(await store.publishKeyRecord({ userId, seq: 1, record: 'r', now: 6 })).toBe('other-record');
        expect(await store.putKeyBackup({ userId, version: 0, backup })).toBeUndefined();
        expect(
          await store.putCode({
            hash: digest(9),
            kind: 'reset-by-admin',
            userId,
            email: null,
            expiresAt: later,
          }),
        ).toBe(false);
        expect(await store.replaceVerifier({ userId, replaces: verifier.storedKey, verifier })).toBe(false);
        expect(await store.setAdministrator({ username: alice.username, isAdmin: true })).toBe('missing');
        expect(await store.disableAccount({ username: alice.username, now: 6 })).toEqual({ kind: 'missing' });
        expect(await store.enableAccount({ username: alice.username })).toBe(false);
      }
      await tryAll();
      expect(await erase(5)).toEqual(['going-on', 'finished']);
      await tryAll();
      expect(await erase(later)).toEqual([]);
      const store = await on.reopen();
      expect(await store.conversations({ userId })).toEqual([]);
      expect(await store.consents({ userId })).toEqual([]);
      expect(await store.secondFactor(userId)).toBeUndefined();
      expect(await store.invites({ after: '', limit: 9, now: 6 })).toEqual([]);
      expect(await store.usernameByEmail('a@example.org')).toBeUndefined();
      expect(await store.roomMembers({ room: room('hers'), after: '', limit: 9 })).toEqual([]);
    });

    test('forgets the keys of what was sent, and keeps those of others', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await send(alice, inRoom('lobby'), { key: 'k' });
      const his = await send(bob, inRoom('lobby'), { key: 'k' });
      await erased(alice);
      expect(await on.store.appendMessage(message(alice, inRoom('lobby'), { key: 'k' }))).toEqual({
        kind: 'not-member',
      });
      expect(await send(bob, inRoom('lobby'), { key: 'k' })).toEqual({ ...his, kind: 'repeated' });
    });
  });

  describe('scrubbing', () => {
    test('ends, does nothing a second time, and changes nothing that is kept', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const { conversation } = await send(alice, inRoom('lobby'));
      await send(bob, inRoom('lobby'));
      await erased(alice);
      for (let time = 0; time < 2; time++) {
        let from: number | undefined = 0;
        while (from !== undefined) ({ next: from } = await on.store.scrub({ from }));
      }
      await on.reopen();
      expect(await on.store.scrub({ from: 0 })).toEqual({ next: undefined });
      expect(await bodies(conversation)).toEqual([
        { sender: 'alice', erased: true },
        { sender: 'bob', text: 'hello' },
      ]);
      expect(await on.store.account(bob.username)).toEqual(bob);
    });
  });

  describe('messages that have reached their age', () => {
    test('lose text, envelope and key, whoever sent them; one of that very moment stays', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const { conversation } = await send(alice, inRoom('lobby'), { sentAt: 98, key: 'k' });
      await send(bob, inRoom('lobby'), { sentAt: 99, body: { envelope: 'x' } });
      await send(alice, inRoom('lobby'), { sentAt: 100 });
      const direct = await send(alice, withUser('bob'), { sentAt: 99 });
      expect(await expire(98)).toBe(0);
      expect(await expire(100)).toBe(3);
      expect(await expire(100)).toBe(0);
      await on.reopen();
      expect(await bodies(conversation)).toEqual([
        { sender: 'alice', erased: true },
        { sender: 'bob', erased: true },
        { sender: 'alice', text: 'hello' },
      ]);
      expect(await bodies(direct.conversation)).toEqual([{ sender: 'alice', erased: true }]);
      expect(await send(alice, inRoom('lobby'), { sentAt: 101, key: 'k' })).toMatchObject({
        kind: 'stored',
        seq: 4,
      });
    });

    test('are not found any more', async () => {
      const [alice] = await people(on.store, 'alice');
      const { conversation } = await send(alice, inRoom('lobby'), { sentAt: 1 });
      await send(alice, inRoom('lobby'), { sentAt: 100 });
      const search = async () => {
        const [step] = await on.store.searchMessages({
          userId: alice.id,
          conversations: [{ id: conversation, before: later }],
          terms: parseSearch('hello'),
          limit: 9,
        });
        return step?.found.map(({ seq }) => seq);
      };
      expect(await search()).toEqual([2, 1]);
      await expire(100);
      expect(await search()).toEqual([2]);
    });

    test('wait for one that stands before them and is younger, as a clock that was set back leaves it', async () => {
      const [alice] = await people(on.store, 'alice');
      const { conversation } = await send(alice, inRoom('lobby'), { sentAt: 200 });
      await send(alice, inRoom('lobby'), { sentAt: 50 });
      expect(await expire(200)).toBe(0);
      expect(await expire(201)).toBe(2);
      expect((await bodies(conversation)).every((body) => 'erased' in body)).toBe(true);
    });

    test('are all reached, in however many conversations and however many to one', async () => {
      const [alice] = await people(on.store, 'alice');
      const names = Array.from({ length: 120 }, (_, i) => `room${i}`);
      for (const name of names) await on.store.createRoom({ room: room(name), by: alice.id, now: 1 });
      const all = await Promise.all([
        ...Array.from({ length: 1_101 }, () => send(alice, inRoom('lobby'), { sentAt: 5 })),
        ...names.map((name) => send(alice, inRoom(name), { sentAt: 5 })),
      ]);
      await Promise.all([inRoom('lobby'), inRoom('room119')].map((to) => send(alice, to, { sentAt: 6 })));
      expect(await expire(6)).toBe(all.length);
      const kept = await sent(alice);
      expect(kept.filter(({ body }) => 'text' in body).map(({ ref, seq }) => ({ ref, seq }))).toEqual([
        { ref: inRoom('lobby'), seq: 1_102 },
        { ref: inRoom('room119'), seq: 2 },
      ]);
    });
  });

  describe('consents', () => {
    test('are listed in the order of their times, each as it was given first, and one’s own alone', async () => {
      const alice = person('alice');
      const first = { digest: 'b', at: 5, door: 'http' } as const;
      await on.store.createAccount({ account: alice, verifier, consent: first });
      const [bob] = await people(on.store, 'bob');
      const second = { digest: 'a', at: 9, door: 'slash' } as const;
      await on.store.addConsent({ userId: alice.id, ...second });
      await on.store.addConsent({ userId: alice.id, ...first, at: 7, door: 'pipe' });
      const store = await on.reopen();
      expect(await store.consents({ userId: alice.id })).toEqual([first, second]);
      expect(await store.consents({ userId: bob.id })).toEqual([]);
    });

    test('are not kept of who was not let in', async () => {
      const [alice] = await people(on.store, 'alice');
      const other = person('alice');
      const consent = { digest: 'a', at: 5, door: 'line' } as const;
      await on.store.createAccount({ account: other, verifier, consent });
      for (const { id } of [alice, other]) expect(await on.store.consents({ userId: id })).toEqual([]);
    });
  });

  describe('devices', () => {
    test('are listed by id a page at a time, with and without a session, and one’s own alone', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const ids = Array.from({ length: 3 }, () => uuidV7() as DeviceId).sort();
      for (const [n, deviceId] of ids.entries()) {
        const session = { deviceId, deviceLabel: `device ${n}`, createdAt: 1_000 + n };
        const opened = opening(alice, session);
        await on.store.openSession(opened);
        if (n === 1) await on.store.endSession({ id: opened.session.id, userId: alice.id });
      }
      await on.store.openSession(opening(bob));
      const list = (after: string, limit: number): Promise<Device[]> =>
        on.store.devices({ userId: alice.id, after, limit });
      const expected = ids.map((id, n) => ({ id, label: `device ${n}`, createdAt: 1_000 + n }));
      expect(await list('', 9)).toEqual(expected);
      expect(await list('', 2)).toEqual(expected.slice(0, 2));
      expect(await list(ids[1] ?? '', 2)).toEqual(expected.slice(2));
    });
  });

  describe('what an account has sent', () => {
    test('is in rooms by name, then in direct conversations, all of it and nobody else’s, however small the pages', async () => {
      const [alice, bob, carol] = await people(on.store, 'alice', 'bob', 'carol');
      for (const name of ['zoo', 'art']) {
        await on.store.createRoom({ room: room(name), by: alice.id, now: 1 });
        await on.store.joinRoom({ room: room(name), userId: bob.id, now: 1 });
      }
      const own: Array<{ ref: ConversationRef; seq: number; text: string }> = [];
      const say = async (ref: ConversationRef, text: string) => {
        own.push({ ref, seq: (await send(alice, ref, { body: { text } })).seq, text });
      };
      await send(bob, inRoom('zoo'), { body: { text: 'his' } });
      await say(inRoom('zoo'), 'z1');
      await send(bob, inRoom('zoo'), { body: { text: 'his' } });
      await say(inRoom('zoo'), 'z2');
      await say(inRoom('art'), 'a');
      await say(inRoom('lobby'), 'l');
      await say(withUser('carol'), 'to carol');
      await send(carol, withUser('alice'), { body: { text: 'hers' } });
      await say(withUser('alice'), 'to herself');
      await send(bob, withUser('carol'), { body: { text: 'not for her' } });
      // What was written in a room that was left since is its writer's too.
      await on.store.leaveRoom({ room: room('zoo'), userId: alice.id });
      await on.reopen();
      const order = [2, 3, 0, 1, 4, 5].map((i) => own[i]);
      for (const limit of [1, 2, 1_000]) {
        const found = await sent(alice, limit);
        expect(found.map(({ ref, seq, body }) => ({ ref, seq, ...body }))).toEqual(order);
      }
      expect(await sent(person('nobody'))).toEqual([]);
    });

    test('is told with ids, times, envelopes and the places of erased texts', async () => {
      const [alice] = await people(on.store, 'alice');
      const to = inRoom('lobby');
      const old = await send(alice, to, { sentAt: 5 });
      const young = await send(alice, to, { sentAt: 9, body: { envelope: 'sealed' } });
      await expire(9);
      expect(await sent(alice)).toEqual([
        { ref: to, seq: 1, id: old.id, sentAt: 5, body: { erased: true } },
        { ref: to, seq: 2, id: young.id, sentAt: 9, body: { envelope: 'sealed' } },
      ]);
    });

    test('is found behind more messages of others than one call looks at', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await Promise.all(Array.from({ length: 4_100 }, () => send(bob, inRoom('lobby'))));
      await send(alice, inRoom('lobby'));
      const first = await on.store.sentMessages({ userId: alice.id, after: undefined, limit: 9 });
      expect(first).toMatchObject({ messages: [], next: { ref: inRoom('lobby') } });
      expect(await sent(alice)).toMatchObject([{ seq: 4_101 }]);
    });

    test('ends at once after a place that nobody was given', async () => {
      const [alice] = await people(on.store, 'alice');
      await send(alice, withUser('alice'));
      const after = { ref: withUser('nobody' as Username), seq: 1 };
      expect(await on.store.sentMessages({ userId: alice.id, after, limit: 9 })).toEqual({
        messages: [],
        next: undefined,
      });
    });
  });
}
