import { accessSync, constants, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ChatError } from '../../core/errors.ts';
import { doubtful, type Finding, failed, fine } from '../finding.ts';
import { lookAtLock } from './lock.ts';
import { whose } from './whose.ts';

/** What a look at a data directory found. */
export interface DirectoryReport {
  readonly findings: readonly Finding[];
  /** Absolute, without symbolic links; undefined when there is nothing in it to look at. */
  readonly path: string | undefined;
  /** Whether a server has it now. */
  readonly isHeld: boolean;
}

const check = 'data';
const unusable = (message: string): DirectoryReport => ({
  findings: [failed(check, { code: 'unavailable', message })],
  path: undefined,
  isHeld: false,
});

/** Looks whether a server could start in `directory` and who is there already; makes and changes nothing. */
export async function inspectDataDirectory(directory: string): Promise<DirectoryReport> {
  let found: Stats | undefined;
  try {
    found = statSync(directory, { throwIfNoEntry: false });
    if (found === undefined) return canBeMade(directory);
    if (!found.isDirectory()) return unusable(`${directory} is no directory: give another with --data`);
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return unusable(`the data directory ${directory} cannot be used (${codeOf(error)})${whose(found)}`);
  }
  const path = realpathSync(directory);
  const findings = [fine(check, `${path} can be read and written`)];
  if ((found.mode & 0o077) !== 0 && found.uid === process.getuid?.())
    findings.push(doubtful(check, `others can look into ${path}: the next start closes it to them`));
  const { finding, isHeld } = await inspectLock(path);
  return { findings: [...findings, finding], path, isHeld };
}

async function inspectLock(path: string): Promise<{ finding: Finding; isHeld: boolean }> {
  try {
    const { holder, leftovers } = await lookAtLock(path);
    if (holder !== undefined) {
      const who =
        holder === 'unknown'
          ? 'a process that does not answer'
          : `process ${holder.pid}, since ${holder.since}`;
      const text = `a server is running there now (${who}): stop it before you start another`;
      return { finding: doubtful('lock', text), isHeld: true };
    }
    const left =
      leftovers === 0
        ? ''
        : `; what ${leftovers} killed ${leftovers === 1 ? 'one' : 'ones'} left goes at the next start`;
    return { finding: fine('lock', `no server is running there${left}`), isHeld: false };
  } catch (error) {
    if (error instanceof ChatError) return { finding: failed('lock', error), isHeld: false };
    throw error;
  }
}

/** Looks at the nearest directory above that is there. */
function canBeMade(directory: string): DirectoryReport {
  let above = dirname(directory);
  let found = statSync(above, { throwIfNoEntry: false });
  while (found === undefined && above !== dirname(above)) {
    above = dirname(above);
    found = statSync(above, { throwIfNoEntry: false });
  }
  if (found?.isDirectory() === false)
    return unusable(`${directory} cannot be made: ${above} is no directory`);
  try {
    accessSync(above, constants.W_OK | constants.X_OK);
  } catch (error) {
    return unusable(
      `${directory} cannot be made in ${above} (${codeOf(error)})${whose(found)}; give another with --data`,
    );
  }
  return {
    findings: [fine(check, `${directory} is made at the first start`)],
    path: undefined,
    isHeld: false,
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
