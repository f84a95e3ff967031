import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ConversationId, UserId } from '../../../src/core/model/ids.ts';
import { hasTerms, parseSearch, wordsOf } from '../../../src/core/search-terms.ts';
import { createAccount } from '../../../src/server/store/queries/accounts.ts';
import { eraseText } from '../../../src/server/store/queries/erased-text.ts';
import { Memory } from '../../../src/server/store/queries/memory.ts';
import { appendMessage, writeBack } from '../../../src/server/store/queries/messages.ts';
import { searchMessages } from '../../../src/server/store/queries/search.ts';
import {
  forgetIndexed,
  indexAnew,
  indexConversation,
  lagAfter,
  partMessages,
} from '../../../src/server/store/queries/search-index.ts';
import { openDatabase, type SqliteDatabase } from '../../../src/server/store/sqlite/database.ts';
import { rows } from '../../../src/server/store/statement.ts';
import { inRoom, message, person, verifier } from '../../contract/support/people.ts';

/** A database with alice in the lobby, without anything that indexes by itself. */
async function lobby() {
  const directory = await mkdtemp(join(tmpdir(), 'chat-index-'));
  const open = (): Promise<SqliteDatabase> => openDatabase({ directory });
  let database = await open();
  onTestFinished(async () => {
    database.close();
    await rm(directory, { recursive: true, force: true });
  });
  const alice = person('alice');
  const id = 1 as ConversationId;
  database.run(createAccount({ account: alice, verifier }));
  const memory = new Memory();
  return {
    directory,
    id,
    userId: alice.id as UserId,
    get database() {
      return database;
    },
    /** Stores texts as messages 1, 2, 3 … */
    send(texts: readonly string[]): void {
      database.execute('BEGIN IMMEDIATE');
      for (const text of texts)
        database.run(appendMessage(message(alice, inRoom('lobby'), { body: { text } }), memory));
      database.run(writeBack(memory));
      database.execute('COMMIT');
    },
    index(messages = 1_000_000, characters = 100_000_000): boolean {
      database.execute('BEGIN IMMEDIATE');
      const isAll = database.run(indexConversation(id, { messages, characters }));
      database.execute('COMMIT');
      return isAll;
    },
    /** Does one step for parts of which something was forgotten; false when there are none. */
    anew(messages: number): boolean {
      database.execute('BEGIN IMMEDIATE');
      const wasAny = database.run(indexAnew({ messages, characters: 1_000_000 }));
      database.execute('COMMIT');
      return wasAny;
    },
    /** One step of a search. */
    find(query: string, before = Number.MAX_SAFE_INTEGER, limit = 100_000) {
      const conversations = [{ id, before }];
      const asked = { userId: alice.id, conversations, terms: parseSearch(query), limit };
      const [step] = database.run(searchMessages(asked));
      if (!step) throw new Error('a step looks into one conversation at least');
      return step;
    },
    seqs(query: string): number[] {
      const all: number[] = [];
      for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
        const step = this.find(query, before);
        all.push(...step.found.map(({ seq }) => seq));
        before = step.next?.before;
      }
      return all;
    },
    async reopen(end: 'close' | 'abandon'): Promise<void> {
      database[end]();
      database = await open();
    },
    /** All bytes of the database's files. */
    async bytes(): Promise<string> {
      const names = await readdir(directory);
      const files = await Promise.all(names.map((name) => readFile(join(directory, name), 'latin1')));
      return files.join('\n');
    },
  };
}

const numbered = (count: number, from = 1): string[] =>
  Array.from(
    { length: count },
    (_, i) => `message number n${from + i}${(from + i) % 100 === 0 ? ' needle' : ''}`,
  );

describe('the index of words', () => {
  test('finds of any texts those that core says have the terms', async () => {
    const chat = await lobby();
    const word = fc.constantFrom(
      'ab',
      'abc',
      'ß',
      'été',
      '日本',
      'OR',
      'near',
      '👍',
      "d'or",
      'x'.repeat(70),
      '10.2',
    );
    const texts = fc
      .sample(fc.array(word, { minLength: 1, maxLength: 5 }), { numRuns: 200, seed: 7 })
      .map((words) => words.join(' '));
    chat.send(texts);
    expect(chat.index()).toBe(true);
    const term = fc.oneof(
      word,
      word.map((one) => `${one}*`),
      fc.tuple(word, word).map(([a, b]) => `"${a} ${b}"`),
    );
    fc.assert(
      fc.property(fc.array(term, { minLength: 1, maxLength: 3 }), (asked) => {
        const query = asked.join(' ');
        const expected = texts.flatMap((text, i) => (hasTerms(text, parseSearch(query)) ? [i + 1] : []));
        expect(chat.seqs(query)).toEqual(expected.reverse());
      }),
      { numRuns: 300 },
    );
  });

  test('reads nothing in what is searched for but words', async () => {
    const chat = await lobby();
    const texts = [
      'secret other',
      'near or not and a b c d 1 match words part docid',
      'x'.repeat(16_384),
      '👍 💩',
    ];
    chat.send(texts);
    chat.index();
    const piece = fc.constantFrom(
      '"',
      "'",
      ' ',
      '*',
      '^',
      '-',
      '(',
      ')',
      ':',
      'NEAR',
      'NEAR/2',
      'OR',
      'AND',
      'NOT',
      'words:',
      'secret',
      'a',
      '\u0000',
      '👍',
      ';',
      '--',
      '\ud800',
      'docid',
      'x'.repeat(80),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const query = pieces.join('');
        let terms: ReturnType<typeof parseSearch>;
        try {
          terms = parseSearch(query);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid' });
          return;
        }
        const expected = texts.flatMap((text, i) => (hasTerms(text, terms) ? [i + 1] : []));
        expect(chat.seqs(query)).toEqual(expected.reverse());
      }),
      { numRuns: 1_000 },
    );
  });

  test('as many words as a search may have are found, as phrase and alone', async () => {
    const chat = await lobby();
    const words = Array.from({ length: 64 }, (_, i) => `w${i}`).join(' ');
    chat.send([words, words.replace('w63', 'other')]);
    chat.index();
    expect(chat.seqs(words)).toEqual([1]);
    expect(chat.seqs(`"${words}"`)).toEqual([1]);
    expect(wordsOf(words)).toHaveLength(64);
  });

  test('goes on after any step, also when its process was killed, and across its parts', async () => {
    const chat = await lobby();
    chat.send(numbered(partMessages + 500));
    let steps = 0;
    while (!chat.index(1_000)) {
      steps += 1;
      expect(chat.database.run(lagAfter(0, 9))[0]?.unindexed).toBe(partMessages + 500 - steps * 1_000);
      await chat.reopen(steps % 2 ? 'abandon' : 'close');
    }
    expect(steps).toBe(4);
    const needles = Array.from({ length: 45 }, (_, i) => 4_500 - i * 100);
    expect(chat.seqs('needle')).toEqual(needles);
    for (const seq of [1, partMessages, partMessages + 1, partMessages + 500])
      expect(chat.seqs(`n${seq}`)).toEqual([seq]);
    // What comes later goes on where it has come to.
    chat.send(numbered(1, partMessages + 501));
    expect(chat.index(1)).toBe(true);
    expect(chat.seqs(`n${partMessages + 501}`)).toEqual([partMessages + 501]);
  });

  test('a step ends at its bound of characters, with at least one message done', async () => {
    const chat = await lobby();
    chat.send(['x '.repeat(500), 'y '.repeat(500), 'z']);
    expect(chat.index(100, 1_000)).toBe(false);
    expect(chat.database.run(lagAfter(0, 9))[0]?.unindexed).toBe(2);
    expect(chat.index(100, 1)).toBe(false);
    expect(chat.database.run(lagAfter(0, 9))[0]?.unindexed).toBe(1);
    expect(chat.index(100, 1)).toBe(true);
  });

  test('what is not in it yet is looked through, the newest first, and a search says when it left some out', async () => {
    const chat = await lobby();
    chat.send(numbered(1_000));
    expect(chat.find('needle')).toMatchObject({ isWhole: false });
    expect(chat.seqs('needle')).toEqual([1_000, 900, 800, 700, 600, 500]);
    chat.index(488);
    expect(chat.find('needle')).toMatchObject({ isWhole: true });
    expect(chat.seqs('needle')).toEqual([1_000, 900, 800, 700, 600, 500, 400, 300, 200, 100]);
  });

  test('a page ends at its limit and the next one begins there, in the index and beside it', async () => {
    const chat = await lobby();
    chat.send(numbered(1_000));
    chat.index(700);
    const seqs: number[] = [];
    for (let before: number | undefined = 1_001; before !== undefined; ) {
      const step = chat.find('needle', before, 3);
      expect(step.found.length).toBeLessThanOrEqual(3);
      seqs.push(...step.found.map(({ seq }) => seq));
      before = step.next?.before;
    }
    expect(seqs).toEqual([1_000, 900, 800, 700, 600, 500, 400, 300, 200, 100]);
  });
});

describe('what is forgotten', () => {
  test('is gone from the bytes of the files, and the rest is found again after it was indexed anew', async () => {
    const chat = await lobby();
    const secret = 'Quetzalcoatl zirconium42 kryptonite';
    chat.send([...numbered(2_000), secret, ...numbered(3_000, 2_002)]);
    while (!chat.index(300));
    expect(chat.seqs('quetzalcoatl')).toEqual([2_001]);
    const before = await chat.bytes();
    for (const word of ['Quetzalcoatl', 'zirconium42', 'kryptonite']) expect(before).toContain(word);

    chat.database.execute('BEGIN IMMEDIATE');
    chat.database.run(eraseText({ conversation: chat.id, after: 2_000, upTo: 2_001, senderId: chat.userId }));
    chat.database.execute('COMMIT');
    chat.database.execute('PRAGMA wal_checkpoint(TRUNCATE)');

    const after = (await chat.bytes()).toLowerCase();
    for (const word of ['quetzalcoatl', 'zirconium42', 'kryptonite', 'etzalcoa', 'rconium4', 'ryptonit'])
      expect(after).not.toContain(word);
    expect(chat.seqs('quetzalcoatl')).toEqual([]);
    // The part that it was in is empty, the other one is as it was.
    expect(chat.find('n4500').found.map(({ seq }) => seq)).toEqual([4_500]);
    await chat.reopen('abandon');
    let steps = 0;
    while (chat.anew(1_000)) steps += 1;
    expect(steps).toBe(5);
    expect(chat.index()).toBe(true);
    expect(chat.find('needle')).toMatchObject({ isWhole: true });
    expect(chat.seqs('needle')).toEqual(Array.from({ length: 50 }, (_, i) => 5_000 - i * 100));
    expect(chat.seqs('quetzalcoatl')).toEqual([]);
    expect(await chat.bytes()).not.toMatch(/quetzalcoatl/i);
  });

  test('is only where there is something to forget: other parts stay', async () => {
    const chat = await lobby();
    chat.send(numbered(partMessages + 1));
    chat.index();
    const stretch = { conversation: chat.id, after: 0, upTo: partMessages + 1 };
    chat.database.run(eraseText({ ...stretch, senderId: 'nobody' }));
    expect(chat.anew(1)).toBe(false);
    chat.database.run(eraseText({ ...stretch, after: partMessages, senderId: undefined }));
    expect(chat.seqs('needle')[0]).toBe(4_000);
    expect(chat.seqs('message')).toHaveLength(partMessages);
    expect(chat.anew(1)).toBe(true);
    expect(chat.anew(1)).toBe(false);
    expect(chat.seqs(`n${partMessages + 1}`)).toEqual([]);
  });

  test('may be what was never indexed, and is then no work', async () => {
    const chat = await lobby();
    chat.send(['one']);
    chat.database.run(forgetIndexed(chat.id, [1, 2, 9_999]));
    expect(chat.anew(9)).toBe(false);
    expect(chat.index()).toBe(true);
    expect(chat.seqs('one')).toEqual([1]);
  });

  test('does not hurt what SQLite checks of its files', async () => {
    const chat = await lobby();
    chat.send(numbered(300));
    while (!chat.index(10));
    chat.database.run(forgetIndexed(chat.id, [7]));
    while (chat.anew(10));
    const check = { build: () => ({ compile: () => ({ sql: 'PRAGMA integrity_check', parameters: [] }) }) };
    expect(chat.database.run(rows(check as never, {}))).toEqual([{ integrity_check: 'ok' }]);
    expect(chat.seqs('needle')).toEqual([300, 200, 100]);
  });
});
