import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RoomName } from '../../src/core/model/conversation-name.ts';
import type { ConversationId, MessageId, SessionId, UserId } from '../../src/core/model/ids.ts';
import type { Username } from '../../src/core/model/username.ts';
import type { Bus, NodeId, Notice, PresenceNews } from '../../src/core/ports/bus.ts';
import { turn, until } from '../server/support/until.ts';

/** A bus as two nodes have it, that hear each other by now; the same twice when it is not shared. */
export interface BusUnderExam {
  readonly here: Bus;
  readonly there: Bus;
  /** What listeners have thrown so far. */
  readonly failures: unknown[];
  readonly close: () => Promise<void>;
}

const alice = 'alice' as Username;
const bob = 'bob' as Username;
const oddText = 'Lucía’s “phone”\n\u0000\\ \ud83d\ude00 \ud800 {"type":"message"}';

/** One notice of each type; a type that is missing here does not compile. */
const ofEach: { readonly [T in Notice['type']]: Extract<Notice, { type: T }> } = {
  message: {
    type: 'message',
    conversation: 7 as ConversationId,
    audience: { kind: 'room', room: 'lobby' },
    message: { seq: 1, id: 'm' as MessageId, sender: alice, sentAt: 1, body: { text: oddText } },
  },
  'sessions-ended': {
    type: 'sessions-ended',
    ids: ['s' as SessionId, 't' as SessionId],
    reason: 'refresh-reused',
  },
  'session-changed': { type: 'session-changed', id: 's' as SessionId },
  'account-notice': {
    type: 'account-notice',
    user: 'nobody knows whether there is one',
    except: 's' as SessionId,
    event: {
      type: 'account-notice',
      kind: 'new-device',
      door: 'websocket',
      address: '2001:db8::1',
      device: oddText,
      at: 1,
    },
  },
  'member-joined': {
    type: 'member-joined',
    userId: 'u' as UserId,
    user: alice,
    conversation: {
      id: 7 as ConversationId,
      ref: { kind: 'room', room: 'dev' as RoomName },
      lastSeq: 9,
      readSeq: 8,
    },
  },
  'member-left': {
    type: 'member-left',
    userId: 'u' as UserId,
    user: alice,
    conversation: {
      id: 7 as ConversationId,
      ref: { kind: 'room', room: 'dev' as RoomName },
      lastSeq: 9,
      readSeq: 9,
    },
  },
  'messages-taken': {
    type: 'messages-taken',
    node: 'n' as NodeId,
    taken: [
      ['a', 3],
      ['192.0.2.1', 1],
    ],
  },
  presence: {
    type: 'presence',
    node: 'n' as NodeId,
    news: { kind: 'changes', at: 3, came: [alice], left: [bob] },
  },
};

/** The same with what may be otherwise, or be missing. */
const variants: readonly Notice[] = [
  {
    ...ofEach.message,
    audience: { kind: 'direct', users: [alice, bob] },
    message: { ...ofEach.message.message, seq: 2 ** 40, body: { envelope: 'x'.repeat(100_000) } },
  },
  { ...ofEach.message, message: { ...ofEach.message.message, body: { erased: true } } },
  { ...ofEach['sessions-ended'], ids: [] },
  {
    type: 'account-notice',
    user: 'bob',
    event: {
      type: 'account-notice',
      kind: 'failed-logins',
      door: 'line',
      address: '::1',
      failures: 3,
      at: 1,
    },
  },
  {
    ...ofEach['member-joined'],
    conversation: {
      ...ofEach['member-joined'].conversation,
      ref: { kind: 'direct', peer: bob },
    },
  },
];

/** What nodes say of who is online there. */
const news: readonly PresenceNews[] = [
  { kind: 'whole', at: 0, piece: 1, pieces: 2, users: Array.from({ length: 5_000 }, () => alice) },
  { kind: 'beat', at: 4, users: 2 },
  { kind: 'ask', of: 'n' as NodeId },
  { kind: 'ask', of: undefined },
  { kind: 'gone' },
];

const changed = (id: string): Notice => ({ type: 'session-changed', id: id as SessionId });

/** The exam that every bus passes. */
export function describeBus(name: string, open: () => Promise<BusUnderExam>): void {
  describe(name, () => {
    let exam: BusUnderExam;
    let here: Bus;
    let there: Bus;
    beforeEach(async () => {
      exam = await open();
      ({ here, there } = exam);
    });
    afterEach(async () => {
      await exam.close();
    });

    /** What a bus tells from now on. */
    function heardBy(bus: Bus): Notice[] {
      const heard: Notice[] = [];
      bus.subscribe((notice) => heard.push(notice));
      return heard;
    }

    /** Resolves when what was published before has arrived at `other`, wherever it was published. */
    async function arrived(from: Bus, other: Bus): Promise<void> {
      let isThere = false;
      const stop = other.subscribe((notice) => {
        if (notice.type === 'session-changed' && notice.id === 'the last one') isThere = true;
      });
      from.publish(changed('the last one'));
      await until(() => isThere);
      stop();
    }

    test('says whether it is shared the same on each node', () => {
      expect(there.isShared).toBe(here.isShared);
      if (!here.isShared) expect(there).toBe(here);
    });

    test('gives every notice to every listener of its node before publish returns, until it has stopped', () => {
      const heard: string[] = [];
      const stop = here.subscribe(() => heard.push('one'));
      here.subscribe(() => heard.push('two'));
      here.publish(changed('a'));
      stop();
      stop();
      here.publish(changed('b'));
      expect(heard).toEqual(['one', 'two', 'two']);
    });

    test('counts a listener that subscribed twice as two', () => {
      let heard = 0;
      const listener = (): void => {
        heard += 1;
      };
      here.subscribe(listener);
      here.subscribe(listener)();
      here.publish(changed('a'));
      expect(heard).toBe(1);
    });

    test('reports a listener that throws, and goes on, on each node', async () => {
      const bug = new Error('a bug');
      const stop = [here, there].map((bus) =>
        bus.subscribe(() => {
          throw bug;
        }),
      );
      const heard = [heardBy(here), heardBy(there)];
      here.publish(changed('a'));
      await until(() => heard.every(({ length }) => length === 1));
      for (const one of stop) one();
      await arrived(here, there);
      expect(exam.failures.splice(0)).toEqual([bug, bug]);
    });

    test('brings every kind of notice to the other node as it was, each once', async () => {
      const all = [
        ...Object.values(ofEach),
        ...variants,
        ...news.map((one): Notice => ({ ...ofEach.presence, news: one })),
      ];
      const heard = heardBy(there);
      for (const notice of all) here.publish(notice);
      await arrived(here, there);
      expect(heard.slice(0, -1)).toEqual(all);
    });

    test('tells its own node once', async () => {
      const heard = heardBy(here);
      here.publish(changed('a'));
      await arrived(here, there);
      await arrived(there, here);
      expect(heard).toEqual([changed('a'), changed('the last one'), changed('the last one')]);
    });

    test('keeps the order of each publisher, over turns', async () => {
      const heard = heardBy(there);
      for (let id = 0; id < 3_000; id++) {
        here.publish(changed(`here ${id}`));
        if (id % 3 === 0) there.publish(changed(`there ${id}`));
        if (id % 50 === 0) await turn();
      }
      await arrived(here, there);
      const ids = heard.map((notice) => (notice.type === 'session-changed' ? notice.id : ''));
      expect(ids.filter((id) => id.startsWith('here'))).toEqual(
        Array.from({ length: 3_000 }, (_, id) => `here ${id}`),
      );
      expect(ids.filter((id) => id.startsWith('there'))).toEqual(
        Array.from({ length: 1_000 }, (_, id) => `there ${id * 3}`),
      );
    });

    test('carries much at once', async () => {
      const heard = heardBy(there);
      const large = {
        ...ofEach.message,
        message: { ...ofEach.message.message, body: { text: 'ü'.repeat(8_000) } },
      };
      for (let seq = 1; seq <= 300; seq++) here.publish({ ...large, message: { ...large.message, seq } });
      await arrived(here, there);
      expect(heard.map((notice) => (notice.type === 'message' ? notice.message.seq : 0))).toEqual([
        ...Array.from({ length: 300 }, (_, index) => index + 1),
        0,
      ]);
    });

    test('takes a notice of who was just told of one', async () => {
      const heard = heardBy(there);
      const stop = here.subscribe((notice) => {
        if (notice.type === 'member-left') here.publish(changed('and so'));
      });
      here.publish(ofEach['member-left']);
      stop();
      await arrived(here, there);
      expect(heard).toContainEqual(ofEach['member-left']);
      expect(heard).toContainEqual(changed('and so'));
    });

    test('is in no doubt as long as everything arrives', async () => {
      let doubts = 0;
      const stops = [here, there].map((bus) =>
        bus.onDoubt?.(() => {
          doubts += 1;
        }),
      );
      for (let id = 0; id < 100; id++) here.publish(changed(`${id}`));
      await arrived(here, there);
      await arrived(there, here);
      for (const stop of stops) {
        stop?.();
        stop?.();
      }
      expect(doubts).toBe(0);
    });
  });
}
