import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEntry } from '../../../src/core/audit.ts';
import { auditChain, walkTrail } from '../../../src/core/audit-chain.ts';
import type { Account } from '../../../src/core/model/account.ts';
import type { ConversationRef } from '../../../src/core/model/conversation-name.ts';
import type { ConversationId } from '../../../src/core/model/ids.ts';
import type { Username } from '../../../src/core/model/username.ts';
import type { Store } from '../../../src/core/ports/store.ts';
import { uuidV7 } from '../../../src/core/random.ts';
import type { StoreUnderExam } from '../store.exam.ts';
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

/** So often each thing is tried that two nodes do at once: which of them comes first is never the same for long. */
const rounds = 15;

const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32).fill(7) });
const each = Array.from({ length: rounds }, (_, round) => round);

/** The exam of a store that several nodes open at once: what each of them promises holds for all together. */
export function describeTwoNodes(name: string, make: () => StoreUnderExam | Promise<StoreUnderExam>): void {
  describe(name, () => {
    let under: StoreUnderExam;
    let one: Store;
    let other: Store;
    beforeEach(async () => {
      under = await make();
      // Both at once: the tables are made by one of them.
      [one, other] = await Promise.all([under.open(), under.open()]);
    });
    afterEach(async () => {
      await Promise.all([one.close(), other.close()]);
      await under.remove();
    });

    /** The same call on both nodes at once. */
    const both = <Result>(call: (store: Store, n: number) => Promise<Result>): Promise<[Result, Result]> =>
      Promise.all([call(one, 0), call(other, 1)]);
    async function sent(
      store: Store,
      from: Account,
      to: ConversationRef,
      rest: Parameters<typeof message>[2] = {},
    ) {
      const outcome = await store.appendMessage(message(from, to, rest));
      if (!('seq' in outcome)) throw new Error(`was refused: ${outcome.kind}`);
      return outcome;
    }
    async function all(conversation: ConversationId) {
      return await other.messages({ conversation, limit: 10_000 });
    }
    /** Whether `isSo` holds for exactly one of two. */
    const once = <Result>(outcomes: readonly Result[], isSo: (outcome: Result) => boolean): void =>
      expect(outcomes.filter(isSo)).toHaveLength(1);

    test('they are one server: its settings, and what they share, are whoever’s came first', async () => {
      const fresh = (n: number) => ({ realm: `realm${n}`, serverSecret: digest(n) });
      const [mine, theirs] = await both((store, n) => store.settings(fresh(n)));
      expect(mine).toEqual(theirs);
      expect(await other.settings(fresh(9))).toEqual(mine);
      const [a, b] = await both((store, n) =>
        store.share({ name: 'keys', value: digest(n), instead: undefined }),
      );
      expect(a).toEqual(b);
      expect(await one.shared('keys')).toEqual(a);
    });

    test('messages of both to one room are numbered without a gap, each node’s in the order of its calls', async () => {
      const [alice, bob] = await people(one, 'alice', 'bob');
      const senders = [alice, bob];
      const numbers = await both((store, n) =>
        Promise.all(
          Array.from({ length: 300 }, async (_, i) => {
            // In several turns, so that there are many commits on both sides.
            for (let turn = 0; turn < i % 30; turn++) await new Promise((resolve) => setImmediate(resolve));
            return await sent(store, senders[n] ?? alice, inRoom('lobby'), { body: { text: `${n} ${i}` } });
          }),
        ),
      );
      const stored = numbers.flat();
      expect(stored.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(stored.map((_, i) => i + 1));
      const kept = await all(stored[0]?.conversation as ConversationId);
      expect(kept.map(({ seq }) => seq)).toEqual(stored.map((_, i) => i + 1));
      expect(new Set(kept.map(({ id }) => id))).toEqual(new Set(stored.map(({ id }) => id)));
      for (const { seq, id } of stored) expect(kept[seq - 1]?.id).toBe(id);
      // Those of one turn at one node keep their order.
      for (const [n, own] of numbers.entries()) {
        for (let turn = 0; turn < 30; turn++) {
          const seqs = own.filter((_, i) => i % 30 === turn).map(({ seq }) => seq);
          expect(seqs, `node ${n}, turn ${turn}`).toEqual([...seqs].sort((a, b) => a - b));
        }
      }
    });

    test('a key that is used on both at once stores one message', async () => {
      const [alice] = await people(one, 'alice');
      for (const round of each) {
        const outcomes = await both((store) => sent(store, alice, inRoom('lobby'), { key: `k${round}` }));
        expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['repeated', 'stored']);
        expect(outcomes.map(({ seq }) => seq)).toEqual([round + 1, round + 1]);
        expect(outcomes[0].id).toBe(outcomes[1].id);
      }
    });

    test('a key that is used towards two conversations at once stores one message', async () => {
      const [alice] = await people(one, 'alice', 'bob');
      let inLobby = 0;
      let toBob = 0;
      for (const round of each) {
        const outcomes = await both((store, n) =>
          sent(store, alice, n === 0 ? inRoom('lobby') : withUser('bob'), { key: `k${round}` }),
        );
        once(outcomes, ({ kind }) => kind === 'stored');
        const [a, b] = outcomes;
        // Which of two is named first says nothing.
        const plain = ({ audience, ...rest }: typeof a) => ({
          ...rest,
          kind: 0,
          audience: audience.kind === 'room' ? audience : { ...audience, users: [...audience.users].sort() },
        });
        expect(plain(a)).toEqual(plain(b));
        if (a.audience.kind === 'room') inLobby += 1;
        else toBob += 1;
        expect(a.seq).toBe(a.audience.kind === 'room' ? inLobby : toBob);
      }
    });

    test('a direct conversation that both begin at once is one', async () => {
      const names = each.map((round) => `user${round}`);
      const [alice, ...peers] = await people(one, 'alice', ...names);
      for (const peer of peers) {
        const outcomes = await both((store, n) =>
          n === 0 ? sent(store, alice, withUser(peer.username)) : sent(store, peer, withUser('alice')),
        );
        expect(new Set(outcomes.map(({ conversation }) => conversation)).size).toBe(1);
        expect(outcomes.map(({ seq }) => seq).sort()).toEqual([1, 2]);
      }
    });

    test('the audit trail is one chain, whoever appends and shortens it', async () => {
      const entry = (at: number): AuditEntry => ({
        at,
        operation: 'login.finish',
        user: 'alice',
        door: 'line',
        address: '192.0.2.1',
        outcome: 'ok',
      });
      const append = (store: Store, at: number) =>
        store.appendAudit({ entries: [entry(at), entry(at)], chain });
      await both((store) => Promise.all(each.map((round) => append(store, round))));
      await Promise.all([
        one.cutAudit({ before: 5, now: 100, chain }),
        ...each.map((round) => append(other, 100 + round)),
      ]);
      const ends = await one.auditEnds(chain);
      expect(ends.isSealed).toBe(true);
      const walk = walkTrail(ends);
      for (const row of (await other.auditPage({ limit: 1_000 })).rows)
        expect(walk.step(row)).toBeUndefined();
      expect(walk.finish()).toBeUndefined();
      expect(ends.head.seq).toBe(rounds * 6 + (ends.start.seq > 0 ? 1 : 0));
    });

    test('a name, an address and a room are given to one', async () => {
      for (const round of each) {
        const named = await both((store) =>
          store.createAccount({ account: person(`user${round}`), verifier }),
        );
        once(named, ({ kind }) => kind === 'created');
        const addressed = await both((store, n) =>
          store.createAccount({
            account: person(`by${round}x${n}`, { email: `${round}@example.org` }),
            verifier,
            isNamedByEmail: true,
          }),
        );
        once(addressed, ({ kind }) => kind === 'created');
        const account = await one.account(`user${round}` as Username);
        if (!account) throw new Error('one of them was made');
        const rooms = await both((store) =>
          store.createRoom({ room: room(`r${round}`), by: account.id, now: 1 }),
        );
        expect([...rooms].sort()).toEqual(['created', 'taken']);
      }
    });

    test('a step, a recovery code, a one-time code and the last use of an invite are used once', async () => {
      const [alice] = await people(one, 'alice');
      const userId = alice.id;
      const secret = digest(1);
      const codes = each.map((number) => ({ number, salt: digest(50), hash: digest(100 + number) }));
      await one.beginSecondFactor({ userId, secret, now: 1 });
      await one.confirmSecondFactor({
        userId,
        secret,
        step: 1,
        now: 1,
        codes,
        except: uuidV7() as Parameters<Store['confirmSecondFactor']>[0]['except'],
      });
      for (const round of each) {
        once(await both((store) => store.useTotpStep({ userId, secret, step: 2 + round })), Boolean);
        const use = { userId, number: round, hash: digest(100 + round) };
        once(await both((store) => store.useRecoveryCode(use)), Boolean);
        await one.putCode({
          hash: digest(200 + round),
          kind: 'reset-by-admin',
          userId,
          email: null,
          expiresAt: 5_000,
        });
        const reset = { hash: digest(200 + round), now: 1, verifier, privacy: 'private' } as const;
        once(await both((store) => store.resetPassword(reset)), (outcome) => outcome !== undefined);
        await one.createInvite({
          id: uuidV7() as Parameters<Store['createInvite']>[0]['id'],
          codeHash: digest(300 + round),
          by: userId,
          createdAt: 1,
          expiresAt: 5_000,
          uses: 1,
        });
        const admission = { codeHash: digest(300 + round), takesInvites: true, now: 2 };
        const made = await both((store, n) =>
          store.createAccount({ account: person(`guest${round}x${n}`), verifier, admission }),
        );
        expect(made.map(({ kind }) => kind).sort()).toEqual(['created', 'not-admitted']);
      }
    });

    test('a refresh token has one successor, and one device one session', async () => {
      const [alice] = await people(one, 'alice');
      for (const round of each) {
        const opened = opening(alice);
        await one.openSession(opened);
        const outcomes = await both((store) =>
          store.refreshSession({
            refreshHash: opened.refreshHash,
            nextTokenHash: digest(10_000 + round),
            nextRefreshHash: digest(20_000 + round),
            now: 2_000,
            graceMs: 1_000,
            absoluteMs: 7_000,
          }),
        );
        expect(outcomes.map(({ kind }) => kind)).toEqual(['rotated', 'rotated']);
        expect(outcomes[0]).toEqual(outcomes[1]);
        const again = () => opening(alice, { deviceId: opened.session.deviceId }, { isNewDevice: false });
        await both((store) => store.openSession(again()));
        const listed = await one.sessions({ userId: alice.id, now: 1_000, idleMs: 100_000 });
        expect(listed.filter(({ deviceId }) => deviceId === opened.session.deviceId)).toHaveLength(1);
        await both((store) => store.endSessions({ userId: alice.id }));
        expect(await other.sessions({ userId: alice.id, now: 1_000, idleMs: 100_000 })).toEqual([]);
      }
    });

    test('two administrators who take it from each other at once are never both without', async () => {
      const [alice, bob] = await people(one, 'alice', 'bob');
      for (const _ of each) {
        for (const { username } of [alice, bob]) await one.setAdministrator({ username, isAdmin: true });
        const outcomes = await both((store, n) =>
          store.setAdministrator({ username: (n === 0 ? alice : bob).username, isAdmin: false }),
        );
        expect([...outcomes].sort()).toEqual(['done', 'last-administrator']);
      }
    });

    test('who is erased at one node while he sends at the other leaves no text', async () => {
      for (const round of each.slice(0, 5)) {
        const [eve] = await people(one, `eve${round}`);
        const { conversation } = await sent(one, eve, inRoom('lobby'), { body: { text: 'first' } });
        await one.requestErasure({ userId: eve.id, dueAt: 5 });
        let isErased = false;
        const sending = (async () => {
          const kinds: string[] = [];
          while (!isErased) {
            const outcome = await other.appendMessage(
              message(eve, inRoom('lobby'), { body: { text: 'still' } }),
            );
            kinds.push(outcome.kind);
          }
          return kinds;
        })();
        const steps: string[] = [];
        while (steps.at(-1) !== 'finished') {
          steps.push((await one.eraseNext({ now: 5, skip: 0, chain })).kind);
        }
        isErased = true;
        expect((await sending).at(-1)).toBe('not-member');
        const left = (await all(conversation)).filter(({ sender }) => sender === eve.username);
        expect(left.length).toBeGreaterThan(0);
        expect(left.filter(({ body }) => !('erased' in body))).toEqual([]);
      }
    });

    test('what one has stored is there for the other as soon as it is answered', async () => {
      const [alice] = await people(one, 'alice');
      for (const round of each) {
        const { conversation, seq } = await sent(round % 2 ? one : other, alice, inRoom('lobby'));
        const reader = round % 2 ? other : one;
        expect(
          (await reader.messages({ conversation, limit: 1, newest: true })).map((found) => found.seq),
        ).toEqual([seq]);
        expect(await reader.heads([conversation])).toEqual([{ conversation, lastSeq: seq }]);
      }
    });
  });
}
