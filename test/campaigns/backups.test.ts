import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnsweredBackup, brokenBackups } from '../../scripts/campaigns/backups.ts';

describe('the look at the backups of a server that was killed', () => {
  let data: string;

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'chat-backups-'));
    mkdirSync(join(data, 'backups'));
  });
  afterEach(() => rmSync(data, { recursive: true, force: true }));

  /** A backup with these texts, as it would be answered; `before` was acknowledged before it. */
  function made(texts: readonly string[], before: readonly string[]): AnsweredBackup {
    const file = join(data, 'backups', 'one.db');
    const database = new DatabaseSync(file);
    database.exec('CREATE TABLE messages (body TEXT)');
    for (const text of texts) database.prepare('INSERT INTO messages VALUES (?)').run(text);
    database.close();
    const sent = before.map((text, index) => {
      const seq = index + 1;
      return { to: '#lobby', text, sender: 0, count: seq, acknowledged: { seq, id: `id${seq}` } };
    });
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    return { name: 'one.db', sha256, before: sent };
  }

  function look(...answered: readonly AnsweredBackup[]): string[] {
    return brokenBackups({ data, scratch: data, answered });
  }

  it('finds nothing where what was answered is there with what was acknowledged before, and removes it', () => {
    const answered = made(['a', 'b', 'later'], ['a', 'b']);
    expect(look(answered)).toEqual([]);
    expect(readdirSync(join(data, 'backups'))).toEqual([]);
  });

  it('finds nothing wrong with a sound one that was not answered, and nothing where there are none', () => {
    made(['a'], []);
    expect(look()).toEqual([]);
    expect(look()).toEqual([]);
  });

  it('finds one that was answered and is not there', () => {
    const answered = made(['a'], ['a']);
    rmSync(join(data, 'backups', 'one.db'));
    expect(look(answered)).toEqual(['backup one.db: it was answered, and is not there']);
  });

  it('finds an acknowledged message that is not in it', () => {
    expect(look(made(['a'], ['a', 'b']))).toEqual([
      'backup one.db: #lobby: b was acknowledged before, and is not in it',
    ]);
  });

  it('finds another file than was answered, and an empty one', () => {
    const answered = made(['a'], ['a']);
    writeFileSync(join(data, 'backups', 'one.db'), '');
    expect(look(answered)).toEqual(['backup one.db: it has another SHA-256 than was answered']);
  });

  it('finds half of one', () => {
    writeFileSync(join(data, 'backups', 'one.db.partial'), 'SQLite');
    expect(look()).toEqual(['half of a backup is left: one.db.partial']);
  });
});
