import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Sent } from './promises.ts';
import { soundnessOf } from './soundness.ts';

/** A backup of which the server has said that it is made. */
export interface AnsweredBackup {
  readonly name: string;
  /** Of the whole file, in hexadecimal digits. */
  readonly sha256: string;
  /** What was sent, and answered or not, before it was asked for. */
  readonly before: readonly Sent[];
}

/** Where backups are looked at, and which of them were answered. */
export interface BackupsToLookAt {
  readonly data: string;
  readonly scratch: string;
  readonly answered: readonly AnsweredBackup[];
}

/**
 * No half of a backup is left, each is a sound database by itself, and one that was answered is there, as it was answered, with all that
 * was acknowledged before. Removes them all: the next trials make their own.
 */
export function brokenBackups({ data, scratch, answered }: BackupsToLookAt): string[] {
  const backups = join(data, 'backups');
  const names = existsSync(backups) ? readdirSync(backups) : [];
  const broken = answered
    .filter(({ name }) => !names.includes(name))
    .map(({ name }) => `backup ${name}: it was answered, and is not there`);
  for (const name of names) {
    const file = join(backups, name);
    if (name.endsWith('.partial')) {
      broken.push(`half of a backup is left: ${name}`);
      continue;
    }
    const answer = answered.find((each) => each.name === name);
    // sqlite3 may change what it looks at.
    const copy = join(scratch, name);
    cpSync(file, copy);
    const found = soundnessOf(copy);
    if (answer && found.length === 0) found.push(...unlikeTheAnswer(file, copy, answer));
    rmSync(copy);
    rmSync(file);
    broken.push(...found.map((sentence) => `backup ${name}: ${sentence}`));
  }
  return broken;
}

function unlikeTheAnswer(file: string, copy: string, { sha256, before }: AnsweredBackup): string[] {
  if (createHash('sha256').update(readFileSync(file)).digest('hex') !== sha256)
    return ['it has another SHA-256 than was answered'];
  const database = new DatabaseSync(copy);
  try {
    const bodies = database.prepare('SELECT body FROM messages').all();
    const texts = new Set(bodies.map(({ body }) => body));
    const lost = before.filter(({ text, acknowledged }) => acknowledged && !texts.has(text));
    return lost.map(({ to, text }) => `${to}: ${text} was acknowledged before, and is not in it`);
  } catch (error) {
    return [`it cannot be read: ${String(error)}`];
  } finally {
    database.close();
  }
}
