import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Throws, saying what to do, where there is no sqlite3. */
export function requireSqlite(): void {
  if (spawnSync('sqlite3', ['-version']).status === 0) return;
  throw new Error("this campaign looks at the database's file with sqlite3: install it");
}

/** What the system's own sqlite3 says of a copy of the files as they are. */
export function soundness(data: string, scratch: string): string[] {
  const copy = join(scratch, 'copy');
  rmSync(copy, { recursive: true, force: true });
  cpSync(data, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  return soundnessOf(join(copy, 'chat.db'));
}

/** What the system's own sqlite3 says of one database, which may be changed by it. */
export function soundnessOf(file: string): string[] {
  try {
    const said = execFileSync('sqlite3', [file, 'PRAGMA integrity_check'], { encoding: 'utf8' }).trim();
    return said === 'ok' ? [] : [`sqlite3 finds the file unsound: ${said}`];
  } catch (error) {
    return [`sqlite3 cannot read the file: ${String(error)}`];
  }
}
