import { describe, expect, test } from 'vitest';
import type { Examined } from '../support/examined.ts';
import { inRoom, message, people, person, room, verifier } from '../support/people.ts';

/** Rooms, their members, and the lobby. */
export function examineRooms(on: Examined): void {
  const members = (name: string) => on.store.roomMembers({ room: room(name), after: '', limit: 100 });

  describe('rooms', () => {
    test('the lobby is there from the start, with everybody in it', async () => {
      expect(await members('lobby')).toEqual([]);
      const [alice] = await people(on.store, 'alice', 'bob');
      expect(await members('lobby')).toEqual(['alice', 'bob']);
      expect(await on.store.rooms({ userId: alice.id, after: '', limit: 10 })).toEqual([
        { room: 'lobby', members: 2, isMember: true, lastSeq: 0 },
      ]);
    });

    test('nobody makes, joins or leaves the lobby', async () => {
      const [alice] = await people(on.store, 'alice');
      const lobby = { room: room('lobby'), userId: alice.id, now: 5 };
      expect(await on.store.createRoom({ room: room('lobby'), by: alice.id, now: 5 })).toBe('taken');
      expect(await on.store.joinRoom(lobby)).toBe('already');
      expect(await on.store.leaveRoom(lobby)).toBe('stays');
      expect(await members('lobby')).toEqual(['alice']);
    });

    test('who makes a room is in it; its name is taken from then on', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      expect(await on.store.createRoom({ room: room('dev'), by: alice.id, now: 5 })).toBe('created');
      expect(await on.store.createRoom({ room: room('dev'), by: bob.id, now: 6 })).toBe('taken');
      expect(await members('dev')).toEqual(['alice']);
    });

    test('20 who make one room at once make one', async () => {
      const [alice] = await people(on.store, 'alice');
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, () => on.store.createRoom({ room: room('dev'), by: alice.id, now: 5 })),
      );
      expect(outcomes).toEqual(['created', ...Array.from({ length: 19 }, () => 'taken')]);
    });

    test('joining and leaving each count once', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 5 });
      const his = { room: room('dev'), userId: bob.id, now: 6 };
      expect(await on.store.leaveRoom(his)).toBe('not-member');
      expect(await on.store.joinRoom(his)).toBe('joined');
      expect(await on.store.joinRoom(his)).toBe('already');
      expect(await members('dev')).toEqual(['alice', 'bob']);
      expect(await on.store.leaveRoom(his)).toBe('left');
      expect(await on.store.leaveRoom(his)).toBe('not-member');
      expect(await (await on.reopen()).roomMembers({ room: room('dev'), after: '', limit: 9 })).toEqual([
        'alice',
      ]);
    });

    test('a room that is not there is missing to join, to leave and to look into', async () => {
      const [alice] = await people(on.store, 'alice');
      const nowhere = { room: room('nowhere'), userId: alice.id, now: 5 };
      expect(await on.store.joinRoom(nowhere)).toBe('missing');
      expect(await on.store.leaveRoom(nowhere)).toBe('missing');
      expect(await members('nowhere')).toBeUndefined();
    });

    test('a room stays when its last member leaves', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 5 });
      expect(await on.store.leaveRoom({ room: room('dev'), userId: alice.id })).toBe('left');
      expect(await members('dev')).toEqual([]);
    });

    test('rooms are listed in order of name, page by page, as their reader stands to them', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createRoom({ room: room('zoo'), by: alice.id, now: 5 });
      await on.store.createRoom({ room: room('dev'), by: bob.id, now: 5 });
      await on.store.joinRoom({ room: room('dev'), userId: alice.id, now: 5 });
      for (let i = 0; i < 3; i++) await on.store.appendMessage(message(bob, inRoom('dev')));
      const listed = [
        { room: 'dev', members: 2, isMember: true, lastSeq: 3 },
        { room: 'lobby', members: 2, isMember: true, lastSeq: 0 },
        { room: 'zoo', members: 1, isMember: false, lastSeq: 0 },
      ];
      const page = (after: string, limit: number) => on.store.rooms({ userId: bob.id, after, limit });
      expect(await page('', 10)).toEqual(listed);
      expect(await page('', 2)).toEqual(listed.slice(0, 2));
      expect(await page('lobby', 2)).toEqual(listed.slice(2));
      expect(await page('zoo', 2)).toEqual([]);
    });

    test('members are listed in order of name, page by page', async () => {
      await people(on.store, 'carol', 'alice', 'dave', 'bob');
      const page = (after: string, limit: number) =>
        on.store.roomMembers({ room: room('lobby'), after, limit });
      expect(await page('', 3)).toEqual(['alice', 'bob', 'carol']);
      expect(await page('carol', 3)).toEqual(['dave']);
      expect(await page('dave', 3)).toEqual([]);
    });

    test('who comes into a room, or into the lobby by registering, has read what was said before', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.createRoom({ room: room('dev'), by: alice.id, now: 5 });
      for (const name of ['dev', 'dev', 'lobby']) await on.store.appendMessage(message(alice, inRoom(name)));
      const bob = person('bob');
      await on.store.createAccount({ account: bob, verifier });
      await on.store.joinRoom({ room: room('dev'), userId: bob.id, now: 6 });
      const views = await on.store.conversations({ userId: bob.id });
      expect(views.map(({ ref, lastSeq, readSeq }) => ({ ref, lastSeq, readSeq }))).toEqual([
        { ref: inRoom('lobby'), lastSeq: 1, readSeq: 1 },
        { ref: inRoom('dev'), lastSeq: 2, readSeq: 2 },
      ]);
    });
  });
}
