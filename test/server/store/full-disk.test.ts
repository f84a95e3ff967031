import { describe, expect, test } from 'vitest';
import type { HostFileSystem } from '../../../src/server/store/sqlite/host-files.ts';
import { inRoom, message, person, verifier, withUser } from '../../contract/support/people.ts';
import { opened, seqs, texts } from './support/database.ts';
import { simulatedDisk } from './support/simulated-disk.ts';

const directory = '/simulated';
const full = {
  error: { code: 'unavailable', message: "the server's disk is full: nothing was stored, try again later" },
};

/** A disk that can be full: then writing fails with `code`, after `partly` bytes of each write if asked. */
function fillable() {
  const disk = simulatedDisk();
  const state = { code: undefined as string | undefined, partly: 0 };
  const host = {
    ...disk.host,
    writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number) {
      if (state.code === undefined) return disk.host.writeSync(fd, from, offset, length, position);
      if (state.partly > 0) {
        const some = Math.min(length, state.partly);
        state.partly = 0;
        return disk.host.writeSync(fd, from, offset, some, position);
      }
      throw Object.assign(new Error(state.code), { code: state.code });
    },
  } as HostFileSystem;
  return { disk, host, state };
}

describe('a full disk', () => {
  test.each(['ENOSPC', 'EDQUOT'])(
    'stores nothing and says so, answers reads, and recovers by itself (%s)',
    async (code) => {
      const { disk, host, state } = fillable();
      const database = await opened(directory, { host });
      const alice = database.join('alice');
      database.say(alice, 'one');
      state.code = code;
      expect(database.say(alice, 'lost')).toEqual([full]);
      expect(
        database.batch(
          ['appendMessage', message(alice, inRoom('lobby'))],
          ['usernames', { after: '', limit: 9 }],
          ['createAccount', { account: person('bob'), verifier }],
          ['account', 'bob'],
          ['conversation', { userId: alice.id, ref: withUser('alice') }],
          // It may make a conversation, and must not need to: who follows asks for it.
          ['openConversation', { userId: alice.id, ref: inRoom('lobby'), now: 1 }],
          ['openConversation', { userId: alice.id, ref: withUser('alice'), now: 1 }],
        ),
      ).toEqual([
        full,
        { value: ['alice'] },
        full,
        { value: undefined },
        { value: { kind: 'unwritten' } },
        { value: { id: 1, ref: inRoom('lobby'), lastSeq: 1, readSeq: 0 } },
        full,
      ]);
      expect(texts(database.said())).toEqual(['one']);
      state.code = undefined;
      expect(seqs(database.say(alice, 'two', 'three'))).toEqual([2, 3]);
      expect(database.integrity()).toBe('ok');
      database.database.abandon();
      // What was written in vain is no part of what a restart finds.
      const after = await opened(directory, { host: disk.afterPowerCut(() => 0.5).host });
      expect(texts(after.said())).toEqual(['one', 'two', 'three']);
      expect(after.integrity()).toBe('ok');
      after.database.close();
    },
  );

  test('that took a part of a commit took none of it', async () => {
    const { disk, host, state } = fillable();
    const database = await opened(directory, { host });
    const alice = database.join('alice');
    database.say(alice, 'one');
    for (const partly of [1, 24, 4_119, 4_120, 4_121, 9_000]) {
      Object.assign(state, { code: 'ENOSPC', partly });
      expect(database.say(alice, 'lost', 'x'.repeat(20_000))).toEqual([full, full]);
      const found = await opened(directory, { host: disk.afterPowerCut(() => 0.5).host });
      expect(texts(found.said())).toEqual(['one']);
      found.database.abandon();
    }
    state.code = undefined;
    expect(seqs(database.say(alice, 'two'))).toEqual([2]);
    database.database.close();
  });

  test('at a checkpoint loses nothing: the log keeps it', async () => {
    const { host, state } = fillable();
    const database = await opened(directory, { host });
    const alice = database.join('alice');
    const long = 'x'.repeat(16_000);
    const acknowledged: string[] = [];
    for (let i = 0; i < 40; i++) {
      const said = Array.from({ length: 20 }, (_, n) => `${i} ${n} ${long}`);
      state.code = i % 3 === 1 ? 'ENOSPC' : undefined;
      if (seqs(database.say(alice, ...said))[0] !== 0) acknowledged.push(...said);
    }
    state.code = undefined;
    expect(texts(database.said())).toEqual(acknowledged);
    expect(database.integrity()).toBe('ok');
    database.database.close();
  });

  test('at the start is named with what to do', async () => {
    const { host, state } = fillable();
    state.code = 'ENOSPC';
    await expect(opened(directory, { host })).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the disk of /simulated/chat.db is full: make room and start again',
    });
  });
});

describe('a disk that cannot be written', () => {
  test('fails what is written, in words, and nothing else', async () => {
    const { host, state } = fillable();
    const database = await opened(directory, { host });
    const alice = database.join('alice');
    state.code = 'EIO';
    expect(database.say(alice, 'lost')).toEqual([
      { error: { code: 'unavailable', message: "the server's disk cannot be read or written" } },
    ]);
    expect(database.said()).toEqual([]);
    state.code = undefined;
    expect(seqs(database.say(alice, 'one'))).toEqual([1]);
    database.database.close();
  });
});
