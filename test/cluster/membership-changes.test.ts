import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { postgresStore } from '../../src/server/store/postgres/store.ts';
import { inRoom, message, people, room } from '../contract/support/people.ts';
import { createDatabase } from '../support/postgres-server.ts';

const port = inject('postgresPort');

describe.skipIf(port === undefined)('the changes of members that PostgreSQL notes', () => {
  it('are read by another node once each and in order, with where the marker stood at the entry', async () => {
    const database = await createDatabase(port ?? 0);
    const here = await postgresStore({ url: database.url });
    const there = await postgresStore({ url: database.url });
    onTestFinished(async () => {
      await here.close();
      await there.close();
      await database.drop();
    });
    const [alice, bob] = await people(here, 'alice', 'bob');
    await here.createRoom({ room: room('dev'), by: alice.id, now: 1 });
    await here.appendMessage(message(alice, inRoom('dev')));
    const begun = await there.membershipChanges();
    expect([begun.changes, begun.isWhole]).toEqual([[], true]);
    await here.joinRoom({ room: room('dev'), userId: bob.id, now: 2 });
    const sent = await here.appendMessage(message(alice, inRoom('dev')));
    if (!('seq' in sent)) throw new Error(`was refused: ${sent.kind}`);
    // What he reads now is after his entry: nobody begins there who hears of the entry late.
    await here.markRead({ conversation: sent.conversation, userId: bob.id, seq: sent.seq });
    const entered = await there.membershipChanges(begun.next);
    const conversation = { id: sent.conversation, ref: inRoom('dev'), lastSeq: 2, readSeq: 1 };
    const ofBob = { userId: bob.id, username: 'bob' };
    expect(entered.changes).toEqual([{ kind: 'joined', ...ofBob, conversation }]);
    await here.leaveRoom({ room: room('dev'), userId: bob.id });
    await here.joinRoom({ room: room('dev'), userId: bob.id, now: 3 });
    const after = await there.membershipChanges(entered.next);
    expect(after.changes.map(({ kind, conversation: { readSeq } }) => [kind, readSeq])).toEqual([
      ['left', 2],
      ['joined', 2],
    ]);
    expect((await there.membershipChanges(after.next)).changes).toEqual([]);
  });
});
